"""TFLite operators that compute nothing, as functions like those of `ops`: cut, join, pick, pad, turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export.tflite.flatbuffer import GraphBuilder, Shape, Tensor

_Op = schema.BuiltinOperator
_Options = schema.BuiltinOptions


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


def rows_between(graph: GraphBuilder, value: Tensor, before: int, behind: int) -> Tensor:
    """value [M, F] without the first `before` and the last `behind` rows, M known at run time only."""
    if not before and not behind:
        return value
    options = schema.StridedSliceOptionsT()
    options.endMask = 0b10 if behind else 0b11
    rows, width = graph.shape(value)
    output = graph.tensor((max(1, rows - before - behind), width), graph.dtype(value))
    ends = [[before, 0], [-behind, 0], [1, 1]]
    inputs = [value, *(graph.constant(each, np.int32) for each in ends)]
    graph.operator(_Op.STRIDED_SLICE, inputs, [output], (_Options.StridedSliceOptions, options))
    return output


def last_row(graph: GraphBuilder, value: Tensor) -> Tensor:
    """[M, F] -> [1, F], M known at run time only."""
    return last_rows(graph, value, 1)


def last_rows(graph: GraphBuilder, value: Tensor, count: int) -> Tensor:
    """[M >= count, F] -> [count, F], M known at run time only."""
    options = schema.StridedSliceOptionsT()
    options.endMask = 0b11
    output = graph.tensor((count, graph.shape(value)[1]), graph.dtype(value))
    inputs = [value, *(graph.constant(each, np.int32) for each in ([-count, 0], [0, 0], [1, 1]))]
    graph.operator(_Op.STRIDED_SLICE, inputs, [output], (_Options.StridedSliceOptions, options))
    return output


def pad(
    graph: GraphBuilder, value: Tensor, after: Shape, fill: float = 0.0, *, before: Shape = (0, 0)
) -> Tensor:
    """value with `before` more rows and columns of `fill` in front of each axis, `after` behind."""
    more = tuple(zip(before, after, strict=True))
    shape = tuple(size + sum(each) for size, each in zip(graph.shape(value), more, strict=True))
    output = graph.tensor(shape, graph.dtype(value))
    paddings = graph.constant(more, np.int32)
    constant = graph.constant(fill, np.float32)
    graph.operator(
        _Op.PADV2, [value, paddings, constant], [output], (_Options.PadV2Options, schema.PadV2OptionsT())
    )
    return output


def take_rows(graph: GraphBuilder, table: Tensor, rows: Tensor) -> Tensor:
    """table [R, ..], rows [..] int32 -> [.., ..] of the table's type.

    A row outside the table stops the run with an error.
    """
    output = graph.tensor((*graph.shape(rows), *graph.shape(table)[1:]), graph.dtype(table))
    graph.quantize_as(output, table)
    version = 2 if graph.dtype(table) == np.int8 else 1
    graph.operator(
        _Op.GATHER, [table, rows], [output], (_Options.GatherOptions, schema.GatherOptionsT()), version
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


def reshape(graph: GraphBuilder, value: Tensor, shape: Shape) -> Tensor:
    """The same numbers in another shape; -1 is as long as it needs to be at run time."""
    known = -int(np.prod(shape))
    full = int(np.prod(graph.shape(value)))
    options = schema.ReshapeOptionsT()
    options.newShape = list(shape)
    output = graph.tensor(tuple(full // known if size == -1 else size for size in shape), graph.dtype(value))
    target = graph.constant(shape, np.int32)
    graph.operator(_Op.RESHAPE, [value, target], [output], (_Options.ReshapeOptions, options))
    return output


def transpose(graph: GraphBuilder, value: Tensor, order: Shape) -> Tensor:
    """Axis order[i] of value becomes axis i."""
    output = graph.tensor(tuple(graph.shape(value)[axis] for axis in order), graph.dtype(value))
    options = (_Options.TransposeOptions, schema.TransposeOptionsT())
    graph.operator(_Op.TRANSPOSE, [value, graph.constant(order, np.int32)], [output], options)
    return output


def row_count(graph: GraphBuilder, value: Tensor) -> Tensor:
    """The length of the first axis as an int32 [1] tensor."""
    options = schema.ShapeOptionsT()
    options.outType = schema.TensorType.INT32
    shape = graph.tensor((len(graph.shape(value)),), np.int32)
    graph.operator(_Op.SHAPE, [value], [shape], (_Options.ShapeOptions, options))
    output = graph.tensor((1,), np.int32)
    return _slice(graph, shape, graph.constant([0], np.int32), (1,), output)


def _slice(graph: GraphBuilder, value: Tensor, begin: Tensor, size: npt.ArrayLike, output: Tensor) -> Tensor:
    options = (_Options.SliceOptions, schema.SliceOptionsT())
    graph.operator(_Op.SLICE, [value, begin, graph.constant(size, np.int32)], [output], options)
    return output
