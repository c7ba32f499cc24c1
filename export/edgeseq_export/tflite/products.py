"""The ways a TFLite graph multiplies rows of activations with a weight matrix, one function per Product."""

from __future__ import annotations

import numpy as np

from edgeseq_export.forms import FLOAT, HYBRID, ROW_SCALE, WIDENED, Product
from edgeseq_export.quantize import FloatArray, QuantizedTensor, Weight
from edgeseq_export.tflite import ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor

# A power of two: the int8 values go through the product and back to their own scale without a rounding.
_ONE_SCALE = np.float32(1 / 128)


def multiply_rows(
    graph: GraphBuilder, rows: Tensor, weight: Weight, bias: FloatArray | None, product: Product, name: str
) -> Tensor:
    """rows [M, K] @ weight [N, K].T + bias [N] -> [M, N], in the arithmetic of `product`.

    name: of the weight, dotted. Raises ValueError, naming the weight, where the product has no form here or
    does not fit a weight that is (not) quantized.
    """
    if not isinstance(weight, QuantizedTensor):
        if product != FLOAT:
            raise ValueError(f"{name}: is float32, the product {product.name!r} takes int8 weights")
        return ops.fully_connected(graph, rows, graph.constant(weight, np.float32, name), bias)
    if product == HYBRID:
        matrix = graph.weight(weight, name)
        return ops.hybrid_fully_connected(graph, rows, matrix, bias, per_channel=True)
    if product == WIDENED:
        return ops.fully_connected(graph, rows, ops.dequantize(graph, graph.weight(weight, name)), bias)
    if product == ROW_SCALE:
        return _row_scale(graph, rows, weight, bias, name)
    raise ValueError(f"{name}: is int8, TFLite has no product {product.name!r} for it")


def _row_scale(
    graph: GraphBuilder, rows: Tensor, weight: QuantizedTensor, bias: FloatArray | None, name: str
) -> Tensor:
    """One scale in the matrix product, the rows' own scales behind it.

    Runtimes older than per-channel int8 (tflite-runtime 2.14) answer per-channel weights with garbage.
    """
    one_scale = QuantizedTensor(weight.values, np.full(weight.scale.shape, _ONE_SCALE))
    matrix = graph.weight(one_scale, name, per_channel=False)
    product = ops.hybrid_fully_connected(graph, rows, matrix, None, per_channel=False)
    scaled = ops.multiply(graph, product, graph.constant(weight.scale / _ONE_SCALE, np.float32))
    return scaled if bias is None else ops.add(graph, scaled, graph.constant(bias, np.float32))
