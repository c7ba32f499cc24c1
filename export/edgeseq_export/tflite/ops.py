"""TFLite operators that compute, as functions: each appends one to a graph and returns its output tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export.quantize import FloatArray
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor

_Op = schema.BuiltinOperator
_Options = schema.BuiltinOptions

# FULLY_CONNECTED: 5 allows keep_num_dims in float, 9 asymmetric inputs of a hybrid product with one scale,
# 12 is the first version with per-channel hybrid int8. Older runtimes load a per-channel model that is
# marked as an older version and answer garbage.
_FC_VERSION_FLOAT = 5
_FC_VERSION_PER_TENSOR = 9
_FC_VERSION_PER_CHANNEL = 12
_DEQUANTIZE_VERSION = 5  # per-channel


def fully_connected(graph: GraphBuilder, rows: Tensor, weight: Tensor, bias: FloatArray | None) -> Tensor:
    """rows [M, K] @ weight [N, K].T + bias [N] -> [M, N] in float32."""
    return _fully_connected(graph, rows, weight, bias, _FC_VERSION_FLOAT)


def hybrid_fully_connected(
    graph: GraphBuilder, rows: Tensor, weight: Tensor, bias: FloatArray | None, *, per_channel: bool
) -> Tensor:
    """The same with an int8 weight; each row of activations is rounded to int8 on its own at run time."""
    version = _FC_VERSION_PER_CHANNEL if per_channel else _FC_VERSION_PER_TENSOR
    return _fully_connected(graph, rows, weight, bias, version)


def _fully_connected(
    graph: GraphBuilder, rows: Tensor, weight: Tensor, bias: FloatArray | None, version: int
) -> Tensor:
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    options.asymmetricQuantizeInputs = version != _FC_VERSION_FLOAT
    shape = (*graph.shape(rows)[:-1], graph.shape(weight)[0])
    output = graph.tensor(shape)
    inputs = [rows, weight, -1 if bias is None else graph.constant(bias, np.float32)]
    options_of_type = (_Options.FullyConnectedOptions, options)
    graph.operator(_Op.FULLY_CONNECTED, inputs, [output], options_of_type, version)
    return output


def add(graph: GraphBuilder, left: Tensor, right: Tensor) -> Tensor:
    """left + right, broadcast."""
    return _binary(graph, _Op.ADD, left, right, (_Options.AddOptions, schema.AddOptionsT()))


def subtract(graph: GraphBuilder, left: Tensor, right: Tensor) -> Tensor:
    """left - right, broadcast."""
    return _binary(graph, _Op.SUB, left, right, (_Options.SubOptions, schema.SubOptionsT()))


def multiply(graph: GraphBuilder, left: Tensor, right: Tensor) -> Tensor:
    """left * right, broadcast."""
    return _binary(graph, _Op.MUL, left, right, (_Options.MulOptions, schema.MulOptionsT()))


def divide(graph: GraphBuilder, left: Tensor, right: Tensor) -> Tensor:
    """left / right, broadcast."""
    return _binary(graph, _Op.DIV, left, right, (_Options.DivOptions, schema.DivOptionsT()))


def minimum(graph: GraphBuilder, left: Tensor, right: Tensor) -> Tensor:
    """The smaller of both."""
    options = (_Options.MaximumMinimumOptions, schema.MaximumMinimumOptionsT())
    return _binary(graph, _Op.MINIMUM, left, right, options)


def maximum(graph: GraphBuilder, left: Tensor, right: Tensor) -> Tensor:
    """The larger of both."""
    options = (_Options.MaximumMinimumOptions, schema.MaximumMinimumOptionsT())
    return _binary(graph, _Op.MAXIMUM, left, right, options)


def dequantize(graph: GraphBuilder, weight: Tensor) -> Tensor:
    """An int8 weight as float32; one operator for all that read it in this subgraph."""
    if weight not in graph.widened:
        graph.widened[weight] = graph.tensor(graph.shape(weight))
        options = (_Options.DequantizeOptions, schema.DequantizeOptionsT())
        graph.operator(_Op.DEQUANTIZE, [weight], [graph.widened[weight]], options, _DEQUANTIZE_VERSION)
    return graph.widened[weight]


def unary(graph: GraphBuilder, builtin: int, value: Tensor, options: tuple[int, Any] = (0, None)) -> Tensor:
    """One float32 tensor in, another of its shape out."""
    output = graph.tensor(graph.shape(value))
    graph.operator(builtin, [value], [output], options)
    return output


def sigmoid(graph: GraphBuilder, value: Tensor) -> Tensor:
    """1 / (1 + exp(-value))."""
    return unary(graph, _Op.LOGISTIC, value)


def tanh(graph: GraphBuilder, value: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return unary(graph, _Op.TANH, value)


def relu(graph: GraphBuilder, value: Tensor) -> Tensor:
    """The larger of value and 0."""
    return unary(graph, _Op.RELU, value)


def gelu(graph: GraphBuilder, value: Tensor) -> Tensor:
    """value * Phi(value) with the exact error function."""
    return unary(graph, _Op.GELU, value, (_Options.GeluOptions, schema.GeluOptionsT()))


def root(graph: GraphBuilder, value: Tensor) -> Tensor:
    """sqrt(value)."""
    return unary(graph, _Op.SQRT, value)


def inverse_root(graph: GraphBuilder, value: Tensor) -> Tensor:
    """1 / sqrt(value)."""
    return unary(graph, _Op.RSQRT, value)


def sum_rows(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N] -> [1, N]."""
    return _reduce(graph, _Op.SUM, value, 0)


def sum_columns(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N, ..] -> [M, 1, ..]."""
    return _reduce(graph, _Op.SUM, value, 1)


def max_rows(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N] -> [1, N]."""
    return _reduce(graph, _Op.REDUCE_MAX, value, 0)


def mean_rows(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N] -> [1, N]."""
    return _reduce(graph, _Op.MEAN, value, 0)


def mean_columns(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N] -> [M, 1]."""
    return _reduce(graph, _Op.MEAN, value, 1)


def _binary(
    graph: GraphBuilder, builtin: int, left: Tensor, right: Tensor, options: tuple[int, Any]
) -> Tensor:
    shape = np.broadcast_shapes(graph.shape(left), graph.shape(right))
    output = graph.tensor(shape, graph.dtype(left))
    graph.operator(builtin, [left, right], [output], options)
    return output


def _reduce(graph: GraphBuilder, builtin: int, value: Tensor, axis: int) -> Tensor:
    options = schema.ReducerOptionsT()
    options.keepDims = True
    shape = list(graph.shape(value))
    shape[axis] = 1
    output = graph.tensor(tuple(shape))
    axes = graph.constant([axis], np.int32)
    graph.operator(builtin, [value, axes], [output], (_Options.ReducerOptions, options))
    return output
