"""SeqSpec: one description of a trained sequence model, in numpy, that every writer lowers.

Shapes: T frames, I input features, H hidden units, C classes. Gate order is torch's:
GRU r, z, n; LSTM i, f, g, o. A weight is float32 or, after `quantize_spec`, a QuantizedTensor.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, Union

from edgeseq_export.quantize import FloatArray, QuantizedTensor, Weight, quantize_per_channel

PoolKind = Literal["last", "mean", "max"]


@dataclass(frozen=True, eq=False)
class Cell:
    """One direction of a recurrent layer; G = 3 gates (GRU) or 4 (LSTM).

    weight_ih: [G*H, I]; weight_hh: [G*H, H]; bias_ih, bias_hh: [G*H] float32.
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
    """[T, I] -> [T, H], or [T, 2H] with a backward cell (forward features first).

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr); z likewise; n = tanh(W_in x + b_in + r * (W_hn h + b_hn));
    h' = (1 - z) * n + z * h. (Cho et al. 2014, arXiv 1406.1078, with the reset gate after the matrix
    product as in cuDNN and torch.nn.GRU.) h starts at zero.
    """

    name: str
    forward: Cell
    backward: Cell | None = None


@dataclass(frozen=True, eq=False)
class LSTM:
    """[T, I] -> [T, H], or [T, 2H] with a backward cell (forward features first).

    i, f, o = sigmoid(...); g = tanh(...); c' = f * c + i * g; h' = o * tanh(c').
    (Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as torch.nn.LSTM.)
    """

    name: str
    forward: Cell
    backward: Cell | None = None


@dataclass(frozen=True, eq=False)
class Pool:
    """[T, F] -> [F] over the true length.

    last: the final hidden state of each direction of the recurrent layer before it (forward at frame
    T-1, backward at frame 0), concatenated; mean and max: over frames.
    """

    name: str
    kind: PoolKind


@dataclass(frozen=True, eq=False)
class Linear:
    """[..., I] -> [..., O]: x @ weight.T + bias. weight: [O, I]; bias: [O] float32."""

    name: str
    weight: Weight
    bias: FloatArray


Recurrent = Union[GRU, LSTM]  # noqa: UP007
Layer = Union[GRU, LSTM, Pool, Linear]  # noqa: UP007


@dataclass(frozen=True, eq=False)
class SeqSpec:
    """A classifier over sequences: features [T, input_features] in, logits [len(labels)] out."""

    input_features: int
    labels: tuple[str, ...]
    layers: tuple[Layer, ...]


def reads_backwards(spec: SeqSpec) -> bool:
    """Whether some layer has a backward cell, so that its outputs depend on frames to come."""
    return any(isinstance(layer, (GRU, LSTM)) and layer.backward is not None for layer in spec.layers)


def cells(layer: Recurrent) -> dict[str, Cell]:
    """The directions of a recurrent layer by name: forward, and backward where there is one."""
    return {"forward": layer.forward} | ({} if layer.backward is None else {"backward": layer.backward})


def parameters(spec: SeqSpec) -> dict[str, Weight]:
    """Every weight and bias by a dotted name, such as `gru0.forward.weight_hh`."""
    found: dict[str, Weight] = {}
    for layer in spec.layers:
        if isinstance(layer, Linear):
            found |= {f"{layer.name}.weight": layer.weight, f"{layer.name}.bias": layer.bias}
        elif not isinstance(layer, Pool):
            for direction, cell in cells(layer).items():
                prefix = f"{layer.name}.{direction}"
                found |= {
                    f"{prefix}.{field.name}": getattr(cell, field.name) for field in dataclasses.fields(cell)
                }
    return found


def quantize_spec(spec: SeqSpec) -> SeqSpec:
    """The same model with every weight matrix in symmetric per-channel int8; biases stay float32.

    Raises ValueError naming a weight that holds NaN or infinity.
    """
    return dataclasses.replace(spec, layers=tuple(_quantize_layer(layer) for layer in spec.layers))


def _quantize_layer(layer: Layer) -> Layer:
    if isinstance(layer, Pool):
        return layer
    if isinstance(layer, Linear):
        return dataclasses.replace(layer, weight=_quantize(f"{layer.name}.weight", layer.weight))
    forward = _quantize_cell(f"{layer.name}.forward", layer.forward)
    backward = None if layer.backward is None else _quantize_cell(f"{layer.name}.backward", layer.backward)
    return dataclasses.replace(layer, forward=forward, backward=backward)


def _quantize_cell(name: str, cell: Cell) -> Cell:
    weight_ih = _quantize(f"{name}.weight_ih", cell.weight_ih)
    weight_hh = _quantize(f"{name}.weight_hh", cell.weight_hh)
    return dataclasses.replace(cell, weight_ih=weight_ih, weight_hh=weight_hh)


def _quantize(name: str, weight: Weight) -> QuantizedTensor:
    try:
        return weight if isinstance(weight, QuantizedTensor) else quantize_per_channel(weight)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
