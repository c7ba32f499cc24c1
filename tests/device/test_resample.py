"""A change of sample rate keeps what both rates can carry, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.resample import resample


def tone(hz: float, rate_hz: int, count: int) -> np.ndarray:
    return np.cos(2 * np.pi * hz * np.arange(count) / rate_hz + 0.3).astype(np.float32)


RATES = [(16000, 8000), (44100, 16000), (8000, 16000), (48000, 44100), (11025, 8000), (50, 20)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_tone_below_both_limits_keeps_its_amplitude_and_its_time(from_hz: int, to_hz: int) -> None:
    count = max(from_hz // 4, 400)
    hz = 0.2 * min(from_hz, to_hz)
    answer = resample(tone(hz, from_hz, count), from_hz, to_hz)
    middle = slice(len(answer) // 4, 3 * len(answer) // 4)
    assert np.abs(answer - tone(hz, to_hz, len(answer)))[middle].max() < 1e-3


@pytest.mark.parametrize(("from_hz", "to_hz"), [(16000, 8000), (44100, 16000), (48000, 16000)])
def test_a_tone_that_the_lower_rate_cannot_carry_is_gone(from_hz: int, to_hz: int) -> None:
    answer = resample(tone(0.56 * to_hz, from_hz, from_hz // 4), from_hz, to_hz)
    middle = slice(len(answer) // 4, 3 * len(answer) // 4)
    assert np.abs(answer[middle]).max() < 1e-3


@given(
    count=st.integers(1, 300),
    from_hz=st.integers(1, 400),
    to_hz=st.integers(1, 400),
)
def test_the_length_is_the_duration_at_the_new_rate(count: int, from_hz: int, to_hz: int) -> None:
    answer = resample(np.ones(count, np.float32), from_hz, to_hz)
    assert len(answer) == -(-count * to_hz // from_hz)
    assert answer.dtype == np.float32


def test_a_constant_stays_that_constant_away_from_the_ends() -> None:
    answer = resample(np.full(4000, 0.25, np.float32), 44100, 16000)
    assert np.allclose(answer[100:-100], 0.25, atol=1e-6)


def test_channels_are_resampled_apart() -> None:
    left, right = tone(100, 8000, 800), tone(900, 8000, 800)
    both = resample(np.stack([left, right], axis=1), 8000, 16000)
    assert np.array_equal(both[:, 0], resample(left, 8000, 16000))
    assert np.array_equal(both[:, 1], resample(right, 8000, 16000))


def test_the_same_rate_leaves_the_samples_alone() -> None:
    samples = tone(100, 8000, 80)
    assert resample(samples, 8000, 8000) is samples


@pytest.mark.parametrize("rate", [0, -8000, 8000.5])
def test_a_rate_that_is_no_positive_whole_number_is_refused(rate: int) -> None:
    with pytest.raises(UsageError, match="sample rate"):
        resample(np.ones(8, np.float32), rate, 8000)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(2**31 - 1, 8000), (8000, 2**31 - 1), (767_999, 768_000)])
def test_a_ratio_that_needs_a_huge_filter_is_refused(from_hz: int, to_hz: int) -> None:
    with pytest.raises(DataError, match=f"{from_hz} Hz cannot be brought to {to_hz} Hz"):
        resample(np.ones(8, np.float32), from_hz, to_hz)
