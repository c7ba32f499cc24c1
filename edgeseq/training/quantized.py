"""A batched torch interpreter of a SeqSpec: what the exported int8 model answers, with gradients.

It does for many padded recordings at once what `edgeseq_export.reference` does for one in numpy. The spec's
weights may be arrays or, from `module.to_spec(leaf=lambda p: p)`, live parameters.
Shapes: B recordings, T rows (padded), F features of a row, H hidden units, C classes.
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
from edgeseq_export.quantize import ActivationQuantization
from edgeseq_export.reference import Rounding, rotary_frequencies
from edgeseq_export.spec import (
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
    Pool,
    Positions,
    Recurrent,
    Residual,
    SeqSpec,
    quantized_layers,
)


def quantized_logits(
    spec: SeqSpec,
    features: Tensor,
    lengths: Tensor,
    rounding: Rounding,
    int8: Collection[str] | None = None,
) -> Tensor:
    """Logits [B, C] float32 of padded recordings, as `run_reference(quantize_spec(spec), ...)` of each.

    features: [B, T, F] float32, or int64 ids; lengths: [B] int64, each in 1..T. rounding: by layer how
    activations are rounded before a product with int8 weights. int8: names of the layers that are quantized,
    None: all. Gradients pass straight through every rounding. Raises ValueError naming a Positions layer that
    is too short.
    """
    names = frozenset(quantized_layers(spec) if int8 is None else int8)
    rows = _Layers(rounding, names).run(spec.layers, _Rows(features, lengths))
    return rows.values[:, 0]


@dataclass(frozen=True, eq=False)
class _Rows:
    """values: [B, T, F]; lengths: [B]; final: [B, F], the states of the recurrent layer just before."""

    values: Tensor
    lengths: Tensor
    final: Tensor | None = None

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
        if isinstance(layer, Embedding):
            return _Rows(self._embedded(layer, rows.values), rows.lengths)
        if isinstance(layer, Residual):
            return _Rows(rows.values + self.run(layer.layers, rows).values, rows.lengths)
        return _Rows(self._row_by_row(layer, rows), rows.lengths)

    def _row_by_row(self, layer: Linear | Norm | CausalConv | Attention | Positions, rows: _Rows) -> Tensor:
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
        forward = self._scan(layer, layer.forward, rows)
        final = _Rows(forward, rows.lengths).last()
        if layer.backward is None:
            return _Rows(forward, rows.lengths, final)
        turned = _Rows(_reversed(rows.values, rows.lengths), rows.lengths)
        backward = self._scan(layer, layer.backward, turned)
        final = torch.cat([final, _Rows(backward, rows.lengths).last()], dim=1)
        both = torch.cat([forward, _reversed(backward, rows.lengths)], dim=2)
        return _Rows(both, rows.lengths, final)

    def _scan(self, layer: Recurrent, cell: Cell, rows: _Rows) -> Tensor:
        """All outputs [B, T, H]; those after a recording's end mean nothing."""
        projected = self._product(layer, cell.weight_ih, rows)(rows.values) + _tensor(cell.bias_ih)
        matrix, scheme = self._matrix(layer, cell.weight_hh), self._scheme(layer)
        bias = _tensor(cell.bias_hh)

        def recurrent(state: Tensor) -> Tensor:
            """[B, H] -> [B, G*H]; a step's product has one row of each recording."""
            return product(state[:, None], matrix, scheme, None)[:, 0]

        scan = _scan_gru if isinstance(layer, GRU) else _scan_lstm
        return scan(projected, bias, recurrent)


def _scan_gru(projected: Tensor, bias: Tensor, recurrent: Callable[[Tensor], Tensor]) -> Tensor:
    """projected: [B, T, 3H] = W_i x + b_i; bias: [3H]; recurrent: h [B, H] -> W_h h [B, 3H]."""
    H = projected.shape[2] // 3
    state = projected.new_zeros(len(projected), H)
    outputs = []
    for frame in projected.unbind(1):
        inner = recurrent(state) + bias
        r, z = torch.sigmoid(frame[:, : 2 * H] + inner[:, : 2 * H]).chunk(2, dim=1)
        n = torch.tanh(frame[:, 2 * H :] + r * inner[:, 2 * H :])
        state = n + z * (state - n)
        outputs.append(state)
    return torch.stack(outputs, dim=1)


def _scan_lstm(projected: Tensor, bias: Tensor, recurrent: Callable[[Tensor], Tensor]) -> Tensor:
    """projected: [B, T, 4H] = W_i x + b_i; bias: [4H]; recurrent: h [B, H] -> W_h h [B, 4H]."""
    H = projected.shape[2] // 4
    state = memory = projected.new_zeros(len(projected), H)
    outputs = []
    for frame in (projected + bias).unbind(1):
        i, f, g, o = (frame + recurrent(state)).chunk(4, dim=1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        state = torch.sigmoid(o) * torch.tanh(memory)
        outputs.append(state)
    return torch.stack(outputs, dim=1)


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
        return rows.last() if rows.final is None else rows.final
    if layer.kind == "first":
        return rows.values[:, 0]
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
