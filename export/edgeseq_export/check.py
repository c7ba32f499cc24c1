"""What fits together in a SeqSpec: every writer and the reference interpreter ask here first."""

from __future__ import annotations

import numpy as np

from edgeseq_device.runtimes import FEATURES, LENGTHS, LOGITS
from edgeseq_export.quantize import INT8_MAX, QuantizedTensor, Weight
from edgeseq_export.spec import (
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
    Pool,
    Positions,
    Residual,
    SeqSpec,
    cells,
    parameters,
    walk,
    width_behind,
)

ACTIVATIONS = ("none", "relu", "gelu")
_RESERVED = (FEATURES, LENGTHS, LOGITS)
POOLINGS = ("last", "mean", "max", "first")


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
    width, pooled = _chain(spec.layers, spec.input_features, pooled=False)
    if not pooled:
        raise ValueError("no Pool layer: a classifier needs one, behind the layers over frames")
    if width != len(spec.labels):
        raise ValueError(f"{width} outputs do not fit {len(spec.labels)} labels")


def _check_numbers(name: str, weight: Weight) -> None:
    """The arrays of a QuantizedTensor may have changed since it was made: they are looked at again."""
    numbers = weight.scale if isinstance(weight, QuantizedTensor) else weight
    _need(bool(np.isfinite(numbers).all()), name, "weight holds NaN or infinity")
    if isinstance(weight, QuantizedTensor):
        _need(bool((weight.scale > 0).all()), name, "a scale is not above zero")
        in_range = bool((weight.values >= -INT8_MAX).all())
        _need(in_range, name, "a weight of -128 overflows the int8 kernels of cores without dotprod")


def _chain(layers: tuple[Layer, ...], width: int, *, pooled: bool) -> tuple[int, bool]:
    """The width behind some layers, and whether frames have become one vector there."""
    for layer in layers:
        if pooled and not isinstance(layer, (Linear, Norm)):
            raise ValueError(f"{layer.name}: {type(layer).__name__} behind a Pool layer, where no frames are")
        if isinstance(layer, Pool):
            _need(layer.kind in POOLINGS, layer.name, f"pooling {layer.kind!r} is not known")
            pooled = True
        elif isinstance(layer, Residual):
            inner, inner_pooled = _chain(layer.layers, width, pooled=False)
            fits = inner == width and not inner_pooled and layer.layers
            token = any(isinstance(each, ClassToken) for each in walk(layer.layers))
            _need(bool(fits) and not token, layer.name, f"changes [T, {width}], to which it is added")
        else:
            _check_shapes(layer, width)
            width = width_behind(layer, width)
    return width, pooled


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
