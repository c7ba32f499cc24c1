"""What fits together in a SeqSpec: every writer and the reference interpreter ask here first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgeseq_device.tensors import FEATURES, LENGTHS, LOGITS
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Cell,
    ClassToken,
    Embedding,
    Layer,
    Linear,
    Norm,
    ParallelSteps,
    Patches,
    PerChannel,
    Pool,
    Positions,
    Residual,
    Reversible,
)
from edgeseq_export.quantize import INT8_MAX, QuantizedTensor, Weight
from edgeseq_export.spec import SeqSpec, cells, channels_of, frames_behind, parameters, walk, width_behind
from edgeseq_export.state import why_no_prefill

ACTIVATIONS = ("none", "relu", "gelu")
_RESERVED = (FEATURES, LENGTHS, LOGITS)
POOLINGS = ("last", "mean", "max", "first", "all")
NORMALISATIONS = ("last", "standard")
_OF_FORECASTERS = (Patches, ParallelSteps, PerChannel, Reversible)
_IN_CHANNELS = (GRU, LSTM, Linear, Norm, Attention, Positions, Residual, Pool, Patches, ParallelSteps)
"""What PerChannel has a form for, of every channel beside the others."""


def check_spec(spec: SeqSpec) -> None:
    """Raises ValueError naming a layer or weight of a wrong name, number, shape or place."""
    names = [layer.name for layer in walk(spec.layers)]
    for name in names:
        if names.count(name) > 1 or not name:
            raise ValueError(f"two layers are called {name!r}; a name stands for one layer")
        free = name not in _RESERVED and not name.startswith("/")
        _need(free, name, "a model file needs this name itself; rename the layer")
    for name, weight in parameters(spec).items():
        _check_numbers(name, weight)
    for layer in list(walk(spec.layers))[1:]:
        _need(not isinstance(layer, Embedding), layer.name, "an Embedding is a model's first layer or none")
    reason = why_no_prefill(spec) if spec.carries else None
    if reason:
        raise ValueError(f"no sequence form that gives its states: {reason}")
    if spec.frames is not None:
        _check_forecaster(spec, spec.frames)
        return
    if spec.horizon != 1:
        raise ValueError(
            f"horizon is {spec.horizon}: only a forecaster, of a known number of frames, has one"
        )
    behind = _chain(spec.layers, _Place(spec.input_features))
    if not behind.pooled:
        raise ValueError("no Pool layer: a classifier needs one, behind the layers over frames")
    if behind.width != len(spec.labels):
        raise ValueError(f"{behind.width} outputs do not fit {len(spec.labels)} labels")


def _check_numbers(name: str, weight: Weight) -> None:
    """The arrays of a QuantizedTensor may have changed since it was made: they are looked at again."""
    numbers = weight.scale if isinstance(weight, QuantizedTensor) else weight
    _need(bool(np.isfinite(numbers).all()), name, "weight holds NaN or infinity")
    if isinstance(weight, QuantizedTensor):
        _need(bool((weight.scale > 0).all()), name, "a scale is not above zero")
        in_range = bool((weight.values >= -INT8_MAX).all())
        _need(in_range, name, "a weight of -128 overflows the int8 kernels of cores without dotprod")


@dataclass(frozen=True)
class _Place:
    """What is between two layers. frames: how many rows, where that is known; pooled: they are one vector."""

    width: int
    frames: int | None = None
    pooled: bool = False


def _check_forecaster(spec: SeqSpec, frames: int) -> None:
    if frames < 1 or spec.horizon < 1:
        raise ValueError(f"{frames} frames in, {spec.horizon} out: a forecaster has at least one of both")
    channels = channels_of(spec)
    if channels is None:
        raise ValueError("a forecaster is one PerChannel layer, or one in a Reversible layer, nothing else")
    outer = spec.layers[0]
    if isinstance(outer, Reversible):
        _need(outer.kind in NORMALISATIONS, outer.name, f"normalisation {outer.kind!r} is not known")
        _need(outer.epsilon > 0, outer.name, f"epsilon is {outer.epsilon}; it must be above 0")
    count = len(spec.labels)
    _need(spec.input_features == count, channels.name, f"{spec.input_features} channels in, {count} labels")
    for layer in walk(channels.layers):
        kind = type(layer).__name__
        _need(isinstance(layer, _IN_CHANNELS), layer.name, f"{kind} has no form inside PerChannel")
        both_ways = isinstance(layer, (GRU, LSTM)) and layer.backward is not None
        _need(not both_ways, layer.name, "a backward cell has no form inside PerChannel")
    behind = _chain(channels.layers, _Place(1, frames))
    fits = behind.pooled and behind.width == spec.horizon
    _need(fits, channels.name, f"ends in {_shown(behind)}, not in the {spec.horizon} moments of a forecast")


def _shown(place: _Place) -> str:
    return f"one row of {place.width}" if place.pooled else f"{place.frames} rows of {place.width}"


def _chain(layers: tuple[Layer, ...], place: _Place) -> _Place:
    """What is behind some layers."""
    for before, layer in zip((None, *layers), layers, strict=False):
        if place.pooled and not isinstance(layer, (Linear, Norm)):
            raise ValueError(f"{layer.name}: {type(layer).__name__} behind a Pool layer, where no frames are")
        if isinstance(layer, Pool):
            _need(layer.kind in POOLINGS, layer.name, f"pooling {layer.kind!r} is not known")
            place = replace(place, width=_pooled_width(layer, place), pooled=True)
        elif isinstance(layer, Residual):
            inner = _chain(layer.layers, place)
            token = any(isinstance(each, ClassToken) for each in walk(layer.layers))
            fits = inner == place and layer.layers and not token
            _need(bool(fits), layer.name, f"changes [T, {place.width}], to which it is added")
        else:
            if isinstance(layer, _OF_FORECASTERS):
                _check_place(layer, place, before)
            _check_shapes(layer, place.width)
            frames = None if place.frames is None else _frames_behind(layer, place.frames)
            place = _Place(width_behind(layer, place.width), frames, place.pooled)
    return place


def _pooled_width(layer: Pool, place: _Place) -> int:
    if layer.kind != "all":
        return place.width
    if place.frames is None:
        raise ValueError(f"{layer.name}: all rows behind each other need a known number of frames")
    return place.width * place.frames


def _frames_behind(layer: Layer, frames: int) -> int:
    if isinstance(layer, Positions):
        table = len(layer.table)
        _need(table >= frames, layer.name, f"{frames} rows, it knows {table} positions")
    return frames_behind(layer, frames)


def _check_place(layer: Layer, place: _Place, before: Layer | None) -> None:
    """Of the layers that forecasters alone have."""
    name = layer.name
    if place.frames is None or isinstance(layer, (PerChannel, Reversible)):
        raise ValueError(f"{name}: {type(layer).__name__} is a forecaster's, which is one PerChannel layer")
    if isinstance(layer, Patches):
        length, stride = layer.length, layer.stride
        _need(place.width == 1, name, f"takes the moments of one channel, not rows of {place.width}")
        _need(stride >= 1 and layer.beyond >= 0, name, f"stride {stride}, beyond {layer.beyond}")
        _need(1 <= length <= place.frames, name, f"a patch of {length} moments, of {place.frames}")
    elif isinstance(layer, ParallelSteps):
        behind = isinstance(before, (GRU, LSTM)) and before.backward is None
        _need(behind, name, "is not directly behind a GRU or LSTM without a backward cell")
        rows = (3 if isinstance(before, GRU) else 4) * place.width
        _shape(f"{name}.inputs", layer.inputs.shape, (len(layer.inputs), rows))
        _need(len(layer.inputs) >= 1, name, "has no steps")
        _shape(f"{name}.weight_hh", layer.weight_hh.shape, (rows, place.width))
        _shape(f"{name}.bias_hh", layer.bias_hh.shape, (rows,))


def _check_shapes(layer: Layer, width: int) -> None:
    if isinstance(layer, (GRU, LSTM)):
        gates = 3 if isinstance(layer, GRU) else 4
        for name, cell in cells(layer).items():
            _check_cell(f"{layer.name}.{name}", cell, gates, width)
    elif isinstance(layer, (Linear, CausalConv)):
        columns = width * (layer.kernel if isinstance(layer, CausalConv) else 1)
        rows = layer.weight.shape[0]
        _need(columns >= 1, layer.name, "the kernel must have at least one frame")
        _shape(f"{layer.name}.weight", layer.weight.shape, (rows, columns))
        _shape(f"{layer.name}.bias", layer.bias.shape, (rows,))
        _need(layer.activation in ACTIVATIONS, layer.name, f"activation {layer.activation!r} is not known")
    elif isinstance(layer, Embedding):
        _check_embedding(layer, width)
    elif isinstance(layer, Norm):
        _shape(f"{layer.name}.gain", layer.gain.shape, (width,))
        _shape(f"{layer.name}.bias", layer.bias.shape, (width,))
    elif isinstance(layer, Attention):
        _check_attention(layer, width)
    elif isinstance(layer, Positions):
        _shape(f"{layer.name}.table", layer.table.shape, (len(layer.table), width))
    elif isinstance(layer, ClassToken):
        _shape(f"{layer.name}.token", layer.token.shape, (1, width))


def _check_embedding(layer: Embedding, width: int) -> None:
    """width: the ids of a token."""
    weight, shape = layer.weight, layer.weight.shape
    _need(width >= 1, layer.name, f"{width} ids of a token; it takes at least 1")
    fits = len(shape) == 2 and shape[0] >= 2 and shape[1] >= 1
    _need(fits, layer.name, f"the table is {list(shape)}, not [R >= 2, D >= 1]")
    padding = (weight.values if isinstance(weight, QuantizedTensor) else weight)[0]
    _need(not padding.any(), layer.name, "row 0, which id 0 of padding names, is not zero")


def _check_cell(name: str, cell: Cell, gates: int, width: int) -> None:
    rows = gates * cell.hidden
    _shape(f"{name}.weight_ih", cell.weight_ih.shape, (rows, width))
    _shape(f"{name}.weight_hh", cell.weight_hh.shape, (rows, cell.hidden))
    _shape(f"{name}.bias_ih", cell.bias_ih.shape, (rows,))
    _shape(f"{name}.bias_hh", cell.bias_hh.shape, (rows,))


def _check_attention(layer: Attention, width: int) -> None:
    depth = layer.weight_out.shape[1]
    _shape(f"{layer.name}.weight_qkv", layer.weight_qkv.shape, (3 * depth, width))
    _shape(f"{layer.name}.bias_qkv", layer.bias_qkv.shape, (3 * depth,))
    _shape(f"{layer.name}.weight_out", layer.weight_out.shape, (width, depth))
    _shape(f"{layer.name}.bias_out", layer.bias_out.shape, (width,))
    _need(layer.heads >= 1 and depth % layer.heads == 0, layer.name, f"{layer.heads} heads, width {depth}")
    even = not layer.rotary or depth // layer.heads % 2 == 0
    _need(even, layer.name, f"rotary positions need an even width of a head, not {depth // layer.heads}")
    _need(layer.window is None or layer.window >= 1, layer.name, f"window is {layer.window}; give at least 1")


def _shape(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise ValueError(f"{name}: is {list(found)}, its place takes {list(wanted)}")


def _need(holds: bool, name: str, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"{name}: {otherwise}")
