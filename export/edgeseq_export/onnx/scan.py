"""The int8 GRU: all inputs projected in one int8 product, then a Scan over time around the recurrent one.

ONNX Runtime runs some ten small nodes a frame here, which pays from H = 384 or so, where the operator's
float32 product takes longer than they do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeseq_device.manifest import TensorInfo
from edgeseq_export.forms import DYNAMIC, DYNAMIC_ROW
from edgeseq_export.layers import GRU, Cell
from edgeseq_export.onnx.graph import OnnxGraph, Value
from edgeseq_export.onnx.products import multiply
from edgeseq_export.onnx.rows import Rows
from edgeseq_export.spec import cells
from edgeseq_export.state import NEXT


def lower_scan_gru(graph: OnnxGraph, layer: GRU, rows: Rows, *, only_final: bool) -> Rows:
    """The outputs of every frame, or with `only_final` the final states [1, D * H] alone."""
    rows = rows.to(graph, "TF")
    ends = [
        _scan(graph, layer.name, way, cell, rows, only_final=only_final) for way, cell in cells(layer).items()
    ]
    joined = ends[0] if len(ends) == 1 else graph.node("Concat", ends, f"{layer.name}.joined", axis=1)
    width = layer.forward.hidden * len(ends)
    return rows.pooled(joined, width) if only_final else rows.with_features(joined, width)


def _scan(graph: OnnxGraph, layer: str, way: str, cell: Cell, rows: Rows, *, only_final: bool) -> Value:
    """The final state [1, H] of one direction, or its outputs [T, H]."""
    H, final = cell.hidden, f"{layer}.h{NEXT}" if graph.carries else f"{layer}.{way}.final"
    name = f"{layer}.{way}"
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
    results = [final] if only_final else [final, f"{name}.outputs"]
    graph.node_with(
        "Scan",
        [start, gates, candidates],
        results,
        body=graph.subgraph(body, inputs, outputs),
        num_scan_inputs=2,
        scan_input_directions=[int(way == "backward")] * 2,
        scan_output_directions=None if only_final else [int(way == "backward")],
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
    """The body: the state behind one frame. Inputs: the state, and what `_projected` has of the frame."""
    state = f"{name}.state"
    product = multiply(body, f"{name}.product", state, cell.weight_hh, f"{name}.gates", DYNAMIC)
    both, recurrent = _parts(body, product, cell.hidden)
    frame = _Frame(state, both, f"{name}.candidate", recurrent)
    return _next_state(body, name, cell.hidden, frame, f"{name}.after")


def step_gru(graph: OnnxGraph, layer: GRU, rows: Rows) -> Rows:
    """One frame [1, F] with the state [1, H] of the frames before, both products in int8."""
    name, cell, rows = layer.name, layer.forward, rows.to(graph, "TF")
    H, state = cell.hidden, f"{name}.h"
    of_frame = multiply(graph, f"{name}.projected", rows.value, cell.weight_ih, cell.bias_ih, DYNAMIC_ROW)
    of_state = multiply(graph, f"{name}.product", state, cell.weight_hh, cell.bias_hh, DYNAMIC_ROW)
    (both, candidate), (more, recurrent) = _parts(graph, of_frame, H), _parts(graph, of_state, H)
    frame = _Frame(state, graph.node("Add", [both, more], f"{name}.both"), candidate, recurrent)
    return rows.with_features(_next_state(graph, name, H, frame, state + NEXT), H)


def _parts(body: OnnxGraph, product: Value, hidden: int) -> tuple[Value, Value]:
    """[1, 3H] -> of the gates r and z together [1, 2H], of the candidate [1, H]."""
    both, candidate = f"{product}.rz", f"{product}.n"
    body.node_with("Split", [product, body.integers(2 * hidden, hidden)], [both, candidate], axis=1)
    return both, candidate


@dataclass(frozen=True)
class _Frame:
    """What a GRU's next state is made of. state, recurrent (W_hn h + b_hn), candidate (W_in x + b_in): H
    numbers; both: 2H, of the gates r and z in front of their sigmoid."""

    state: Value
    both: Value
    candidate: Value
    recurrent: Value


def _next_state(body: OnnxGraph, name: str, hidden: int, frame: _Frame, after: Value) -> Value:
    """h' = n + z * (h - n), with n = tanh(candidate + r * recurrent), called `after`."""
    opened = body.node("Sigmoid", [frame.both], f"{name}.opened")
    r, z = f"{name}.r", f"{name}.z"
    body.node_with("Split", [opened, body.integers(hidden, hidden)], [r, z], axis=1)
    reset = body.node("Mul", [r, frame.recurrent], f"{name}.reset")
    summed = body.node("Add", [reset, frame.candidate], f"{name}.summed")
    n = body.node("Tanh", [summed], f"{name}.n")
    kept = body.node("Mul", [body.node("Sub", [frame.state, n], f"{name}.change"), z], f"{name}.kept")
    return body.node("Add", [kept, n], after)
