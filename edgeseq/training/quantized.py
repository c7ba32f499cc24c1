"""A batched torch interpreter of a SeqSpec: what the exported int8 model answers, with gradients.

It does for many padded recordings at once what `edgeseq_export.reference` does for one in numpy. The spec's
weights may be arrays or, from `module.to_spec(leaf=lambda p: p)`, live parameters.
Shapes: B recordings, T rows (padded), F features of a row, H hidden units, C classes; of a forecaster B
contexts of C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from edgeseq.training.fake_quantize import Int8Matrix, int8_matrix, product
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
from edgeseq_export.quantize import ActivationQuantization
from edgeseq_export.reference import Rounding, patch_moments, rotary_frequencies
from edgeseq_export.spec import SeqSpec, quantized_layers


def quantized_logits(
    spec: SeqSpec,
    features: Tensor,
    lengths: Tensor,
    rounding: Rounding,
    int8: Collection[str] | None = None,
) -> Tensor:
    """Logits [B, C] float32 of padded recordings, or forecasts [B, horizon * C] of contexts, as
    `run_reference(quantize_spec(spec), ...)` of each.

    features: [B, T, F] float32, or int64 ids; lengths: [B] int64, each in 1..T. rounding: by layer how
    activations are rounded before a product with int8 weights. int8: names of the layers that are quantized,
    None: all. Gradients pass straight through every rounding. Raises ValueError naming a Positions layer that
    is too short.
    """
    names = frozenset(quantized_layers(spec) if int8 is None else int8)
    rows = _Layers(rounding, names).run(spec.layers, _Rows(features, lengths))
    return rows.values.flatten(1)


@dataclass(frozen=True, eq=False)
class _Rows:
    """values: [B, T, F]; lengths: [B]; states: of the recurrent layer just before, the last output of each of
    its directions [B, F], then of an LSTM the forward memory [B, H]."""

    values: Tensor
    lengths: Tensor
    states: tuple[Tensor, ...] = ()

    def inside(self) -> Tensor:
        """[B, T]: True where a recording has a row."""
        return torch.arange(self.values.shape[1]) < self.lengths[:, None]

    def last(self) -> Tensor:
        """[B, F]: each recording's last row."""
        return self.values[torch.arange(len(self.values)), self.lengths - 1]


@dataclass(frozen=True, eq=False)
class _Layers:
    rounding: Rounding
    int8: frozenset[str]

    def run(self, layers: tuple[Layer, ...], rows: _Rows) -> _Rows:
        for layer in layers:
            rows = self._layer(layer, rows)
        return rows

    def _layer(self, layer: Layer, rows: _Rows) -> _Rows:
        if isinstance(layer, (GRU, LSTM)):
            return self._recurrent(layer, rows)
        if isinstance(layer, Pool):
            return _Rows(_pooled(layer, rows)[:, None], torch.ones_like(rows.lengths))
        if isinstance(layer, ClassToken):
            token = _tensor(layer.token).expand(len(rows.values), 1, -1)
            return _Rows(torch.cat([token, rows.values], dim=1), rows.lengths + 1)
        if isinstance(layer, Residual):
            return _Rows(rows.values + self.run(layer.layers, rows).values, rows.lengths)
        if isinstance(layer, (Patches, ParallelSteps, PerChannel, Reversible)):
            values = self._of_forecaster(layer, rows)
            return _Rows(values, torch.full((len(values),), values.shape[1]))
        return _Rows(self._row_by_row(layer, rows), rows.lengths)

    def _row_by_row(
        self, layer: Embedding | Linear | Norm | CausalConv | Attention | Positions, rows: _Rows
    ) -> Tensor:
        if isinstance(layer, Embedding):
            return self._embedded(layer, rows.values)
        if isinstance(layer, Norm):
            gain, bias = _tensor(layer.gain), _tensor(layer.bias)
            return functional.layer_norm(rows.values, gain.shape, gain, bias, layer.epsilon)
        if isinstance(layer, Positions):
            return rows.values + _positions(layer, rows.values.shape[1])
        if isinstance(layer, Attention):
            return self._attention(layer, rows)
        values = rows.values
        if isinstance(layer, CausalConv):
            values = _rows_before(values, layer.kernel)
        found = self._product(layer, layer.weight, rows)(values) + _tensor(layer.bias)
        return _ACTIVATIONS[layer.activation](found)

    def _of_forecaster(self, layer: Patches | ParallelSteps | PerChannel | Reversible, rows: _Rows) -> Tensor:
        """[B, T', F']; all rows are there."""
        if isinstance(layer, Patches):
            return rows.values[:, torch.from_numpy(patch_moments(layer, rows.values.shape[1])), 0]
        if isinstance(layer, ParallelSteps):
            return self._parallel_steps(layer, rows)
        B, T, C = rows.values.shape
        if isinstance(layer, PerChannel):
            apart = rows.values.transpose(1, 2).reshape(B * C, T, 1)
            answers = self.run(layer.layers, _Rows(apart, torch.full((B * C,), T))).values
            return answers.reshape(B, C, -1).transpose(1, 2)
        if layer.kind == "last":
            last = rows.values[:, -1:]
            return self.run(layer.layers, _Rows(rows.values - last, rows.lengths)).values + last
        mean = rows.values.mean(dim=1, keepdim=True)
        centred = rows.values - mean
        scale = torch.sqrt(centred.square().mean(dim=1, keepdim=True) + layer.epsilon)
        return self.run(layer.layers, _Rows(centred / scale, rows.lengths)).values * scale + mean

    def _parallel_steps(self, layer: ParallelSteps, rows: _Rows) -> Tensor:
        """[B, M, H]: each of the M inputs from the same states."""
        matrix, scheme = self._matrix(layer, layer.weight_hh), self._scheme(layer)
        recurrent = product(rows.states[0][:, None], matrix, scheme, None) + _tensor(layer.bias_hh)
        states = tuple(state[:, None] for state in rows.states)
        return _step(_tensor(layer.inputs), recurrent, states)[0]

    def _embedded(self, layer: Embedding, ids: Tensor) -> Tensor:
        """ids [B, T, K] -> [B, T, D]. Each row has its own scale: only those that ids name are rounded."""
        named, places = torch.unique(ids, return_inverse=True)
        rows = functional.embedding(named, _tensor(layer.weight), padding_idx=0)
        if layer.name in self.int8:
            rows = int8_matrix(rows).widened()
        return functional.embedding(places, rows).sum(dim=2)

    def _product(self, layer: Layer, weight: Any, rows: _Rows) -> Callable[[Tensor], Tensor]:
        """[B, T, K] -> [B, T, N] with `weight`, rounded once for as many products as follow."""
        matrix, scheme = self._matrix(layer, weight), self._scheme(layer)
        inside = rows.inside()
        return lambda values: product(values, matrix, scheme, inside)

    def _matrix(self, layer: Layer, weight: Any) -> Tensor | Int8Matrix:
        return int8_matrix(_tensor(weight)) if layer.name in self.int8 else _tensor(weight)

    def _scheme(self, layer: Layer) -> ActivationQuantization:
        return self.rounding.get(layer.name, ActivationQuantization.NONE)

    def _attention(self, layer: Attention, rows: _Rows) -> Tensor:
        B, T, _ = rows.values.shape
        qkv = self._product(layer, layer.weight_qkv, rows)(rows.values) + _tensor(layer.bias_qkv)
        q, k, v = (part.reshape(B, T, layer.heads, -1).transpose(1, 2) for part in qkv.chunk(3, dim=2))
        if layer.rotary:
            q, k = _turned(q), _turned(k)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        weights = scores.masked_fill(~_seen(layer, rows), -torch.inf).softmax(dim=3)
        joined = (weights @ v).transpose(1, 2).reshape(B, T, -1)
        return self._product(layer, layer.weight_out, rows)(joined) + _tensor(layer.bias_out)

    def _recurrent(self, layer: Recurrent, rows: _Rows) -> _Rows:
        forward, *memory = self._scan(layer, layer.forward, rows)
        final = _Rows(forward, rows.lengths).last()
        if layer.backward is None:
            return _Rows(forward, rows.lengths, (final, *memory))
        turned = _Rows(_reversed(rows.values, rows.lengths), rows.lengths)
        backward = self._scan(layer, layer.backward, turned)[0]
        final = torch.cat([final, _Rows(backward, rows.lengths).last()], dim=1)
        both = torch.cat([forward, _reversed(backward, rows.lengths)], dim=2)
        return _Rows(both, rows.lengths, (final, *memory))

    def _scan(self, layer: Recurrent, cell: Cell, rows: _Rows) -> tuple[Tensor, ...]:
        """All outputs [B, T, H], those after a recording's end mean nothing; and of an LSTM the memory [B, H]
        behind the last row, which is that of recordings of full length alone."""
        projected = self._product(layer, cell.weight_ih, rows)(rows.values) + _tensor(cell.bias_ih)
        matrix, scheme = self._matrix(layer, cell.weight_hh), self._scheme(layer)
        bias, zeros = _tensor(cell.bias_hh), projected.new_zeros(len(projected), cell.hidden)
        states: tuple[Tensor, ...] = (zeros,) if isinstance(layer, GRU) else (zeros, zeros)
        outputs = []
        for frame in projected.unbind(1):
            # a step's product has one row of each recording
            recurrent = product(states[0][:, None], matrix, scheme, None)[:, 0] + bias
            states = _step(frame, recurrent, states)
            outputs.append(states[0])
        return torch.stack(outputs, dim=1), *states[1:]


def _step(projected: Tensor, recurrent: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """projected: W_i x + b_i; recurrent: W_h h + b_h, [.., G*H]; states: a GRU's h [.., H], an LSTM's h and
    c. The next states."""
    if len(states) == 1:
        (h,), H = states, states[0].shape[-1]
        r, z = torch.sigmoid(projected[..., : 2 * H] + recurrent[..., : 2 * H]).chunk(2, dim=-1)
        n = torch.tanh(projected[..., 2 * H :] + r * recurrent[..., 2 * H :])
        return (n + z * (h - n),)
    i, f, g, o = (projected + recurrent).chunk(4, dim=-1)
    c = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "none": lambda value: value,
    "relu": torch.relu,
    "gelu": functional.gelu,
}


def _tensor(leaf: Any) -> Tensor:
    return torch.as_tensor(leaf)


def _pooled(layer: Pool, rows: _Rows) -> Tensor:
    """[B, F]."""
    if layer.kind == "last":
        return rows.states[0] if rows.states else rows.last()
    if layer.kind == "first":
        return rows.values[:, 0]
    if layer.kind == "all":
        return rows.values.flatten(1)
    inside = rows.inside()[:, :, None]
    if layer.kind == "mean":
        return rows.values.masked_fill(~inside, 0).sum(dim=1) / rows.lengths[:, None]
    return rows.values.masked_fill(~inside, -torch.inf).amax(dim=1)


def _positions(layer: Positions, T: int) -> Tensor:
    table = _tensor(layer.table)
    if len(table) < T:
        raise ValueError(f"{layer.name}: {T} frames, it knows {len(table)} positions")
    return table[:T]


def _rows_before(values: Tensor, kernel: int) -> Tensor:
    """[B, T, F] -> [B, T, kernel * F]: each row behind the kernel - 1 before it, zeros before the first."""
    T = values.shape[1]
    lengthened = functional.pad(values, (0, 0, kernel - 1, 0))
    return torch.cat([lengthened[:, k : k + T] for k in range(kernel)], dim=2)


def _reversed(values: Tensor, lengths: Tensor) -> Tensor:
    """[B, T, F] with each recording's own rows in reverse and its padding where it was."""
    T = values.shape[1]
    frame = torch.arange(T).expand(len(values), T)
    source = torch.where(frame < lengths[:, None], lengths[:, None] - 1 - frame, frame)
    return values.gather(1, source[:, :, None].expand_as(values))


def _seen(layer: Attention, rows: _Rows) -> Tensor:
    """[B, 1, T, T]: whether the row may look at the column. Padding looks at everything that is there."""
    seen = rows.inside()[:, None, None, :]
    if layer.window is None:
        return seen
    frame = torch.arange(rows.values.shape[1])
    age = frame[:, None] - frame[None, :]
    # a row of padding must see something, or its weights were NaN: it sees itself
    return ((age >= 0) & (age < layer.window) & seen) | (age == 0)


def _turned(heads: Tensor) -> Tensor:
    """[B, heads, T, d] with the pairs (i, i + d/2) of frame t turned by t times their frequency."""
    frequencies = torch.from_numpy(rotary_frequencies(heads.shape[3]))
    angle = torch.arange(heads.shape[2], dtype=torch.float32)[:, None] * frequencies
    cos, sin = torch.cos(angle), torch.sin(angle)
    first, second = heads.chunk(2, dim=3)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=3)
