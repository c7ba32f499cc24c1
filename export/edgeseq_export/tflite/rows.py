"""Layers that work row by row, or on a row and those just before it: Linear, Norm, CausalConv."""

from __future__ import annotations

import numpy as np

from edgeseq_export.forms import Product
from edgeseq_export.layers import Activation, CausalConv, Linear, Norm
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.products import multiply_rows


def lower_linear(graph: GraphBuilder, layer: Linear, rows: Tensor, product: Product) -> Tensor:
    """[M, F] -> [M, O]."""
    out = multiply_rows(graph, rows, layer.weight, layer.bias, product, f"{layer.name}.weight")
    return _activate(graph, out, layer.activation)


def lower_norm(graph: GraphBuilder, layer: Norm, rows: Tensor) -> Tensor:
    """[M, F] -> the same."""
    centred = ops.subtract(graph, rows, ops.mean_columns(graph, rows))
    variance = ops.mean_columns(graph, ops.multiply(graph, centred, centred))
    epsilon = graph.constant(layer.epsilon, np.float32)
    inverse = ops.inverse_root(graph, ops.add(graph, variance, epsilon))
    scaled = ops.multiply(
        graph, ops.multiply(graph, centred, inverse), graph.constant(layer.gain, np.float32)
    )
    return ops.add(graph, scaled, graph.constant(layer.bias, np.float32))


def lower_conv(
    graph: GraphBuilder, layer: CausalConv, rows: Tensor, frames: Tensor | None, product: Product
) -> tuple[Tensor, Tensor]:
    """rows [M, F] behind frames [kernel - 1, F] -> [M, O] and the frames before the rows to come.

    frames: None where the kernel is 1; then the rows themselves are returned for the frames.
    """
    joined = rows if frames is None else shape_ops.concatenate(graph, [frames, rows], 0)
    last = layer.kernel - 1
    taps = [shape_ops.rows_between(graph, joined, k, last - k) for k in range(layer.kernel)]
    window = shape_ops.concatenate(graph, taps, 1) if last else rows
    out = multiply_rows(graph, window, layer.weight, layer.bias, product, f"{layer.name}.weight")
    return _activate(graph, out, layer.activation), joined


def _activate(graph: GraphBuilder, value: Tensor, activation: Activation) -> Tensor:
    if activation == "relu":
        return ops.relu(graph, value)
    return ops.gelu(graph, value) if activation == "gelu" else value
