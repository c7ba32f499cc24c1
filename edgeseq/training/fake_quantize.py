"""Matrix products with the rounding of the exported int8 model, and gradients that pass straight through it.

Forward, every product is the one of `edgeseq_export.arithmetic`, sums of whole numbers included; backward, it
is the product of the rounded factors, as if rounding had slope 1 (Bengio et al. 2013, arXiv 1308.3432,
section 4; Jacob et al. 2018, arXiv 1712.05877, section 3). Shapes: B recordings, T rows, K inputs, N outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgeseq_export.quantize import INT8_MAX, ActivationQuantization

# Tensors, because a division by or of a Python number multiplies with a reciprocal, which rounds otherwise.
_ONE, _LEVELS, _INT8_MAX = torch.tensor(1.0), torch.tensor(255.0), torch.tensor(float(INT8_MAX))


@dataclass(frozen=True, eq=False)
class RoundedRows:
    """Activations [B, T, K] in 8 bits: values less their zero point, whole numbers, times scale."""

    values: Tensor
    scale: Tensor


@dataclass(frozen=True, eq=False)
class Int8Matrix:
    """A weight [N, K] in int8: grid [N, K] whole numbers in [-127, 127] times scale [N].

    weight: [N, K] float32, what was rounded: gradients are its own.
    """

    weight: Tensor
    grid: Tensor
    scale: Tensor

    def widened(self) -> Tensor:
        """[N, K] float32: what the int8 values stand for."""
        found: Tensor = _StraightThrough.apply(self.weight, self.grid * self.scale[:, None])  # type: ignore[no-untyped-call]
        return found


def int8_matrix(weight: Tensor) -> Int8Matrix:
    """The weight [N, K] rounded as `edgeseq_export.quantize.quantize_per_channel` does."""
    with torch.no_grad():
        scale = weight.abs().amax(dim=1) / _INT8_MAX
        scale = torch.where(scale >= torch.finfo(torch.float32).tiny, scale, _ONE)
        grid = torch.round(weight / scale[:, None]).clamp(-INT8_MAX, INT8_MAX)
    return Int8Matrix(weight, grid, scale)


def product(
    rows: Tensor, matrix: Tensor | Int8Matrix, scheme: ActivationQuantization, inside: Tensor | None
) -> Tensor:
    """rows [B, T, K] -> rows @ weight.T [B, T, N], as `edgeseq_export.arithmetic.matmul` of each recording.

    inside: [B, T], True for the rows that are there, None where all are: one scale over all rows of a
    recording never sees its padding.
    """
    if not isinstance(matrix, Int8Matrix):
        return rows @ matrix.T
    if scheme is ActivationQuantization.NONE:
        return rows @ matrix.widened().T
    with torch.no_grad():
        if scheme is ActivationQuantization.PER_TENSOR_UINT8:
            rounded = per_tensor_uint8(rows, inside)
        else:
            per_row = per_row_int8 if scheme is ActivationQuantization.PER_ROW_INT8 else per_row_uint8
            rounded = per_row(rows)
    found: Tensor = _Int8Product.apply(rows, matrix.weight, rounded, matrix)  # type: ignore[no-untyped-call]
    return found


def per_row_int8(rows: Tensor) -> RoundedRows:
    """XNNPACK's rounding of rows [..., K], each for itself; scale [..., 1]."""
    low, high = rows.amin(dim=-1, keepdim=True).clamp(max=0), rows.amax(dim=-1, keepdim=True).clamp(min=0)
    span = high - low
    inverse = torch.where(span > 0, torch.div(_LEVELS, span), _ONE)
    from_low, from_high = low * inverse, high * inverse
    exact = torch.where((-128 + from_low) + (127 + from_high) > 0, -128 - from_low, 127 - from_high)
    zero_point = torch.round(exact.clamp(-128, 127))
    values = (torch.round(rows * inverse) + zero_point).clamp(-128, 127) - zero_point
    return RoundedRows(values, torch.div(_ONE, inverse))


def per_tensor_uint8(rows: Tensor, inside: Tensor | None = None) -> RoundedRows:
    """ONNX Runtime's rounding of rows [B, T, K], one scale [B, 1, 1] for each recording's own rows."""
    there = rows if inside is None else rows.masked_fill(~inside[:, :, None], 0)
    return _uint8(rows, there.amin(dim=(1, 2), keepdim=True), there.amax(dim=(1, 2), keepdim=True))


def per_row_uint8(rows: Tensor) -> RoundedRows:
    """The same of rows [..., K], each for itself, as its step forms have one; scale [..., 1]."""
    return _uint8(rows, rows.amin(dim=-1, keepdim=True), rows.amax(dim=-1, keepdim=True))


def _uint8(rows: Tensor, lowest: Tensor, highest: Tensor) -> RoundedRows:
    low, high = lowest.clamp(max=0), highest.clamp(min=0)
    scale = torch.where(high > low, torch.div(high - low, _LEVELS), _ONE)
    zero_point = torch.round((-low / scale).clamp(0, 255))
    return RoundedRows((torch.round(rows / scale) + zero_point).clamp(0, 255) - zero_point, scale)


class _StraightThrough(torch.autograd.Function):
    """Forward the rounded value, backward the gradient of the value behind it."""

    @staticmethod
    def forward(_context: Any, _value: Tensor, rounded: Tensor) -> Tensor:
        return rounded

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Int8Product(torch.autograd.Function):
    """Sums of whole numbers, exact in float32 up to 2^24, then the scales: in the runtimes' order."""

    @staticmethod
    def forward(
        context: Any, _rows: Tensor, _weight: Tensor, rounded: RoundedRows, matrix: Int8Matrix
    ) -> Tensor:
        context.save_for_backward(rounded.values, rounded.scale, matrix.grid, matrix.scale)
        return (rounded.values @ matrix.grid.T) * (rounded.scale * matrix.scale)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        values, row_scale, grid, scale = context.saved_tensors
        into_rows = (gradients[0] * scale) @ grid
        scaled = (gradients[0] * row_scale).flatten(0, -2)
        return into_rows, scaled.T @ values.flatten(0, -2), None, None
