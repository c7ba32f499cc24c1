"""The TFLite operators that attention needs besides those of `ops` and `shape_ops`."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export.tflite import ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor

_Op = schema.BuiltinOperator
_Options = schema.BuiltinOptions


def batch_matmul(graph: GraphBuilder, left: Tensor, right: Tensor, *, transposed: bool = False) -> Tensor:
    """left [..., M, K] @ right [..., K, N], or right [..., N, K] where it is transposed -> [..., M, N]."""
    options = schema.BatchMatMulOptionsT()
    options.adjY = transposed
    columns = graph.shape(right)[-2 if transposed else -1]
    output = graph.tensor((*graph.shape(left)[:-1], columns))
    graph.operator(_Op.BATCH_MATMUL, [left, right], [output], (_Options.BatchMatMulOptions, options))
    return output


def softmax(graph: GraphBuilder, value: Tensor) -> Tensor:
    """exp(value) over its sum along the last axis."""
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    output = graph.tensor(graph.shape(value))
    graph.operator(_Op.SOFTMAX, [value], [output], (_Options.SoftmaxOptions, options))
    return output


def cosine(graph: GraphBuilder, value: Tensor) -> Tensor:
    """The cosine of angles in radians."""
    return ops.unary(graph, _Op.COS, value, (_Options.CosOptions, schema.CosOptionsT()))


def sine(graph: GraphBuilder, value: Tensor) -> Tensor:
    """The sine of angles in radians."""
    return ops.unary(graph, _Op.SIN, value)


def magnitude(graph: GraphBuilder, value: Tensor) -> Tensor:
    """|value|."""
    return ops.unary(graph, _Op.ABS, value, (_Options.AbsOptions, schema.AbsOptionsT()))


def sum_before(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N] -> [M, N]: the sum of all rows above each row."""
    options = schema.CumsumOptionsT()
    options.exclusive = True
    output = graph.tensor(graph.shape(value), graph.dtype(value))
    axis = graph.constant(0, np.int32)
    graph.operator(_Op.CUMSUM, [value, axis], [output], (_Options.CumsumOptions, options))
    return output


def to_int(graph: GraphBuilder, value: Tensor) -> Tensor:
    """A float32 tensor as int32."""
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = schema.TensorType.FLOAT32, schema.TensorType.INT32
    output = graph.tensor(graph.shape(value), np.int32)
    graph.operator(_Op.CAST, [value], [output], (_Options.CastOptions, options))
    return output
