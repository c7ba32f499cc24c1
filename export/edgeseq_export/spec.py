"""SeqSpec: one description of a trained sequence model, in numpy, that every writer lowers.

Shapes: T frames, F features, H hidden units, C classes, K ids of a token. A weight matrix is float32 or,
after `quantize_spec`, a QuantizedTensor with one scale per row. `check_spec` says what fits together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union

from edgeseq_export.quantize import FloatArray, QuantizedTensor, Weight, quantize_per_channel

PoolKind = Literal["last", "mean", "max", "first", "all"]
Normalisation = Literal["last", "standard"]
Activation = Literal["none", "relu", "gelu"]
Task = Literal["classify", "lm", "forecast"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """ids [T, K] int32 -> [T, D]: the sum of the K rows of the table that a token's ids name.

    weight: [R, D]; id 0 is padding, whose row is zero. The first layer of a model of text, and of no other.
    With K > 1 the ids behind the first are hashed n-grams (Bojanowski et al. 2017, arXiv 1607.04606, section
    3.2, of tokens instead of characters).
    """

    name: str
    weight: Weight


@dataclass(frozen=True, eq=False)
class Cell:
    """One direction of a recurrent layer; G = 3 gates (GRU) or 4 (LSTM), in torch's order.

    weight_ih: [G*H, F]; weight_hh: [G*H, H]; bias_ih, bias_hh: [G*H] float32.
    """

    weight_ih: Weight
    weight_hh: Weight
    bias_ih: FloatArray
    bias_hh: FloatArray

    @property
    def hidden(self) -> int:
        """H."""
        return self.weight_hh.shape[1]


@dataclass(frozen=True, eq=False)
class GRU:
    """[T, F] -> [T, H], or [T, 2H] with a backward cell (forward features first).

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr); z likewise; n = tanh(W_in x + b_in + r * (W_hn h + b_hn));
    h' = (1 - z) * n + z * h. Rows in the order r, z, n. (Cho et al. 2014, arXiv 1406.1078, with the reset
    gate after the matrix product as in cuDNN and torch.nn.GRU.) h starts at zero.
    """

    name: str
    forward: Cell
    backward: Cell | None = None


@dataclass(frozen=True, eq=False)
class LSTM:
    """[T, F] -> [T, H], or [T, 2H] with a backward cell (forward features first).

    i, f, o = sigmoid(...); g = tanh(...); c' = f * c + i * g; h' = o * tanh(c').
    Rows in the order i, f, g, o. (Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000,
    as torch.nn.LSTM.)
    """

    name: str
    forward: Cell
    backward: Cell | None = None


@dataclass(frozen=True, eq=False)
class Linear:
    """[..., F] -> [..., O]: activation(x @ weight.T + bias). weight: [O, F]; bias: [O] float32."""

    name: str
    weight: Weight
    bias: FloatArray
    activation: Activation = "none"


@dataclass(frozen=True, eq=False)
class Norm:
    """[..., F] -> the same: (x - mean) / sqrt(variance + epsilon) * gain + bias, over the features of a row.

    gain, bias: [F] float32. (Ba et al. 2016, arXiv 1607.06450, eq. 4, biased variance as torch.nn.LayerNorm.)
    """

    name: str
    gain: FloatArray
    bias: FloatArray
    epsilon: float = 1e-5


@dataclass(frozen=True, eq=False)
class CausalConv:
    """[T, F] -> [T, O]: activation(bias + sum_k weight_k @ x[t - (kernel - 1) + k]), zeros before frame 0.

    weight: [O, kernel * F], the oldest frame's F columns first; bias: [O] float32.
    """

    name: str
    weight: Weight
    bias: FloatArray
    kernel: int
    activation: Activation = "none"


@dataclass(frozen=True, eq=False)
class Attention:
    """[T, F] -> [T, F]: multi-head self-attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2).

    weight_qkv: [3D, F], rows of queries, keys, values, each `heads` blocks of D / heads; weight_out: [F, D];
    biases float32. Scores are divided by sqrt(D / heads). rotary: queries and keys are turned by their
    frame's position t, the pair (i, i + d/2) of a head of d by t * 10000^(-2i/d) (Su et al. 2021, arXiv
    2104.09864, eq. 34, halves instead of neighbours). window: None lets every frame see all frames; W lets
    frame t see the frames t - W + 1 .. t.
    """

    name: str
    heads: int
    weight_qkv: Weight
    bias_qkv: FloatArray
    weight_out: Weight
    bias_out: FloatArray
    rotary: bool = False
    window: int | None = None


@dataclass(frozen=True, eq=False)
class Positions:
    """[T, F] -> the same: x[t] + table[t]. table: [P, F] float32; more than P frames are an error."""

    name: str
    table: FloatArray


@dataclass(frozen=True, eq=False)
class ClassToken:
    """[T, F] -> [T + 1, F]: a learned row, token [1, F] float32, in front of the frames."""

    name: str
    token: FloatArray


@dataclass(frozen=True, eq=False)
class Residual:
    """[T, F] -> the same: x + layers(x)."""

    name: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class Pool:
    """[T, F] -> [F] over the true length; "all": [T * F], the rows behind each other, of a known number T.

    last: behind a recurrent layer the final hidden state of each of its directions (forward at frame T-1,
    backward at frame 0), concatenated, elsewhere the last row; first: row 0; mean and max: over rows.
    """

    name: str
    kind: PoolKind


@dataclass(frozen=True, eq=False)
class Patches:
    """[T, 1] -> [P, length]: row p holds moments p * stride .. p * stride + length - 1, and the last moment
    again where they are beyond the end, by at most `beyond`; P = (T + beyond - length) // stride + 1.

    (Nie et al. 2023, arXiv 2211.14730, section 3.1; with stride = length the segments of Lin et al. 2023,
    arXiv 2308.11200, section 3.2.)
    """

    name: str
    length: int
    stride: int
    beyond: int = 0


@dataclass(frozen=True, eq=False)
class ParallelSteps:
    """Directly behind a GRU or LSTM without a backward cell: [T, H] -> [M, H], M steps of a cell, each from
    the final state of that layer, none from another's (Lin et al. 2023, arXiv 2308.11200, section 3.3).

    inputs: [M, G*H] float32, W_ih x_m + b_ih of the steps' inputs, which are learned: no sequence's.
    weight_hh: [G*H, H]; bias_hh: [G*H] float32; gates as in `GRU` and `LSTM`.
    """

    name: str
    inputs: FloatArray
    weight_hh: Weight
    bias_hh: FloatArray


@dataclass(frozen=True, eq=False)
class PerChannel:
    """[T, C] -> [H, C]: the same layers, [T, 1] -> [H], for every channel alone. They end in one vector, and
    no rounding of theirs spans channels.
    """

    name: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class Reversible:
    """[T, C] -> [H, C]: normalise each channel, apply the layers, undo the normalisation.

    last: less its last moment. standard: less its mean, over sqrt(variance + epsilon) (Kim et al. 2022,
    "Reversible instance normalization", eq. 1 and 3, without its affine part).
    """

    name: str
    layers: tuple[Layer, ...]
    kind: Normalisation = "standard"
    epsilon: float = 1e-5


Recurrent = Union[GRU, LSTM]  # noqa: UP007
WRAPPERS = (Residual, PerChannel, Reversible)
Layer = Union[  # noqa: UP007
    Embedding,
    GRU,
    LSTM,
    Linear,
    Norm,
    CausalConv,
    Attention,
    Positions,
    ClassToken,
    Residual,
    Pool,
    Patches,
    ParallelSteps,
    PerChannel,
    Reversible,
]


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
