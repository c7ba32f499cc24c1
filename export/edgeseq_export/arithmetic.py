"""A matrix product in the arithmetic of the runtimes: how each of them rounds activations to 8 bits."""

from __future__ import annotations

import numpy as np

from edgeseq_export.quantize import ActivationQuantization, FloatArray, QuantizedTensor, Weight, as_float

_NOISE = 1e-6
_Rounded = tuple[FloatArray, FloatArray, FloatArray]
"""Values, and scales and zero points that broadcast to them."""


def matmul(
    rows: FloatArray,
    weight: Weight,
    scheme: ActivationQuantization,
    noise: np.random.Generator | None = None,
) -> FloatArray:
    """rows [M, K] @ weight [N, K].T -> [M, N] float32, with the int8 arithmetic of `scheme`."""
    if noise is not None:
        rows = rows * (1 + np.float32(_NOISE) * noise.standard_normal(rows.shape, np.float32))
    if scheme is ActivationQuantization.NONE or not isinstance(weight, QuantizedTensor):
        return rows @ as_float(weight).T
    values, scale, zero_point = _ROUNDINGS[scheme](rows)
    # float64 holds every sum of int8 products exactly and is far quicker than an integer matrix product
    total = (values - zero_point).astype(np.float64) @ weight.values.T.astype(np.float64)
    return (total.astype(np.float32) * (scale * weight.scale)).astype(np.float32)


def _per_row_int8(rows: FloatArray) -> _Rounded:
    """Values, scale [M, 1] and zero point [M, 1] of XNNPACK's qd8 conversion.

    Source: xnn_f32_qd8_asymmetric_quantization_params in XNNPACK's src/xnnpack/quantization.h; of the
    two zero points that the range's ends give, it takes the one with the smaller error.
    """
    low = np.minimum(rows.min(axis=1, keepdims=True), 0).astype(np.float32)
    high = np.maximum(rows.max(axis=1, keepdims=True), 0).astype(np.float32)
    span = high - low
    inverse = np.where(span > 0, np.float32(255) / np.where(span > 0, span, 1), 1).astype(np.float32)
    from_low, from_high = low * inverse, high * inverse
    exact = np.where((-128 + from_low) + (127 + from_high) > 0, -128 - from_low, 127 - from_high)
    zero_point = np.rint(np.clip(exact, -128, 127)).astype(np.float32)
    values = np.clip(np.rint(rows * inverse) + zero_point, -128, 127).astype(np.float32)
    return values, (np.float32(1) / inverse).astype(np.float32), zero_point


def _per_tensor_uint8(rows: FloatArray) -> _Rounded:
    return _uint8(rows, rows.min(keepdims=True), rows.max(keepdims=True))


def _per_row_uint8(rows: FloatArray) -> _Rounded:
    return _uint8(rows, rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True))


def _uint8(rows: FloatArray, lowest: FloatArray, highest: FloatArray) -> _Rounded:
    """Values, scale and zero point of ONNX Runtime's dynamic quantization of the rows of a range.

    Source: GetQuantizationParameter in onnxruntime's core/util/qmath.h (ONNX DynamicQuantizeLinear).
    """
    low, high = np.minimum(lowest, np.float32(0)), np.maximum(highest, np.float32(0))
    scale = np.where(high > low, (high - low) / np.float32(255), np.float32(1)).astype(np.float32)
    zero_point = np.rint(np.clip(-low / scale, 0, 255)).astype(np.float32)
    values = np.clip(np.rint(rows / scale) + zero_point, 0, 255).astype(np.float32)
    return values, scale, zero_point


_ROUNDINGS = {
    ActivationQuantization.PER_ROW_INT8: _per_row_int8,
    ActivationQuantization.PER_TENSOR_UINT8: _per_tensor_uint8,
    ActivationQuantization.PER_ROW_UINT8: _per_row_uint8,
}
