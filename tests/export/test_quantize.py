import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeseq_export.quantize import QuantizedTensor, quantize_per_channel, take_rows

WEIGHTS = hnp.arrays(np.float32, (3, 5), elements=st.floats(-1e3, 1e3, width=32))


@given(WEIGHTS)
def test_every_weight_is_within_half_a_step_of_what_it_stands_for(weight: np.ndarray) -> None:
    quantized = quantize_per_channel(weight)
    largest = np.abs(weight).max(axis=1, keepdims=True)
    smallest_normal_range = 127 * np.finfo(np.float32).tiny
    assert (np.abs(quantized.dequantize() - weight) <= largest / 127 * 0.5001 + smallest_normal_range).all()


@given(WEIGHTS)
def test_minus_128_is_never_used(weight: np.ndarray) -> None:
    assert quantize_per_channel(weight).values.min() >= -127


def test_the_largest_weight_of_each_channel_takes_the_whole_range() -> None:
    quantized = quantize_per_channel(np.array([[0.5, -2.0], [0.01, 0.0025]], np.float32))
    assert quantized.values.tolist() == [[32, -127], [127, 32]]


def test_a_channel_of_zeros_stays_zero() -> None:
    quantized = quantize_per_channel(np.zeros((2, 4), np.float32))
    assert (quantized.dequantize() == 0).all()
    assert np.isfinite(quantized.scale).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_weight_that_is_not_a_number_is_refused(poison: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantize_per_channel(np.array([[1.0, poison]], np.float32))


def test_a_tensor_with_minus_128_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="-128"):
        QuantizedTensor(np.array([[-128]], np.int8), np.ones(1, np.float32))


def test_taken_rows_keep_their_scales() -> None:
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    taken = take_rows(quantize_per_channel(weight), np.array([2, 0]))
    assert np.allclose(
        taken.dequantize() if isinstance(taken, QuantizedTensor) else taken, weight[[2, 0]], atol=0.05
    )
