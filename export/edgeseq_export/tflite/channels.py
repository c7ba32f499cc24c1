"""The channels of a forecaster side by side: what its layers do for each alone, done for all at once.

Rows of C channels are [T * C, F], those of one moment behind each other: so a moment's are one piece, a
matrix product takes all of them, and a recurrent state is [C, H]. All shapes are known when the graph is
written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edgeseq_export.forms import LayerForm, Product
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    Layer,
    Linear,
    Norm,
    ParallelSteps,
    Patches,
    PerChannel,
    Pool,
    Positions,
    Recurrent,
    Residual,
    Reversible,
)
from edgeseq_export.quantize import FloatArray
from edgeseq_export.reference import patch_moments
from edgeseq_export.spec import SeqSpec, channels_of, frames_behind
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.attention import lower_attention
from edgeseq_export.tflite.chunk import Forms
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.products import multiply_rows
from edgeseq_export.tflite.recurrent import States, advance_recurrent
from edgeseq_export.tflite.rows import lower_linear, lower_norm


def lower_forecaster(graph: GraphBuilder, spec: SeqSpec, forms: Forms, rows: Tensor) -> Tensor:
    """rows [T, C] -> [H, C]. Raises ValueError naming a layer that has no form for channels side by side."""
    channels = channels_of(spec)
    if channels is None:
        raise ValueError(f"{spec.layers[0].name}: is no forecaster of one PerChannel layer")
    inner = partial(_per_channel, graph, channels, forms)
    outer = spec.layers[0]
    return _reversible(graph, outer, rows, inner) if isinstance(outer, Reversible) else inner(rows)


def _per_channel(graph: GraphBuilder, layer: PerChannel, forms: Forms, rows: Tensor) -> Tensor:
    T, C = graph.shape(rows)
    apart = _Channels(shape_ops.reshape(graph, rows, (T * C, 1)), C)
    return shape_ops.transpose(graph, _lower_layers(graph, layer.layers, forms, apart).rows, (1, 0))


def _reversible(
    graph: GraphBuilder, layer: Reversible, rows: Tensor, inner: Callable[[Tensor], Tensor]
) -> Tensor:
    """What is taken from a channel, or divides it, is [1, C]."""
    T, C = graph.shape(rows)
    if layer.kind == "last":
        last = shape_ops.crop(graph, rows, (T - 1, 0), (1, C))
        return ops.add(graph, inner(ops.subtract(graph, rows, last)), last)
    mean = ops.mean_rows(graph, rows)
    centred = ops.subtract(graph, rows, mean)
    variance = ops.mean_rows(graph, ops.multiply(graph, centred, centred))
    scale = ops.root(graph, ops.add(graph, variance, graph.constant(layer.epsilon, np.float32)))
    answers = inner(ops.divide(graph, centred, scale))
    return ops.add(graph, ops.multiply(graph, answers, scale), mean)


@dataclass(frozen=True)
class _Channels:
    """rows: [T * C, F], or [C, F] behind a Pool; states: [C, H] behind the recurrent layer just before."""

    rows: Tensor
    count: int
    states: States | None = None

    def by_moment(self, graph: GraphBuilder) -> Tensor:
        """[T, C, F]."""
        rows, width = graph.shape(self.rows)
        return shape_ops.reshape(graph, self.rows, (rows // self.count, self.count, width))


def _lower_layers(
    graph: GraphBuilder, layers: tuple[Layer, ...], forms: Forms, channels: _Channels
) -> _Channels:
    for layer, following in zip(layers, (*layers[1:], None), strict=True):
        form = forms[layer.name]
        if isinstance(layer, (GRU, LSTM)):
            channels = _recurrent(graph, layer, form, channels, following)
        elif isinstance(layer, ParallelSteps):
            channels = replace(
                channels, rows=_parallel_steps(graph, layer, form.product, channels.states or {})
            )
        elif isinstance(layer, Residual):
            inner = _lower_layers(graph, layer.layers, forms, channels)
            channels = replace(channels, rows=ops.add(graph, channels.rows, inner.rows))
        else:
            channels = replace(channels, rows=_rows_behind(graph, layer, form.product, channels))
    return channels


def _rows_behind(graph: GraphBuilder, layer: Layer, product: Product, channels: _Channels) -> Tensor:
    if isinstance(layer, Linear):
        return lower_linear(graph, layer, channels.rows, product)
    if isinstance(layer, Norm):
        return lower_norm(graph, layer, channels.rows)
    if isinstance(layer, Attention):
        return lower_attention(graph, layer, channels.rows, product, sequences=channels.count)
    if isinstance(layer, Positions):
        return _positions(graph, layer, channels)
    if isinstance(layer, Patches):
        return _patches(graph, layer, channels)
    if isinstance(layer, Pool):
        return _pool(graph, layer, channels)
    raise ValueError(f"{layer.name}: {type(layer).__name__} has no form for channels side by side")


def _recurrent(
    graph: GraphBuilder, layer: Recurrent, form: LayerForm, channels: _Channels, following: Layer | None
) -> _Channels:
    """All moments in one chunk. Behind them the last rows alone, where nothing reads the others."""
    zeros = graph.constant(np.zeros((channels.count, layer.forward.hidden)), np.float32)
    before = dict.fromkeys(("h",) if isinstance(layer, GRU) else ("h", "c"), zeros)
    reads_last = isinstance(following, Pool) and following.kind == "last"
    last_only = reads_last or isinstance(following, ParallelSteps)
    rows, states = advance_recurrent(graph, layer, form, channels.rows, before, last_only=last_only)
    return _Channels(rows, channels.count, states)


def _parallel_steps(graph: GraphBuilder, layer: ParallelSteps, product: Product, states: States) -> Tensor:
    """[M * C, H]; the product of the state is that of all steps."""
    h = states["h"]
    C, H = graph.shape(h)
    gru = "c" not in states
    bias = layer.bias_hh if gru else None
    inputs = (layer.inputs if gru else layer.inputs + layer.bias_hh)[:, None]  # [M, 1, G*H]
    recurrent = multiply_rows(graph, h, layer.weight_hh, bias, product, f"{layer.name}.weight_hh")
    after = (_gru_steps if gru else _lstm_steps)(graph, inputs, recurrent, states)
    return shape_ops.reshape(graph, after, (len(inputs) * C, H))


def _gru_steps(graph: GraphBuilder, inputs: FloatArray, recurrent: Tensor, states: States) -> Tensor:
    """inputs [M, 1, 3H], recurrent [C, 3H] -> [M, C, H]."""
    h = states["h"]
    C, H = graph.shape(h)
    opening, candidate = (graph.constant(part, np.float32) for part in np.split(inputs, [2 * H], axis=2))
    gates = ops.add(graph, opening, shape_ops.crop(graph, recurrent, (0, 0), (C, 2 * H)))
    r, z = shape_ops.split(graph, ops.sigmoid(graph, gates), 2)
    reset = ops.multiply(graph, r, shape_ops.crop(graph, recurrent, (0, 2 * H), (C, H)))
    n = ops.tanh(graph, ops.add(graph, candidate, reset))
    return ops.add(graph, n, ops.multiply(graph, z, ops.subtract(graph, h, n)))


def _lstm_steps(graph: GraphBuilder, inputs: FloatArray, recurrent: Tensor, states: States) -> Tensor:
    """inputs [M, 1, 4H], recurrent [C, 4H] -> [M, C, H]."""
    gates = ops.add(graph, graph.constant(inputs, np.float32), recurrent)
    i, f, g, o = shape_ops.split(graph, gates, 4)
    kept = ops.multiply(graph, ops.sigmoid(graph, f), states["c"])
    new = ops.multiply(graph, ops.sigmoid(graph, i), ops.tanh(graph, g))
    return ops.multiply(graph, ops.sigmoid(graph, o), ops.tanh(graph, ops.add(graph, kept, new)))


def _patches(graph: GraphBuilder, layer: Patches, channels: _Channels) -> Tensor:
    """[T * C, 1] -> [P * C, length]; a RESHAPE in place of a GATHER where they are all moments once."""
    C = channels.count
    T = graph.shape(channels.rows)[0] // C
    P, length = frames_behind(layer, T), layer.length
    moments = shape_ops.reshape(graph, channels.rows, (T, C))
    if layer.stride == length and P * length == T:
        apart = shape_ops.reshape(graph, moments, (P, length, C))
    else:
        numbers = graph.constant(patch_moments(layer, T), np.int32, f"{layer.name}.moments")
        apart = shape_ops.take_rows(graph, moments, numbers)
    return shape_ops.reshape(graph, shape_ops.transpose(graph, apart, (0, 2, 1)), (P * C, length))


def _positions(graph: GraphBuilder, layer: Positions, channels: _Channels) -> Tensor:
    apart = channels.by_moment(graph)
    table = graph.constant(layer.table[: graph.shape(apart)[0], None], np.float32, f"{layer.name}.table")
    return shape_ops.reshape(graph, ops.add(graph, apart, table), graph.shape(channels.rows))


def _pool(graph: GraphBuilder, layer: Pool, channels: _Channels) -> Tensor:
    """[T * C, F] -> [C, F], or [C, T * F] of all rows behind each other."""
    rows, C = channels.rows, channels.count
    count, width = graph.shape(rows)
    if layer.kind in ("first", "last"):
        begin = count - C if layer.kind == "last" else 0
        return shape_ops.crop(graph, rows, (begin, 0), (C, width))
    if layer.kind == "all":
        by_channel = shape_ops.transpose(graph, channels.by_moment(graph), (1, 0, 2))
        return shape_ops.reshape(graph, by_channel, (C, count // C * width))
    reduce = ops.mean_rows if layer.kind == "mean" else ops.max_rows
    moments = shape_ops.reshape(graph, rows, (count // C, C * width))
    return shape_ops.reshape(graph, reduce(graph, moments), (C, width))
