"""The one quantized tensor type and the rules that make it.

Weights are symmetric int8, one scale per output channel (axis 0), zero point 0, values in [-127, 127].
-128 is never used: on cores without the dotprod extension the int8 kernels add products in 16 bits,
and two products of -128 overflow there while every desktop CPU hides it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Union

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Int8Array = npt.NDArray[np.int8]

INT8_MAX = 127


class ActivationQuantization(enum.Enum):
    """How a graph form rounds the activations that enter an int8 matrix product, at run time."""

    NONE = "none"
    """fp32 compute: the int8 weights are widened when the model loads."""
    PER_ROW_INT8 = "per_row_int8"
    """LiteRT's hybrid kernels: one asymmetric int8 scale per row of the activation matrix."""
    PER_TENSOR_UINT8 = "per_tensor_uint8"
    """ONNX Runtime's dynamic quantization: one asymmetric uint8 scale over all rows."""
    PER_ROW_UINT8 = "per_row_uint8"
    """The same where a step form has one row: each frame's scale is its own."""


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """A weight matrix [N, K] in symmetric per-channel int8.

    values: [N, K] int8 in [-127, 127]; scale: [N] float32; the weight is values * scale[:, None].
    """

    values: Int8Array
    scale: FloatArray

    def __post_init__(self) -> None:
        if self.values.dtype != np.int8 or self.scale.shape != self.values.shape[:1]:
            raise ValueError(
                f"scale {self.scale.shape} does not fit values {self.values.shape} {self.values.dtype}"
            )
        if self.values.size and int(self.values.min()) < -INT8_MAX:
            raise ValueError("a weight of -128 overflows the int8 kernels of cores without dotprod")

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, K], like an array's."""
        return self.values.shape

    @property
    def nbytes(self) -> int:
        """Bytes of the int8 values and their scales."""
        return self.values.nbytes + self.scale.nbytes

    def dequantize(self) -> FloatArray:
        """The [N, K] float32 weight these int8 values stand for."""
        return self.values.astype(np.float32) * self.scale[:, None]


Weight = Union[FloatArray, QuantizedTensor]  # noqa: UP007 - a runtime alias that Python 3.9 can evaluate


def quantize_per_channel(weight: FloatArray) -> QuantizedTensor:
    """Round a [N, K] float32 weight to the nearest symmetric int8 grid of each output channel.

    scale_n = max_k |w_nk| / 127 (Krishnamoorthi 2018, arXiv 1806.08342, eq. 7 with a narrow range).
    A channel that is zero, or too small for a normal float32 scale, becomes zero with scale 1.
    Raises ValueError on NaN or infinity.
    """
    if not np.isfinite(weight).all():
        raise ValueError("weight holds NaN or infinity")
    scale = (np.abs(weight).max(axis=1) / INT8_MAX).astype(np.float32)
    scale = np.where(scale >= np.finfo(np.float32).tiny, scale, np.float32(1))
    values = np.clip(np.rint(weight / scale[:, None]), -INT8_MAX, INT8_MAX).astype(np.int8)
    return QuantizedTensor(values, scale)


def as_float(weight: Weight) -> FloatArray:
    """The float32 weight, dequantized where it is int8."""
    return weight.dequantize() if isinstance(weight, QuantizedTensor) else weight


def take_rows(weight: Weight, rows: slice | npt.NDArray[np.int64]) -> Weight:
    """Some output channels of a weight [N, K]; an int8 weight keeps their scales."""
    if isinstance(weight, QuantizedTensor):
        return QuantizedTensor(weight.values[rows], weight.scale[rows])
    taken: FloatArray = weight[rows]
    return taken
