"""Embedding: the rows of a table that ids name, int8 in memory too; only those looked up become float32.

GATHER, and the rows' scales by a GATHER of their own. EMBEDDING_LOOKUP knows scales of rows, but widens them
number by number, at twice the instructions; it takes 8 bytes more a row for zero points; and tflite-runtime
2.14 refuses its version 4 and answers garbage to the ones before.
"""

from __future__ import annotations

import numpy as np

from edgeseq_export.layers import Embedding
from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor


def lower_embedding(graph: GraphBuilder, layer: Embedding, ids: Tensor) -> Tensor:
    """ids [M, K] int32 -> [M, D]. An id that the table has no row of stops the run with an error."""
    count, depth = graph.shape(ids)[1], layer.weight.shape[1]
    rows = _rows_of(graph, layer, ids)
    # A token's scales times its rows, as one BATCH_MATMUL, would take fewer instructions from K = 8 on: but
    # LiteRT 2.3's XNNPACK answers garbage to one of many small products (M = 7 of K = 2, 28 of 12).
    summed = rows if count == 1 else ops.sum_columns(graph, rows)
    return shape_ops.reshape(graph, summed, (-1, depth))


def _rows_of(graph: GraphBuilder, layer: Embedding, ids: Tensor) -> Tensor:
    """ids [M, K] -> [M, K, D]."""
    weight, name = layer.weight, f"{layer.name}.weight"
    if not isinstance(weight, QuantizedTensor):
        return shape_ops.take_rows(graph, graph.constant(weight, np.float32, name), ids)
    table = graph.weight(_without_scales(weight), name, per_channel=False)
    rows = ops.dequantize(graph, shape_ops.take_rows(graph, table, ids))
    scales = graph.constant(weight.scale[:, None], np.float32, f"{layer.name}.scale")
    return ops.multiply(graph, rows, shape_ops.take_rows(graph, scales, ids))


def _without_scales(weight: QuantizedTensor) -> QuantizedTensor:
    return QuantizedTensor(weight.values, np.ones(weight.scale.shape, np.float32))
