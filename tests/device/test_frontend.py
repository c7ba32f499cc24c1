"""The front end that training and the board share."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import FrontEnd, LogMel, Standardise, front_end_from_dict
from edgeseq_device.mel import mel_filters

FITTED = [
    LogMel(8000, mels=3, mean=(0.5, -1.0, 2.0), scale=(1.0, 2.0, 0.1)),
    Standardise(2, 50, mean=(0.1, 1e-7), scale=(3.0, 1 / 3)),
]


def noise(count: int, seed: int = 0, channels: int | None = None) -> np.ndarray:
    shape = count if channels is None else (count, channels)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def naive_log_mel(front_end: LogMel, samples: np.ndarray) -> np.ndarray:
    """The definition, written out: one frame, one frequency, one filter at a time."""
    frame, hop = front_end.frame_samples, front_end.hop_samples
    size = 256
    window = [0.5 - 0.5 * np.cos(2 * np.pi * i / frame) for i in range(frame)]

    def mel(hz: float) -> float:
        return 2595 * np.log10(1 + hz / 700)

    edges = np.linspace(mel(front_end.low_hz), mel(front_end.sample_rate_hz / 2), front_end.mels + 2)
    corners = [700 * (10 ** (edge / 2595) - 1) for edge in edges]
    rows = []
    for start in range(0, len(samples) - frame + 1, hop):
        piece = np.array([samples[start + i] * window[i] for i in range(frame)], np.float64)
        power = []
        for k in range(size // 2 + 1):
            wave = np.exp(-2j * np.pi * k * np.arange(frame) / size)
            power.append(abs(np.sum(piece * wave)) ** 2 / sum(w * w for w in window))
        row = []
        for m in range(front_end.mels):
            low, peak, high = corners[m : m + 3]
            total = 0.0
            for k, p in enumerate(power):
                hz = k * front_end.sample_rate_hz / size
                weight = (hz - low) / (peak - low) if hz < peak else (high - hz) / (high - peak)
                total += max(0.0, weight) * p
            row.append(np.log(max(total, front_end.floor)))
        rows.append(row)
    return np.array(rows)


def test_log_mel_agrees_with_the_definition_written_out() -> None:
    front_end = LogMel(8000, mels=10)
    samples = noise(520)
    assert np.allclose(front_end.raw(samples), naive_log_mel(front_end, samples), atol=1e-4)


def test_a_tone_is_loudest_in_the_filter_around_it() -> None:
    front_end = LogMel(8000)
    samples = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000).astype(np.float32)
    centres = 700 * (
        10 ** (np.linspace(*(2595 * np.log10(1 + np.array([20, 4000]) / 700)), 42)[1:-1] / 2595) - 1
    )
    loudest = front_end.raw(samples).mean(axis=0).argmax()
    assert loudest == np.abs(centres - 1000).argmin()


def test_the_power_unit_does_not_depend_on_the_frame_length() -> None:
    samples = noise(16000)
    short = LogMel(8000, frame_ms=25, mels=20).raw(samples).mean()
    long = LogMel(8000, frame_ms=100, hop_ms=10, mels=20, high_hz=4000.0).raw(samples).mean()
    bins_per_filter = np.log(1024 / 256)
    assert abs(long - short - bins_per_filter) < 0.2


@settings(max_examples=30)
@given(seconds=st.floats(0.03, 0.4), cut=st.floats(0.1, 1.0))
def test_a_frame_never_depends_on_later_samples(seconds: float, cut: float) -> None:
    front_end = LogMel(8000)
    samples = noise(int(8000 * seconds))
    part = samples[: max(front_end.frame_samples, int(len(samples) * cut))]
    early = front_end.raw(part)
    assert np.array_equal(front_end.raw(samples)[: len(early)], early)


@pytest.mark.parametrize(("count", "frames"), [(1, 1), (199, 1), (200, 1), (279, 1), (280, 2), (8000, 98)])
def test_the_number_of_frames(count: int, frames: int) -> None:
    assert LogMel(8000).raw(noise(count)).shape == (frames, 40)


def test_a_recording_shorter_than_a_frame_is_padded_with_zeros() -> None:
    front_end = LogMel(8000)
    samples = noise(50)
    assert np.array_equal(front_end.raw(samples), front_end.raw(np.pad(samples, (0, 150))))


def test_silence_is_the_floor_and_finite() -> None:
    assert np.allclose(LogMel(8000, floor=1e-6).raw(np.zeros(400, np.float32)), np.log(1e-6))


def test_channels_are_averaged() -> None:
    front_end = LogMel(8000)
    stereo = noise(800, channels=2)
    assert np.allclose(front_end.raw(stereo), front_end.raw(stereo.mean(axis=1)), atol=1e-5)


def test_another_rate_is_resampled_to_the_front_ends_own() -> None:
    front_end = LogMel(8000)
    seconds = np.arange(16000) / 16000
    at_16k = np.sin(2 * np.pi * 700 * seconds).astype(np.float32)
    answer = front_end.raw(at_16k, 16000)
    expected = front_end.raw(at_16k[::2])
    loud = expected > expected.max() - 4
    assert answer.shape == expected.shape
    assert np.abs(answer - expected)[loud].max() < 0.1


def test_pre_emphasis_raises_high_frequencies_over_low_ones() -> None:
    samples = noise(8000)
    tilt = LogMel(8000, pre_emphasis=0.97).raw(samples).mean(axis=0) - LogMel(8000).raw(samples).mean(axis=0)
    assert tilt[-1] > tilt[0] + 2


def test_filters_cover_the_band_and_peak_at_one_each() -> None:
    filters = mel_filters(40, 129, 8000, 20.0, 4000.0)
    assert filters.shape == (129, 40)
    assert filters.max() <= 1.0
    assert (filters.sum(axis=0) > 0).all()
    inner = filters[8:120].sum(axis=1)  # neighbours share each frequency: their weights add up to one
    assert np.allclose(inner[inner > 0], 1.0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mels": 128}, "too many"),
        ({"mels": 0}, "above 0"),
        ({"frame_ms": 0.05}, "holds no samples"),
        ({"hop_ms": 0.0}, "holds no samples"),
        ({"high_hz": 9000.0}, "half the sample rate"),
        ({"low_hz": 4000.0}, "half the sample rate"),
        ({"floor": 0.0}, "above 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, float], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        dataclasses.replace(LogMel(8000), **change)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros((4, 2, 2), np.float32), "no samples"),
        (np.zeros(400, np.int16), "samples / 32768"),
        (np.array([0, np.nan, 0], np.float32), "NaN or infinity .first at sample 1"),
        (np.array([0, 1e39], np.float64), "NaN or infinity"),
    ],
)
def test_input_that_is_no_audio_is_refused(samples: np.ndarray, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        LogMel(8000).features(samples)


def test_fitting_brings_the_training_features_to_mean_0_and_deviation_1() -> None:
    front_end = LogMel(8000)
    recordings = [noise(count, seed) * gain for seed, (count, gain) in enumerate([(900, 1), (4000, 0.1)])]
    fitted = front_end.fitted_on(front_end.raw(samples) for samples in recordings)
    rows = np.concatenate([fitted.features(samples) for samples in recordings])
    assert rows.dtype == np.float32
    assert np.allclose(rows.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(rows.std(axis=0), 1, atol=1e-4)
    assert front_end.mean is None


def test_a_feature_that_never_changes_stays_near_zero() -> None:
    fitted = Standardise(2).fitted_on([np.array([[1, 5], [2, 5], [3, 5]], np.float32)])
    assert np.allclose(fitted.features(np.array([[2, 5]], np.float32)), 0)
    assert np.isfinite(fitted.features(np.array([[2, 5.1]], np.float32))).all()


def test_fitting_on_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="no recording"):
        Standardise(2).fitted_on([])


def test_a_series_keeps_its_readings_and_length() -> None:
    readings = noise(30, channels=3)
    assert np.array_equal(Standardise(3).features(readings), readings)
    assert Standardise(1).features(np.arange(4)).tolist() == [[0], [1], [2], [3]]


def test_a_series_with_another_channel_count_is_refused() -> None:
    with pytest.raises(DataError, match="has 2 channels, the model was trained on 3"):
        Standardise(3).features(noise(30, channels=2))


def test_a_series_is_resampled_only_when_both_rates_are_known() -> None:
    readings = noise(100, channels=2)
    assert len(Standardise(2, 50).features(readings, 100)) == 50
    assert len(Standardise(2, 50).features(readings)) == 100
    assert len(Standardise(2).features(readings, 100)) == 100


@pytest.mark.parametrize("front_end", FITTED)
def test_a_front_end_survives_json_exactly(front_end: FrontEnd) -> None:
    assert front_end_from_dict(json.loads(json.dumps(front_end.to_dict()))) == front_end


@pytest.mark.parametrize("front_end", [LogMel(16000), Standardise(6)])
def test_a_front_end_survives_json_before_it_is_fitted(front_end: FrontEnd) -> None:
    assert front_end_from_dict(json.loads(json.dumps(front_end.to_dict()))) == front_end


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "log_mell"}, 'unknown kind "log_mell"; did you mean "log_mel"'),
        ({"kind": None}, "unknown kind"),
        ({"kind": ["log_mel"]}, "unknown kind"),
        ({"mel": 40}, 'unknown key "mel"; did you mean "mels"'),
        ({"mels": "40"}, "mels = '40' is not int"),
        ({"mels": 40.5}, "is not int"),
        ({"mels": True}, "is not int"),
        ({"mels": None}, "is not int"),
        ({"mean": [0.0, "a", 0.0]}, r"mean\[1\]"),
        ({"mean": [0.0]}, "mean has 1 values for 3 features"),
        ({"mean": None}, "come together"),
        ({"scale": [1.0, 0.0, 1.0]}, "above 0"),
        ({"scale": [1.0, float("nan"), 1.0]}, r"scale\[1\] = nan"),
        ({"floor": -1.0}, "above 0"),
        ({"floor": float("nan")}, "floor = nan"),
        ({"frame_ms": 10**400}, "frame_ms"),
        ({"frame_ms": 1e9}, "longer than 10000 ms"),
    ],
)
def test_a_faulty_description_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        front_end_from_dict({**FITTED[0].to_dict(), **change})


def test_a_missing_key_is_refused() -> None:
    with pytest.raises(DataError, match="sample_rate_hz"):
        front_end_from_dict({"kind": "log_mel"})


def test_the_unit_says_whether_features_are_standardised() -> None:
    assert LogMel(8000).unit == "log mel power"
    assert FITTED[0].unit == "standardised log mel power"
    assert FITTED[1].unit == "standardised reading"
