"""A plain numpy interpreter of a SeqSpec: what every exported model is measured against.

It computes with the spec's own int8 weights and rounds activations the way the layer's graph form does
at run time, so that a difference to an exported model is a lowering bug and never a quantization loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from edgeseq_export.arithmetic import matmul
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Activation,
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
    Recurrent,
    Residual,
    Reversible,
)
from edgeseq_export.quantize import ActivationQuantization, FloatArray, Weight, as_float, take_rows
from edgeseq_export.spec import SeqSpec, frames_behind

Rounding = Mapping[str, ActivationQuantization]
IdArray = npt.NDArray[np.integer[Any]]
Product = Callable[[FloatArray, Weight], FloatArray]
"""rows [M, K], weight [N, K] -> rows @ weight.T [M, N], in a layer's arithmetic."""


def run_reference(
    spec: SeqSpec,
    features: FloatArray | IdArray,
    rounding: Rounding | None = None,
    noise: np.random.Generator | None = None,
) -> FloatArray:
    """Logits [C] float32 of one sequence, or a forecast [H * C], moment by moment.

    features: [T, F], T >= 1, float32 readings, or integer ids in front of an Embedding. rounding: for each
    layer's name how activations are rounded before a product with int8 weights; a layer that is not named
    computes in fp32. noise: where given, activations change by about one part in a million before every
    product, as much as runtimes differ in their arithmetic, so that a rounding on the edge may fall to the
    other side. Raises ValueError on a shape that does not fit the spec, and naming an Embedding whose ids
    are no integers or not in its table.
    """
    if features.ndim != 2 or features.shape[1] != spec.input_features or not len(features):
        raise ValueError(f"features are {features.shape}, the model takes [T >= 1, {spec.input_features}]")
    if spec.frames is not None and len(features) != spec.frames:
        raise ValueError(f"features are {features.shape}, the forecaster takes {spec.frames} frames")
    run = _Run(rounding or {}, noise)
    return run.layers(spec.layers, features if spec.takes_ids else features.astype(np.float32)).reshape(-1)


class _Run:
    """One sequence on its way through the layers."""

    def __init__(self, rounding: Rounding, noise: np.random.Generator | None) -> None:
        self._rounding = rounding
        self._noise = noise
        self._states: tuple[FloatArray, ...] = ()  # behind the recurrent layer just before

    def layers(self, layers: tuple[Layer, ...], value: npt.NDArray[Any]) -> FloatArray:
        """Ids [T, K], rows [T, F] or, behind a Pool layer, [F] -> what is behind the layers."""
        for layer in layers:
            states, self._states = self._states, ()
            if isinstance(layer, (GRU, LSTM)):
                value, self._states = _recurrent(layer, value, self._product(layer))
            elif isinstance(layer, Pool):
                value = _pool(layer, value, *states[:1])
            elif isinstance(layer, ParallelSteps):
                value = _parallel_steps(layer, states, self._product(layer))
            elif isinstance(layer, (Residual, PerChannel, Reversible)):
                value = self._around(layer, value)
                self._states = ()
            elif isinstance(layer, Attention):
                value = _attention(layer, value, self._product(layer))
            elif isinstance(layer, Embedding):
                value = _embedded(layer, value)
            elif isinstance(layer, Patches):
                value = value[patch_moments(layer, len(value))].reshape(-1, layer.length)
            else:
                value = self._simple(layer, value)
        return value

    def _around(self, layer: Residual | PerChannel | Reversible, value: FloatArray) -> FloatArray:
        if isinstance(layer, Residual):
            return cast(FloatArray, value + self.layers(layer.layers, value))
        if isinstance(layer, PerChannel):
            channels = np.split(value, value.shape[1], axis=1)
            return np.stack([self.layers(layer.layers, each) for each in channels], axis=1)
        if layer.kind == "last":
            return cast(FloatArray, self.layers(layer.layers, value - value[-1]) + value[-1])
        centred = value - value.mean(axis=0)
        scale = np.sqrt(np.square(centred).mean(axis=0) + np.float32(layer.epsilon))
        return cast(FloatArray, self.layers(layer.layers, centred / scale) * scale + value.mean(axis=0))

    def _simple(
        self, layer: Linear | Norm | CausalConv | Positions | ClassToken, value: FloatArray
    ) -> FloatArray:
        if isinstance(layer, Norm):
            return _norm(layer, value)
        if isinstance(layer, ClassToken):
            return np.concatenate([layer.token, value])
        if isinstance(layer, Positions):
            if len(value) > len(layer.table):
                raise ValueError(f"{layer.name}: {len(value)} frames, it knows {len(layer.table)} positions")
            return cast(FloatArray, value + layer.table[: len(value)])
        rows = np.atleast_2d(value)
        if isinstance(layer, CausalConv):
            rows = _frames_before(rows, layer.kernel)
        found = self._product(layer)(rows, layer.weight).reshape(*value.shape[:-1], -1) + layer.bias
        return _ACTIVATIONS[layer.activation](found)

    def _product(self, layer: Layer) -> Product:
        scheme = self._rounding.get(layer.name, ActivationQuantization.NONE)
        return partial(matmul, scheme=scheme, noise=self._noise)


def _embedded(layer: Embedding, ids: npt.NDArray[Any]) -> FloatArray:
    """ids [T, K] -> [T, D]: the sum of the rows they name."""
    rows = layer.weight.shape[0]
    if ids.dtype.kind not in "iu":
        raise ValueError(f"{layer.name}: takes ids, integers, not {ids.dtype}")
    if ids.min() < 0 or ids.max() >= rows:
        raise ValueError(f"{layer.name}: ids {ids.min()} .. {ids.max()}, its table's are 0 .. {rows - 1}")
    named = as_float(take_rows(layer.weight, ids.reshape(-1).astype(np.int64)))
    return cast(FloatArray, named.reshape(*ids.shape, -1).sum(axis=1, dtype=np.float32))


def _sigmoid(value: FloatArray) -> FloatArray:
    return cast(FloatArray, np.float32(0.5) * (np.tanh(np.float32(0.5) * value) + np.float32(1)))


def _gelu(value: FloatArray) -> FloatArray:
    """x * Phi(x) with the exact error function (Hendrycks & Gimpel 2016, arXiv 1606.08415)."""
    error_function = np.vectorize(math.erf, otypes=[np.float64])
    found: FloatArray = (value * (0.5 + 0.5 * error_function(value / math.sqrt(2)))).astype(np.float32)
    return found


def _relu(value: FloatArray) -> FloatArray:
    return np.maximum(value, np.float32(0))


_ACTIVATIONS: dict[Activation, Callable[[FloatArray], FloatArray]] = {
    "none": lambda value: value,
    "relu": _relu,
    "gelu": _gelu,
}


def _norm(layer: Norm, value: FloatArray) -> FloatArray:
    centred = value - value.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    scaled: FloatArray = centred / np.sqrt(variance + np.float32(layer.epsilon)) * layer.gain + layer.bias
    return scaled


def _frames_before(rows: FloatArray, kernel: int) -> FloatArray:
    """[T, F] -> [T, kernel * F]: each row behind the kernel - 1 before it, zeros before the first."""
    padded = np.concatenate([np.zeros((kernel - 1, rows.shape[1]), np.float32), rows])
    return np.concatenate([padded[k : k + len(rows)] for k in range(kernel)], axis=1)


def _attention(layer: Attention, rows: FloatArray, product: Product) -> FloatArray:
    T, heads = len(rows), layer.heads
    qkv = product(rows, layer.weight_qkv) + layer.bias_qkv
    q, k, v = (part.reshape(T, heads, -1).swapaxes(0, 1) for part in np.split(qkv, 3, axis=1))
    if layer.rotary:
        q, k = _turned(q), _turned(k)
    scores = q @ k.swapaxes(1, 2) / np.float32(math.sqrt(q.shape[2]))
    if layer.window is not None:
        age = np.arange(T)[:, None] - np.arange(T)[None, :]
        scores = np.where((age >= 0) & (age < layer.window), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    joined = (weights @ v).swapaxes(0, 1).reshape(T, -1).astype(np.float32)
    return cast(FloatArray, product(joined, layer.weight_out) + layer.bias_out)


def rotary_frequencies(head_width: int) -> FloatArray:
    """[head_width / 2] float32: the angle per frame of each pair (Su et al., arXiv 2104.09864, eq. 15)."""
    return (10_000.0 ** (-2.0 * np.arange(head_width // 2) / head_width)).astype(np.float32)


def _turned(heads: FloatArray) -> FloatArray:
    """[heads, T, d] with the pairs (i, i + d/2) of frame t turned by t times their frequency."""
    angle = np.arange(heads.shape[1], dtype=np.float32)[:, None] * rotary_frequencies(heads.shape[2])
    first, second = np.split(heads, 2, axis=2)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=2)


def patch_moments(layer: Patches, frames: int) -> npt.NDArray[np.int64]:
    """[P, length]: which of `frames` moments each patch holds; the last one where they are beyond it."""
    starts = np.arange(frames_behind(layer, frames)) * layer.stride
    moments: npt.NDArray[np.int64] = np.minimum(starts[:, None] + np.arange(layer.length), frames - 1)
    return moments


def _gru_step(projected: FloatArray, recurrent: FloatArray, state: FloatArray) -> FloatArray:
    """projected: [.., 3H] = W_i x + b_i; recurrent: [3H] = W_h h + b_h; state: [H]. Returns h' [.., H]."""
    H = len(state)
    r, z = np.split(_sigmoid(projected[..., : 2 * H] + recurrent[: 2 * H]), 2, axis=-1)
    n = np.tanh(projected[..., 2 * H :] + r * recurrent[2 * H :])
    return cast(FloatArray, n + z * (state - n))


def _lstm_step(gates: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
    """gates: [.., 4H] = W_i x + b_i + W_h h + b_h; memory: [H]. Returns h' and c' [.., H]."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    memory = _sigmoid(f) * memory + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(memory), memory


def _scan(cell: Cell, rows: FloatArray, product: Product, *, gru: bool) -> tuple[FloatArray, FloatArray]:
    """All outputs [T, H], and the memory [H] behind them, which an LSTM has."""
    bias = cell.bias_ih if gru else cell.bias_ih + cell.bias_hh
    hidden = memory = np.zeros(cell.hidden, np.float32)
    outputs = []
    for row in product(rows, cell.weight_ih) + bias:
        recurrent = product(hidden[None], cell.weight_hh)[0]
        if gru:
            hidden = _gru_step(row, recurrent + cell.bias_hh, hidden)
        else:
            hidden, memory = _lstm_step(row + recurrent, memory)
        outputs.append(hidden)
    return np.stack(outputs), memory


def _recurrent(
    layer: Recurrent, rows: FloatArray, product: Product
) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    """All outputs [T, F] and the final states of the directions [F]; then the forward memory [H]."""
    scan = partial(_scan, product=product, gru=isinstance(layer, GRU))
    forward, memory = scan(layer.forward, rows)
    if layer.backward is None:
        return forward, (forward[-1], memory)
    backward = scan(layer.backward, rows[::-1])[0][::-1]
    final = np.concatenate([forward[-1], backward[0]])
    return np.concatenate([forward, backward], axis=1), (final, memory)


def _parallel_steps(layer: ParallelSteps, states: tuple[FloatArray, ...], product: Product) -> FloatArray:
    """[M, H]: each of the M inputs from the same states."""
    hidden, memory = states
    recurrent = product(hidden[None], layer.weight_hh)[0] + layer.bias_hh
    if len(layer.bias_hh) == 3 * len(hidden):
        return _gru_step(layer.inputs, recurrent, hidden)
    return _lstm_step(layer.inputs + recurrent, memory)[0]


def _pool(layer: Pool, rows: FloatArray, final_state: FloatArray | None = None) -> FloatArray:
    if layer.kind == "last":
        last: FloatArray = rows[-1]
        return last if final_state is None else final_state
    if layer.kind == "first":
        first: FloatArray = rows[0]
        return first
    if layer.kind == "all":
        return rows.reshape(-1)
    reduce: Any = np.mean if layer.kind == "mean" else np.max
    return cast(npt.NDArray[np.float32], reduce(rows, axis=0).astype(np.float32))
