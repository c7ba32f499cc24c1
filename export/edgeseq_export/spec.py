"""SeqSpec: one description of a trained sequence model, in numpy, that every writer lowers.

Shapes: T frames, F features, H hidden units, C classes, K ids of a token. A weight matrix is float32 or,
after `quantize_spec`, a QuantizedTensor with one scale per row. `check_spec` says what fits together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, Union

from edgeseq_device.tasks import Task
from edgeseq_export.layers import (
    GRU,
    LSTM,
    WRAPPERS,
    Attention,
    CausalConv,
    Cell,
    ClassToken,
    Embedding,
    Layer,
    Linear,
    ParallelSteps,
    Patches,
    PerChannel,
    Recurrent,
    Reversible,
)
from edgeseq_export.quantize import QuantizedTensor, Weight, quantize_per_channel


@dataclass(frozen=True, eq=False)
class SeqSpec:
    """A model over sequences: features [T, input_features] in, logits [outputs] out.

    The features are float32 readings, or int32 ids where the first layer is an Embedding. Of a classifier the
    labels are its classes, of a language model the tokens of its vocabulary: it is a classifier of the next
    token. A forecaster takes exactly `frames` moments of as many channels as it has labels, and gives the
    `horizon` next ones, [horizon, channels] row by row. carries: whether the sequence form gives the states
    of the step form behind its last frame too, so that a step can go on from there.
    """

    input_features: int
    labels: tuple[str, ...]
    layers: tuple[Layer, ...]
    frames: int | None = None
    horizon: int = 1
    carries: bool = False

    @property
    def outputs(self) -> int:
        """How many numbers an answer has."""
        return self.horizon * len(self.labels)

    @property
    def task(self) -> Task:
        """What the model is for."""
        return "lm" if self.carries else "classify" if self.frames is None else "forecast"

    @property
    def takes_ids(self) -> bool:
        """Whether the features are ids of tokens."""
        return bool(self.layers) and isinstance(self.layers[0], Embedding)


def walk(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """Every layer in order; one that wraps others before the layers inside it."""
    for layer in layers:
        yield layer
        yield from walk(inner_layers(layer))


def inner_layers(layer: Layer) -> tuple[Layer, ...]:
    """The layers that a layer wraps; none of any other."""
    return layer.layers if isinstance(layer, WRAPPERS) else ()


def channels_of(spec: SeqSpec) -> PerChannel | None:
    """The layer that a forecaster is made of, alone or in a Reversible layer; None of any other model."""
    layers = spec.layers
    if len(layers) == 1 and isinstance(layers[0], Reversible):
        layers = layers[0].layers
    return layers[0] if len(layers) == 1 and isinstance(layers[0], PerChannel) else None


def reads_ahead(layer: Layer) -> bool:
    """Whether the layer's output at a frame depends on frames to come."""
    if isinstance(layer, (GRU, LSTM)):
        return layer.backward is not None
    if isinstance(layer, Attention):
        return layer.window is None
    of_the_whole = isinstance(layer, (Patches, ParallelSteps, PerChannel))
    return of_the_whole or any(reads_ahead(inner) for inner in inner_layers(layer))


def width_behind(layer: Layer, width: int) -> int:
    """The features of a row behind a layer whose input rows have `width`."""
    if isinstance(layer, (GRU, LSTM)):
        return sum(cell.hidden for cell in cells(layer).values())
    if isinstance(layer, Embedding):
        return layer.weight.shape[1]
    if isinstance(layer, Patches):
        return layer.length
    return layer.weight.shape[0] if isinstance(layer, (Linear, CausalConv)) else width


def frames_behind(layer: Layer, frames: int) -> int:
    """The rows behind a layer, in front of a Pool, that is given `frames` rows."""
    if isinstance(layer, Patches):
        return (frames + layer.beyond - layer.length) // layer.stride + 1
    if isinstance(layer, ParallelSteps):
        return len(layer.inputs)
    return frames + isinstance(layer, ClassToken)


def weight_matrix(layer: Layer) -> Weight | None:
    """The matrix that says whether a layer is quantized and how wide it is; None where it has no weights."""
    if isinstance(layer, (GRU, LSTM)):
        return layer.forward.weight_hh
    if isinstance(layer, ParallelSteps):
        return layer.weight_hh
    if isinstance(layer, Attention):
        return layer.weight_out
    return layer.weight if isinstance(layer, (Embedding, Linear, CausalConv)) else None


def cells(layer: Recurrent) -> dict[str, Cell]:
    """The directions of a recurrent layer by name: forward, and backward where there is one."""
    return {"forward": layer.forward} | ({} if layer.backward is None else {"backward": layer.backward})


def parameters(spec: SeqSpec) -> dict[str, Weight]:
    """Every weight and bias by a dotted name, such as `gru0.forward.weight_hh`."""
    found: dict[str, Weight] = {}
    for layer in walk(spec.layers):
        if isinstance(layer, (GRU, LSTM)):
            for direction, cell in cells(layer).items():
                found |= _arrays(f"{layer.name}.{direction}", cell)
        else:
            found |= _arrays(layer.name, layer)
    return found


def _arrays(prefix: str, owner: Cell | Layer) -> dict[str, Weight]:
    fields = {field.name: getattr(owner, field.name) for field in dataclasses.fields(owner)}
    return {f"{prefix}.{name}": value for name, value in fields.items() if hasattr(value, "shape")}


def quantized_layers(spec: SeqSpec) -> tuple[str, ...]:
    """The names of the layers that have a weight matrix, in order."""
    return tuple(layer.name for layer in walk(spec.layers) if weight_matrix(layer) is not None)


def quantize_spec(spec: SeqSpec, keep_fp32: Collection[str] = ()) -> SeqSpec:
    """The same model with weight matrices in symmetric per-channel int8; biases and norms stay float32.

    keep_fp32: names of layers whose weights stay as they are. Raises ValueError naming a weight that holds
    NaN or infinity.
    """
    return dataclasses.replace(
        spec, layers=tuple(_quantize_layer(layer, frozenset(keep_fp32)) for layer in spec.layers)
    )


def _quantize_layer(layer: Layer, keep: frozenset[str]) -> Layer:
    if isinstance(layer, WRAPPERS):
        return dataclasses.replace(layer, layers=tuple(_quantize_layer(each, keep) for each in layer.layers))
    if layer.name in keep or weight_matrix(layer) is None:
        return layer
    if isinstance(layer, (GRU, LSTM)):
        forward = _quantize_matrices(f"{layer.name}.forward", layer.forward)
        backward = layer.backward and _quantize_matrices(f"{layer.name}.backward", layer.backward)
        return dataclasses.replace(layer, forward=forward, backward=backward)
    return _quantize_matrices(layer.name, layer)


_Owner = TypeVar("_Owner", bound=Union[Cell, Layer])  # noqa: UP007


def _quantize_matrices(prefix: str, owner: _Owner) -> _Owner:
    matrices: dict[str, Any] = {
        field.name: _quantize(f"{prefix}.{field.name}", getattr(owner, field.name))
        for field in dataclasses.fields(owner)
        if field.name.startswith("weight")
    }
    return dataclasses.replace(owner, **matrices)


def _quantize(name: str, weight: Weight) -> QuantizedTensor:
    try:
        return weight if isinstance(weight, QuantizedTensor) else quantize_per_channel(weight)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
