"""The layers that see one row, or a few rows before it, at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeseq_export.forms import Product
from edgeseq_export.layers import Activation, CausalConv, ClassToken, Linear, Norm, Positions
from edgeseq_export.onnx.graph import MICROSOFT, OnnxGraph, Value
from edgeseq_export.onnx.products import multiply
from edgeseq_export.onnx.rows import FRAMES, Rows, frame_numbers, frames_between
from edgeseq_export.state import NEXT


def lower_linear(graph: OnnxGraph, layer: Linear, product: Product, rows: Rows) -> Rows:
    """[..., F] -> [..., O], over frames or behind a Pool layer."""
    found = multiply(graph, layer.name, rows.value, layer.weight, layer.bias, product)
    return rows.with_features(_activate(graph, layer.activation, found), layer.weight.shape[0])


def lower_norm(graph: OnnxGraph, layer: Norm, _product: Product, rows: Rows) -> Rows:
    """[..., F] -> the same."""
    weights = [graph.constant(f"{layer.name}.{each}", getattr(layer, each)) for each in ("gain", "bias")]
    inputs = [rows.value, *weights]
    return rows.with_features(graph.node("LayerNormalization", inputs, layer.name, epsilon=layer.epsilon))


def lower_causal_conv(graph: OnnxGraph, layer: CausalConv, product: Product, rows: Rows) -> Rows:
    """[.., T, F] -> [.., T, O]: each row beside the kernel - 1 before it, then one matrix product."""
    if layer.kernel > 1:
        before = _rows_beside_state if graph.is_step else _rows_beside_rows
        rows = before(graph, layer, rows)
    found = multiply(graph, layer.name, rows.value, layer.weight, layer.bias, product)
    return rows.with_features(_activate(graph, layer.activation, found), layer.weight.shape[0])


def _rows_beside_rows(graph: OnnxGraph, layer: CausalConv, rows: Rows) -> Rows:
    """[.., T, kernel * F], the oldest first, zeros before frame 0."""
    axes = len(rows.layout)
    pads = [0] * (2 * axes)
    pads[rows.time_axis] = layer.kernel - 1
    padded = replace(rows, value=graph.node("Pad", [rows.value, graph.integers(*pads)]))
    if graph.carries:
        last = frames_between(graph, padded, 1 - layer.kernel, None)
        shape = graph.integers(layer.kernel - 1, rows.width)
        graph.node("Reshape", [last, shape], f"{layer.name}.frames{NEXT}")
    shifted = [
        frames_between(graph, padded, k, None if k == layer.kernel - 1 else k - layer.kernel + 1)
        for k in range(layer.kernel)
    ]
    beside = graph.node("Concat", shifted, f"{layer.name}.beside", axis=axes - 1)
    return rows.with_features(beside, layer.kernel * rows.width)


def _rows_beside_state(graph: OnnxGraph, layer: CausalConv, rows: Rows) -> Rows:
    """[1, kernel * F]; the frames [kernel - 1, F] lose their oldest."""
    state = f"{layer.name}.frames"
    frame = rows.to(graph, "TF")
    seen = graph.node("Concat", [state, frame.value], f"{layer.name}.seen", axis=0)
    borders = [graph.integers(border) for border in (1, layer.kernel, 0)]
    graph.node("Slice", [seen, *borders], state + NEXT)
    width = layer.kernel * rows.width
    return frame.with_features(graph.node("Reshape", [seen, graph.integers(1, width)]), width)


def lower_positions(graph: OnnxGraph, layer: Positions, _product: Product, rows: Rows) -> Rows:
    """Rows plus those of the table; the Gather fails where there are more frames than the table has rows.

    ONNX Runtime's error names the Gather and nothing else of the model: so its name says what to know.
    """
    rows = rows.to(graph, "NTF")
    # a Range right before the Gather would be made a Slice, which takes too few rows without an error
    numbers = graph.node("Unsqueeze", [frame_numbers(graph, rows), graph.integers(0)])
    table = graph.constant(f"{layer.name}.table", layer.table)
    frames = "frames" if rows.clock == FRAMES else "frames, the class token included,"
    error = f"{layer.name}: more {frames} than the {len(layer.table)} positions it learned"
    taken = graph.node("Gather", [table, numbers], error, axis=0)
    return rows.with_features(graph.node("Add", [rows.value, taken], layer.name))


def lower_class_token(graph: OnnxGraph, layer: ClassToken, _product: Product, rows: Rows) -> Rows:
    """The token in front of every sequence; from here on there is one frame more."""
    rows = rows.to(graph, "NTF")
    token = graph.constant(f"{layer.name}.token", layer.token[None])
    if not rows.lengths:
        joined = graph.node("Concat", [token, rows.value], layer.name, axis=1)
        return replace(rows.with_features(joined), clock=f"/{layer.name}")
    sequences = graph.node("Shape", [rows.value], start=0, end=1)
    shape = graph.node("Concat", [sequences, graph.integers(1, rows.width)], axis=0)
    joined = graph.node("Concat", [graph.node("Expand", [token, shape]), rows.value], layer.name, axis=1)
    lengths = graph.node("Add", [rows.lengths, graph.number(1, np.int32)], f"{layer.name}.lengths")
    return replace(rows.with_features(joined), lengths=lengths, clock=f"/{layer.name}")


def _activate(graph: OnnxGraph, activation: Activation, value: Value) -> Value:
    if activation == "none":
        return value
    if activation == "relu":
        return graph.node("Relu", [value])
    return graph.node("Gelu", [value], domain=MICROSOFT)  # by the exact error function
