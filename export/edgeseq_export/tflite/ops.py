"""TFLite operators as functions: each appends one operator to a graph and returns its output tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export.quantize import FloatArray, QuantizedTensor, Weight
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Shape, Tensor

_Op = schema.BuiltinOperator
_Options = schema.BuiltinOptions

# FULLY_CONNECTED: 5 allows keep_num_dims in float, 12 is the first version with per-channel hybrid int8.
# Older runtimes load a per-channel model that is marked as an older version and answer garbage.
_FC_VERSION_FLOAT = 5
_FC_VERSION_PER_CHANNEL = 12


def fully_connected(
    graph: GraphBuilder, rows: Tensor, weight: Weight, bias: FloatArray | None, name: str
) -> Tensor:
    """rows [M, K] @ weight [N, K].T + bias [N] -> [M, N]; hybrid int8 where the weight is quantized."""
    int8 = isinstance(weight, QuantizedTensor)
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    options.asymmetricQuantizeInputs = int8
    output = graph.tensor((*graph.shape(rows)[:-1], weight.shape[0]), name=f"{name}.out")
    graph.operator(
        _Op.FULLY_CONNECTED,
        [rows, graph.weight(weight, name), -1 if bias is None else graph.constant(bias, np.float32)],
        [output],
        (_Options.FullyConnectedOptions, options),
        _FC_VERSION_PER_CHANNEL if int8 else _FC_VERSION_FLOAT,
    )
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


def sigmoid(graph: GraphBuilder, value: Tensor) -> Tensor:
    """1 / (1 + exp(-value))."""
    return _unary(graph, _Op.LOGISTIC, value)


def tanh(graph: GraphBuilder, value: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return _unary(graph, _Op.TANH, value)


def split(graph: GraphBuilder, value: Tensor, parts: int) -> list[Tensor]:
    """Equal parts of the last axis."""
    *rest, width = graph.shape(value)
    options = schema.SplitOptionsT()
    options.numSplits = parts
    outputs = [graph.tensor((*rest, width // parts), graph.dtype(value)) for _ in range(parts)]
    axis = graph.constant(len(rest), np.int32)
    graph.operator(_Op.SPLIT, [axis, value], outputs, (_Options.SplitOptions, options))
    return outputs


def concatenate(graph: GraphBuilder, values: Sequence[Tensor], axis: int) -> Tensor:
    """The values joined along an axis."""
    shape = list(graph.shape(values[0]))
    shape[axis] = sum(graph.shape(value)[axis] for value in values)
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    output = graph.tensor(tuple(shape), graph.dtype(values[0]))
    graph.operator(_Op.CONCATENATION, values, [output], (_Options.ConcatenationOptions, options))
    return output


def rows_at(graph: GraphBuilder, value: Tensor, row: Tensor, count: int) -> Tensor:
    """value[row : row + count] of a matrix, row an int32 [1] tensor; the caller keeps it inside."""
    begin = concatenate(graph, [row, graph.constant([0], np.int32)], 0)
    output = graph.tensor((count, *graph.shape(value)[1:]), graph.dtype(value))
    return _slice(graph, value, begin, graph.shape(output), output)


def crop(graph: GraphBuilder, value: Tensor, begin: Shape, size: Shape) -> Tensor:
    """value[begin : begin + size]; a size of -1 is all the rest of an axis, however long at run time."""
    shape = tuple(
        full - start if length == -1 else length
        for full, start, length in zip(graph.shape(value), begin, size, strict=True)
    )
    # the kernel keeps a fully known output shape as it is, even when the input was resized
    output = graph.tensor(shape, graph.dtype(value), signature=size)
    return _slice(graph, value, graph.constant(begin, np.int32), size, output)


def pad(graph: GraphBuilder, value: Tensor, after: Shape, fill: float = 0.0) -> Tensor:
    """value with `after` more rows and columns of `fill` behind each axis."""
    shape = tuple(size + more for size, more in zip(graph.shape(value), after, strict=True))
    output = graph.tensor(shape, graph.dtype(value))
    paddings = graph.constant([[0, more] for more in after], np.int32)
    constant = graph.constant(fill, np.float32)
    graph.operator(
        _Op.PADV2, [value, paddings, constant], [output], (_Options.PadV2Options, schema.PadV2OptionsT())
    )
    return output


def reverse_rows(graph: GraphBuilder, value: Tensor) -> Tensor:
    """value[::-1]."""
    output = graph.tensor(graph.shape(value), graph.dtype(value))
    options = (_Options.ReverseV2Options, schema.ReverseV2OptionsT())
    graph.operator(_Op.REVERSE_V2, [value, graph.constant([0], np.int32)], [output], options)
    return output


def write_rows(graph: GraphBuilder, target: Tensor, rows: Tensor, row: Tensor) -> Tensor:
    """A copy of target [M, N] with rows [K, N] written at row, an int32 [1] tensor."""
    begin = concatenate(graph, [row, graph.constant([0], np.int32)], 0)
    output = graph.tensor(graph.shape(target), graph.dtype(target))
    graph.operator(_Op.DYNAMIC_UPDATE_SLICE, [target, rows, begin], [output])
    return output


def filled(graph: GraphBuilder, shape: Shape, fill: float) -> Tensor:
    """A float32 tensor full of one value, made at run time so that it takes no room in the file."""
    output = graph.tensor(shape)
    options = (_Options.FillOptions, schema.FillOptionsT())
    graph.operator(
        _Op.FILL, [graph.constant(shape, np.int32), graph.constant(fill, np.float32)], [output], options
    )
    return output


def flatten_batch(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[1, T, I] -> [T, I]."""
    shape = graph.shape(value)[1:]
    options = schema.ReshapeOptionsT()
    options.newShape = [-1, *shape[1:]]
    output = graph.tensor(shape, graph.dtype(value))
    target = graph.constant(options.newShape, np.int32)
    graph.operator(_Op.RESHAPE, [value, target], [output], (_Options.ReshapeOptions, options))
    return output


def row_count(graph: GraphBuilder, value: Tensor) -> Tensor:
    """The length of the first axis as an int32 [1] tensor."""
    options = schema.ShapeOptionsT()
    options.outType = schema.TensorType.INT32
    shape = graph.tensor((len(graph.shape(value)),), np.int32)
    graph.operator(_Op.SHAPE, [value], [shape], (_Options.ShapeOptions, options))
    output = graph.tensor((1,), np.int32)
    return _slice(graph, shape, graph.constant([0], np.int32), (1,), output)


def to_float(graph: GraphBuilder, value: Tensor) -> Tensor:
    """An int32 tensor as float32."""
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = schema.TensorType.INT32, schema.TensorType.FLOAT32
    output = graph.tensor(graph.shape(value))
    graph.operator(_Op.CAST, [value], [output], (_Options.CastOptions, options))
    return output


def sum_rows(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N] -> [1, N]."""
    return _reduce_rows(graph, _Op.SUM, value)


def max_rows(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, N] -> [1, N]."""
    return _reduce_rows(graph, _Op.REDUCE_MAX, value)


def while_below(
    graph: GraphBuilder,
    name: str,
    limit: Tensor,
    step: int,
    constant: Sequence[Tensor],
    carried: Sequence[Tensor],
    body: Callable[[GraphBuilder, Tensor, list[Tensor], list[Tensor]], Sequence[Tensor]],
) -> list[Tensor]:
    """`for i in range(0, limit, step): carried = body(i, constant, carried)`; returns the last carried.

    limit: int32 [1]. body(graph, i, constant, carried) builds one turn in a subgraph of its own. The
    constant tensors go in unchanged and are not consumed behind the loop, so the runtime shares them
    with the body instead of copying them at each turn.
    """
    start = graph.constant([0], np.int32)
    inputs = [start, limit, *constant, *carried]
    condition = graph.model.subgraph(f"{name}.while")
    mirrored = _mirror(graph, condition, inputs)
    below = condition.tensor((1,), np.bool_)
    less = (_Options.LessOptions, schema.LessOptionsT())
    condition.operator(_Op.LESS, [mirrored[0], mirrored[1]], [below], less)
    condition.packed.outputs = [below]

    inner = graph.model.subgraph(f"{name}.body")
    i, inner_limit, *rest = _mirror(graph, inner, inputs)
    fixed, state = rest[: len(constant)], rest[len(constant) :]
    state = list(body(inner, i, fixed, state))
    following = add(inner, i, inner.constant([step], np.int32))
    inner.packed.outputs = [following, inner_limit, *fixed, *state]

    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = condition.index, inner.index
    outputs = [graph.tensor(graph.shape(tensor), graph.dtype(tensor)) for tensor in inputs]
    graph.operator(_Op.WHILE, inputs, outputs, (_Options.WhileOptions, options))
    return outputs[2 + len(constant) :]


def _mirror(outer: GraphBuilder, inner: GraphBuilder, tensors: Sequence[Tensor]) -> list[Tensor]:
    return [inner.input(outer.shape(tensor), outer.dtype(tensor)) for tensor in tensors]


def _binary(
    graph: GraphBuilder, builtin: int, left: Tensor, right: Tensor, options: tuple[int, Any]
) -> Tensor:
    shape = np.broadcast_shapes(graph.shape(left), graph.shape(right))
    output = graph.tensor(shape, graph.dtype(left))
    graph.operator(builtin, [left, right], [output], options)
    return output


def _unary(graph: GraphBuilder, builtin: int, value: Tensor) -> Tensor:
    output = graph.tensor(graph.shape(value))
    graph.operator(builtin, [value], [output])
    return output


def _slice(graph: GraphBuilder, value: Tensor, begin: Tensor, size: npt.ArrayLike, output: Tensor) -> Tensor:
    options = (_Options.SliceOptions, schema.SliceOptionsT())
    graph.operator(_Op.SLICE, [value, begin, graph.constant(size, np.int32)], [output], options)
    return output


def _reduce_rows(graph: GraphBuilder, builtin: int, value: Tensor) -> Tensor:
    options = schema.ReducerOptionsT()
    options.keepDims = True
    output = graph.tensor((1, *graph.shape(value)[1:]))
    axis = graph.constant([0], np.int32)
    graph.operator(builtin, [value, axis], [output], (_Options.ReducerOptions, options))
    return output
