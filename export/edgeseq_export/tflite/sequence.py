"""The sequence form: which layers become loops over time, and which take all rows at once.

The layers before the Pool layer fall into segments, in order:
- a run: layers without a look ahead, at least one of them recurrent -> one loop over time (`time_loop`).
  Linear, Norm, CausalConv and Residual layers beside a recurrent one are in its loop. A Pool layer (last,
  mean, max) behind a run is in its loop too: then nothing that is as long as the sequence is kept.
- a bidirectional layer -> the loop of each direction, the backward one over the rows in reverse order; a
  Pool layer behind it is in both loops.
- any other layer on its own, on all [T, F] rows.
A Pool layer that takes one row moves before the row-wise layers in front of it: they then work on that row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    ClassToken,
    Layer,
    Linear,
    Norm,
    Pool,
    Positions,
    Recurrent,
    Residual,
)
from edgeseq_export.spec import cells, reads_ahead, walk
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.attention import lower_attention, lower_class_token, lower_positions
from edgeseq_export.tflite.chunk import Forms, advance
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.recurrent import States
from edgeseq_export.tflite.rows import lower_conv
from edgeseq_export.tflite.time_loop import Run, loop_over_time


def lower_sequence(
    graph: GraphBuilder, layers: tuple[Layer, ...], forms: Forms, rows: Tensor, behind: States | None = None
) -> Tensor:
    """rows [T, F] through layers with one Pool layer among them -> [1, C].

    behind: where given, the states behind the last frame are added to it by name.

    Raises ValueError naming a layer that has no such form.
    """
    before, pool, following = _around_pool(layers)
    segments = list(_segments(before))
    inside = pool.kind != "first" and bool(segments) and _is_loop(segments[-1])
    for segment in segments[:-1] if inside else segments:
        rows = _lower_segment(graph, segment, forms, rows, None, behind)
    if inside:
        vector = _lower_segment(graph, segments[-1], forms, rows, pool, behind)
    else:
        vector = _pool_rows(graph, pool, rows)
    return advance(graph, following, forms, vector, {})[0]


def _around_pool(layers: tuple[Layer, ...]) -> tuple[tuple[Layer, ...], Pool, tuple[Layer, ...]]:
    """The layers before the Pool layer, itself, and behind it."""
    at, pool = next((number, layer) for number, layer in enumerate(layers) if isinstance(layer, Pool))
    start = at
    while pool.kind in ("last", "first") and start and _is_row_wise(layers[start - 1]):
        start -= 1
    if pool.kind == "last" and start and _is_bidirectional(layers[start - 1]):
        start = at  # directly behind such a layer it would mean the final state of each direction
    return layers[:start], pool, layers[start:at] + layers[at + 1 :]


def _segments(layers: tuple[Layer, ...]) -> Iterator[tuple[Layer, ...]]:
    run: tuple[Layer, ...] = ()
    for layer in layers:
        if _goes_by_frames(layer):
            run += (layer,)
        else:
            yield from _close(run)
            yield (layer,)
            run = ()
    yield from _close(run)


def _close(run: tuple[Layer, ...]) -> Iterator[tuple[Layer, ...]]:
    """One segment where the run holds a recurrent layer, else each layer on its own."""
    if _has_recurrent(run):
        yield run
    else:
        yield from ((layer,) for layer in run)


def _has_recurrent(layers: tuple[Layer, ...]) -> bool:
    return any(isinstance(layer, (GRU, LSTM)) for layer in walk(layers))


def _goes_by_frames(layer: Layer) -> bool:
    """Whether a loop over time can hold the layer. Attention goes faster over all rows at once."""
    kinds = (GRU, LSTM, Linear, Norm, CausalConv, Residual)
    return not reads_ahead(layer) and all(isinstance(each, kinds) for each in walk((layer,)))


def _is_row_wise(layer: Layer) -> bool:
    return all(isinstance(each, (Linear, Norm, Residual)) for each in walk((layer,)))


def _is_bidirectional(layer: Layer) -> bool:
    return isinstance(layer, (GRU, LSTM)) and layer.backward is not None


def _is_loop(segment: tuple[Layer, ...]) -> bool:
    return _is_bidirectional(segment[0]) or (_has_recurrent(segment) and _goes_by_frames(segment[-1]))


def _lower_segment(
    graph: GraphBuilder,
    segment: tuple[Layer, ...],
    forms: Forms,
    rows: Tensor,
    pool: Pool | None,
    behind: States | None,
) -> Tensor:
    """All rows [T, F'], or [1, F'] where the segment is a loop and a Pool layer ends it."""
    first = segment[0]
    if isinstance(first, (GRU, LSTM)) and first.backward is not None:
        return _lower_directions(graph, first, forms, rows, pool)
    if _is_loop(segment):
        return loop_over_time(graph, Run(first.name, segment, pool), forms, rows, behind)
    return _lower_whole(graph, first, forms, rows, behind)


def _lower_directions(
    graph: GraphBuilder, layer: Recurrent, forms: Forms, rows: Tensor, pool: Pool | None
) -> Tensor:
    outs = []
    for direction, cell in cells(layer).items():
        alone = replace(layer, name=f"{layer.name}.{direction}", forward=cell, backward=None)
        turned = shape_ops.reverse_rows(graph, rows) if direction == "backward" else rows
        own_forms = {**forms, alone.name: forms[layer.name]}
        out = loop_over_time(graph, Run(alone.name, (alone,), pool), own_forms, turned)
        outs.append(shape_ops.reverse_rows(graph, out) if direction == "backward" and pool is None else out)
    return shape_ops.concatenate(graph, outs, 1)


def _lower_whole(
    graph: GraphBuilder, layer: Layer, forms: Forms, rows: Tensor, behind: States | None
) -> Tensor:
    """One layer on all rows [T, F]."""
    if isinstance(layer, Residual):
        inner = rows
        for segment in _segments(layer.layers):
            inner = _lower_segment(graph, segment, forms, inner, None, behind)
        return ops.add(graph, rows, inner)
    if isinstance(layer, Attention):
        return lower_attention(graph, layer, rows, forms[layer.name].product, behind)
    if isinstance(layer, Positions):
        return lower_positions(graph, layer, rows)
    if isinstance(layer, ClassToken):
        return lower_class_token(graph, layer, rows)
    if isinstance(layer, CausalConv):
        before = np.zeros((layer.kernel - 1, graph.shape(rows)[1]))
        frames = graph.constant(before, np.float32) if len(before) else None
        out, joined = lower_conv(graph, layer, rows, frames, forms[layer.name].product)
        if behind is not None and len(before):
            behind[f"{layer.name}.frames"] = shape_ops.last_rows(graph, joined, len(before))
        return out
    return advance(graph, (layer,), forms, rows, {})[0]


def _pool_rows(graph: GraphBuilder, layer: Pool, rows: Tensor) -> Tensor:
    """[T, F] -> [1, F]."""
    if layer.kind == "mean":
        return ops.mean_rows(graph, rows)
    if layer.kind == "max":
        return ops.max_rows(graph, rows)
    if layer.kind == "last":
        return shape_ops.last_row(graph, rows)
    return shape_ops.crop(graph, rows, (0, 0), (1, graph.shape(rows)[1]))
