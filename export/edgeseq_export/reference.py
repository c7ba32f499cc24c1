"""A plain numpy interpreter of a SeqSpec: what every exported model is measured against.

It computes with the spec's own int8 weights and rounds activations the way the layer's graph form does
at run time, so that a difference to an exported model is a lowering bug and never a quantization loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from edgeseq_export.quantize import ActivationQuantization, FloatArray, QuantizedTensor, Weight, as_float
from edgeseq_export.spec import GRU, LSTM, Cell, Linear, Pool, Recurrent, SeqSpec

Rounding = Mapping[str, ActivationQuantization]
Product = Callable[[FloatArray, Weight], FloatArray]
"""rows [M, K], weight [N, K] -> rows @ weight.T [M, N], in a layer's arithmetic."""

_NOISE = 1e-6


def run_reference(
    spec: SeqSpec,
    features: FloatArray,
    rounding: Rounding | None = None,
    noise: np.random.Generator | None = None,
) -> FloatArray:
    """Logits [C] float32 of one sequence.

    features: [T, I] float32, T >= 1. rounding: for each layer's name how activations are rounded before a
    product with int8 weights; a layer that is not named computes in fp32. noise: where given, activations
    change by about one part in a million before every product, as much as runtimes differ in their
    arithmetic, so that a rounding on the edge may fall to the other side. Raises ValueError on a shape that
    does not fit the spec.
    """
    if features.ndim != 2 or features.shape[1] != spec.input_features or not len(features):
        raise ValueError(f"features are {features.shape}, the model takes [T >= 1, {spec.input_features}]")
    value = features.astype(np.float32)
    final_state: FloatArray | None = None
    for layer in spec.layers:
        scheme = (rounding or {}).get(layer.name, ActivationQuantization.NONE)
        product = partial(matmul, scheme=scheme, noise=noise)
        if isinstance(layer, Pool):
            value = _pool(layer, value, final_state)
        elif isinstance(layer, Linear):
            value = product(np.atleast_2d(value), layer.weight).reshape(*value.shape[:-1], -1) + layer.bias
        else:
            value, final_state = _recurrent(layer, value, product)
    return value


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
    quantize = _per_row_int8 if scheme is ActivationQuantization.PER_ROW_INT8 else _per_tensor_uint8
    values, scale, zero_point = quantize(rows)
    # float64 holds every sum of int8 products exactly and is far quicker than an integer matrix product
    total = (values - zero_point).astype(np.float64) @ weight.values.T.astype(np.float64)
    return (total.astype(np.float32) * (scale * weight.scale)).astype(np.float32)


def _per_row_int8(rows: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
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


def _per_tensor_uint8(rows: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values, scale and zero point of ONNX Runtime's dynamic quantization.

    Source: GetQuantizationParameter in onnxruntime's core/util/qmath.h (ONNX DynamicQuantizeLinear).
    """
    low = np.float32(min(rows.min(), 0))
    high = np.float32(max(rows.max(), 0))
    scale = np.float32((high - low) / np.float32(255)) if high > low else np.float32(1)
    zero_point = np.float32(np.rint(np.clip(-low / scale, 0, 255)))
    values = np.clip(np.rint(rows / scale) + zero_point, 0, 255).astype(np.float32)
    return values, np.asarray(scale), np.asarray(zero_point)


def _sigmoid(value: FloatArray) -> FloatArray:
    return cast(FloatArray, np.float32(0.5) * (np.tanh(np.float32(0.5) * value) + np.float32(1)))


def _gru_step(cell: Cell, projected: FloatArray, state: FloatArray, product: Product) -> FloatArray:
    """projected: [3H] = W_i x + b_i; state: [1, H]; returns h' [1, H]."""
    H = cell.hidden
    recurrent = product(state, cell.weight_hh)[0] + cell.bias_hh
    r, z = np.split(_sigmoid(projected[: 2 * H] + recurrent[: 2 * H]), 2)
    n = np.tanh(projected[2 * H :] + r * recurrent[2 * H :])
    return cast(FloatArray, (n + z * (state[0] - n))[None])


def _scan_gru(cell: Cell, rows: FloatArray, product: Product) -> FloatArray:
    projected = product(rows, cell.weight_ih) + cell.bias_ih
    state = np.zeros((1, cell.hidden), np.float32)
    outputs = []
    for row in projected:
        state = _gru_step(cell, row, state, product)
        outputs.append(state[0])
    return np.stack(outputs)


def _scan_lstm(cell: Cell, rows: FloatArray, product: Product) -> FloatArray:
    projected = product(rows, cell.weight_ih) + (cell.bias_ih + cell.bias_hh)
    hidden = np.zeros((1, cell.hidden), np.float32)
    memory = np.zeros(cell.hidden, np.float32)
    outputs = []
    for row in projected:
        i, f, g, o = np.split(row + product(hidden, cell.weight_hh)[0], 4)
        memory = _sigmoid(f) * memory + _sigmoid(i) * np.tanh(g)
        hidden = (_sigmoid(o) * np.tanh(memory))[None]
        outputs.append(hidden[0])
    return np.stack(outputs)


def _recurrent(layer: Recurrent, rows: FloatArray, product: Product) -> tuple[FloatArray, FloatArray]:
    """All outputs [T, F] and the final states of the directions [F]."""
    scan = {GRU: _scan_gru, LSTM: _scan_lstm}[type(layer)]
    forward = scan(layer.forward, rows, product)
    if layer.backward is None:
        return forward, forward[-1]
    backward = scan(layer.backward, rows[::-1], product)[::-1]
    return np.concatenate([forward, backward], axis=1), np.concatenate([forward[-1], backward[0]])


def _pool(layer: Pool, rows: FloatArray, final_state: FloatArray | None) -> FloatArray:
    if layer.kind == "last":
        return rows[-1] if final_state is None else final_state
    reduce: Any = np.mean if layer.kind == "mean" else np.max
    return cast(npt.NDArray[np.float32], reduce(rows, axis=0).astype(np.float32))
