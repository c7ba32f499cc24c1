"""The int8 GRU: all inputs projected in one int8 product, then a Scan over time around the recurrent one.

ONNX Runtime runs some ten small nodes a frame here, which pays from H = 384 or so, where the operator's
float32 product takes longer than they do.
"""

from __future__ import annotations

import numpy as np

from edgeseq_device.manifest import TensorInfo
from edgeseq_export.forms import DYNAMIC
from edgeseq_export.onnx.graph import OnnxGraph, Value
from edgeseq_export.onnx.products import multiply
from edgeseq_export.onnx.rows import Rows
from edgeseq_export.spec import GRU, Cell, cells


def lower_scan_gru(graph: OnnxGraph, layer: GRU, rows: Rows, *, only_final: bool) -> Rows:
    """The outputs of every frame, or with `only_final` the final states [1, D * H] alone."""
    rows = rows.to(graph, "TF")
    ends = [
        _scan(graph, f"{layer.name}.{way}", cell, rows, backward=way == "backward", only_final=only_final)
        for way, cell in cells(layer).items()
    ]
    joined = ends[0] if len(ends) == 1 else graph.node("Concat", ends, f"{layer.name}.joined", axis=1)
    width = layer.forward.hidden * len(ends)
    return rows.pooled(joined, width) if only_final else rows.with_features(joined, width)


def _scan(graph: OnnxGraph, name: str, cell: Cell, rows: Rows, *, backward: bool, only_final: bool) -> Value:
    """The final state [1, H] of one direction, or its outputs [T, H]."""
    H = cell.hidden
    gates, candidates = _projected(graph, name, cell, rows)
    body = OnnxGraph()
    after = _gru_cell(body, f"{name}.frame", cell)
    outputs = [TensorInfo(after, "float32", (1, H), "")]
    if not only_final:
        # the same value twice among a Scan's outputs would be silently wrong
        row = body.node("Reshape", [after, body.integers(H)], f"{name}.frame.output")
        outputs.append(TensorInfo(row, "float32", (H,), ""))
    inputs = (
        TensorInfo(f"{name}.frame.state", "float32", (1, H), ""),
        TensorInfo(f"{name}.frame.gates", "float32", (3 * H,), ""),
        TensorInfo(f"{name}.frame.candidate", "float32", (H,), ""),
    )
    start = graph.constant(f"{name}.start", np.zeros((1, H), np.float32))
    results = [f"{name}.final"] if only_final else [f"{name}.final", f"{name}.outputs"]
    graph.node_with(
        "Scan",
        [start, gates, candidates],
        results,
        body=graph.subgraph(body, inputs, outputs),
        num_scan_inputs=2,
        scan_input_directions=[int(backward)] * 2,
        scan_output_directions=None if only_final else [int(backward)],
    )
    return results[-1]


def _projected(graph: OnnxGraph, name: str, cell: Cell, rows: Rows) -> tuple[Value, Value]:
    """What the recurrent product takes as its bias [T, 3H], and the candidates' share W_in x + b_in [T, H].

    The bias is W_i x + b_i + b_h of the gates r and z, and b_hn alone behind them: the reset gate comes
    after the product.
    """
    H = cell.hidden
    bias = cell.bias_ih + np.concatenate([cell.bias_hh[: 2 * H], np.zeros(H, np.float32)])
    projected = multiply(graph, f"{name}.projected", rows.value, cell.weight_ih, bias, DYNAMIC)
    gates, candidates = f"{name}.gates", f"{name}.candidates"
    graph.node_with("Split", [projected, graph.integers(2 * H, H)], [gates, candidates], axis=1)
    reset_bias = graph.constant(f"{name}.reset_bias", cell.bias_hh[None, 2 * H :])
    every_frame = graph.node("Expand", [reset_bias, graph.node("Shape", [candidates])])
    return graph.node("Concat", [gates, every_frame], f"{name}.biases", axis=1), candidates


def _gru_cell(body: OnnxGraph, name: str, cell: Cell) -> Value:
    """One frame: h' = n + z * (h - n), with n = tanh(candidate + r * (W_hn h + b_hn))."""
    H, state = cell.hidden, f"{name}.state"
    product = multiply(body, f"{name}.product", state, cell.weight_hh, f"{name}.gates", DYNAMIC)
    both, recurrent = f"{name}.rz", f"{name}.recurrent"
    body.node_with("Split", [product, body.integers(2 * H, H)], [both, recurrent], axis=1)
    opened = body.node("Sigmoid", [both], f"{name}.opened")
    r, z = f"{name}.r", f"{name}.z"
    body.node_with("Split", [opened, body.integers(H, H)], [r, z], axis=1)
    reset = body.node("Mul", [r, recurrent], f"{name}.reset")
    summed = body.node("Add", [reset, f"{name}.candidate"], f"{name}.summed")
    n = body.node("Tanh", [summed], f"{name}.n")
    kept = body.node("Mul", [body.node("Sub", [state, n], f"{name}.change"), z], f"{name}.kept")
    return body.node("Add", [kept, n], f"{name}.after")
