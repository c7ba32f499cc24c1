"""The front end in C gives what the one that training used gives."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import wave
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeseq_device.frontend import LogMel, Standardise
from edgeseq_device.mel import fft_size

FrontEnd = LogMel | Standardise
Case = tuple[FrontEnd, np.ndarray, int]
"""A front end, what it is given and how many values at once, 0 = all by features_of."""
Compute = Callable[[Sequence[Case]], list[np.ndarray]]
KINDS = {"log_mel": 1, "standardise": 2}
RATES = (8000, 16000, 22050, 44100)


@pytest.fixture(scope="module")
def compute(build_native: Callable[..., Path]) -> Compute:
    """The features of many cases, by the modules of edgeseq-run under sanitizers."""
    program = build_native("print-features", "--unit", str(Path(__file__).with_name("print_features.c")))

    def run(cases: Sequence[Case]) -> list[np.ndarray]:
        sent = b"".join(_as_bytes(*case) for case in cases)
        done = subprocess.run([str(program)], input=sent, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        answer = io.BytesIO(done.stdout)
        return [_features(answer, front_end.features_count) for front_end, _samples, _piece in cases]

    return run


def _as_bytes(front_end: FrontEnd, samples: np.ndarray, piece: int) -> bytes:
    count, fitted = front_end.features_count, front_end.mean is not None
    values: list[object] = [KINDS[front_end.kind], front_end.sample_rate_hz or 0]
    if isinstance(front_end, LogMel):
        frame = front_end.frame_samples
        values += [frame, front_end.hop_samples, fft_size(frame), front_end.mels, front_end.low_hz]
        values += [front_end.high_hz or front_end.sample_rate_hz / 2, front_end.pre_emphasis, front_end.floor]
    else:
        values += [0] * 8
    values += [count, int(fitted), piece, samples.size]
    statistics = [np.array(each, np.float32) for each in (front_end.mean, front_end.scale) if each]
    content = b"".join(each.tobytes() for each in (*statistics, samples.astype(np.float32)))
    return " ".join(map(repr, values)).encode() + b"\n" + content


def _features(answer: io.BytesIO, count: int) -> np.ndarray:
    (frames,) = struct.unpack("<i", answer.read(4))
    return np.frombuffer(answer.read(4 * frames * count), np.float32).reshape(frames, count)


def _check(compute: Compute, cases: Sequence[Case]) -> None:
    """Equal to 1e-6, but for the seldom value whose logarithm lies within a double's rounding of the middle
    between two float32: it may be the other one, 2e-6 apart where a value is near the floor.
    """
    equal = total = 0
    for (front_end, samples, piece), found in zip(cases, compute(cases), strict=True):
        raw = front_end.raw(samples)
        wanted = front_end.standardised(raw)
        scale = np.array(front_end.scale or 1.0, np.float32)
        steps = np.maximum(np.spacing(np.abs(raw)) / scale, np.spacing(np.abs(wanted)))
        assert found.shape == wanted.shape
        assert (np.abs(found - wanted) <= np.maximum(1e-6, 1.01 * steps)).all(), (front_end, piece)
        equal += int((found == wanted).sum())
        total += wanted.size
    assert equal >= 0.999 * total


def _sound(generator: np.random.Generator, count: int) -> np.ndarray:
    """Noise under two tones, loud and soft parts, and silence."""
    at = np.arange(count)
    tones = 0.3 * np.sin(0.07 * at) + 0.1 * np.sin(1.3 * at)
    envelope = np.repeat(generator.choice([0.0, 1e-5, 0.01, 0.5], 1 + count // 500), 500)[:count]
    noise = 0.1 * generator.standard_normal(count)
    samples: np.ndarray = ((tones + noise) * envelope).astype(np.float32)
    return samples


def _log_mel(generator: np.random.Generator, rate: int) -> LogMel:
    mels = int(generator.integers(8, 81))
    longest = max(25.0, 1000 * 40 * mels / rate)  # enough bins for the lowest filters
    front_end = LogMel(
        rate,
        frame_ms=float(generator.uniform(0.8, 1.2) * longest),
        hop_ms=float(generator.choice([0.13, 0.4, 1.0, 1.5]) * longest),
        mels=mels,
        low_hz=float(generator.choice([0.0, 20.0, 80.0])),
        high_hz=float(generator.choice([0.3, 0.45])) * rate,
        pre_emphasis=float(generator.choice([0.0, 0.5, 0.97])),
        floor=float(generator.choice([1e-10, 1e-8, 1e-3])),
    )
    if generator.random() < 0.3:
        return front_end
    return front_end.fitted_on([front_end.raw(_sound(generator, 4 * front_end.frame_samples))])


def test_log_mel_features_are_those_of_python_whatever_the_settings(compute: Compute) -> None:
    cases: list[Case] = []
    for seed in range(16):
        generator = np.random.default_rng(seed)
        front_end = _log_mel(generator, RATES[seed % len(RATES)])
        count = int(front_end.frame_samples * generator.uniform(1, 8))
        cases.append((front_end, _sound(generator, count), int(generator.choice([0, 1, 160, 4096]))))
    _check(compute, cases)


@pytest.mark.parametrize("piece", [0, 7])
def test_a_recording_shorter_than_a_frame_is_one_frame(compute: Compute, piece: int) -> None:
    generator = np.random.default_rng(1)
    front_ends = (LogMel(8000), LogMel(8000, pre_emphasis=0.97), LogMel(16000, hop_ms=40.0))
    cases: list[Case] = [
        (each, generator.uniform(-1, 1, count).astype(np.float32), piece)
        for each in front_ends
        for count in (1, each.frame_samples - 1, each.frame_samples)
    ]
    assert [len(features) for features in compute(cases)] == [1] * len(cases)
    _check(compute, cases)


def test_the_features_of_a_series_are_those_of_python_to_the_bit(compute: Compute) -> None:
    generator = np.random.default_rng(2)
    readings = (generator.standard_normal((50, 6)) * 10.0 ** generator.integers(-20, 20, (50, 6))).astype(
        np.float32
    )
    fitted = Standardise(6).fitted_on([generator.standard_normal((9, 6)).astype(np.float32)])
    cases: list[Case] = [(each, readings, piece) for each in (fitted, Standardise(6)) for piece in (0, 1, 64)]
    for (front_end, _readings, _piece), found in zip(cases, compute(cases), strict=True):
        assert found.tobytes() == front_end.features(readings).tobytes()


def test_the_features_of_spoken_digits_are_those_of_python(compute: Compute) -> None:
    recordings = _spoken_digits()
    plain = LogMel(8000)
    fitted = plain.fitted_on([plain.raw(each) for each in recordings])
    _check(compute, [(fitted, each, piece) for each in recordings for piece in (0, 512)])


def _spoken_digits() -> list[np.ndarray]:
    archive = Path(os.environ.get("EDGESEQ_DATA_DIR", "")) / "fsdd.zip"
    if not archive.is_file():
        pytest.skip("EDGESEQ_DATA_DIR does not hold fsdd.zip")
    recordings = []
    with zipfile.ZipFile(archive) as files:
        names = [name for name in files.namelist() if name.endswith("_0.wav")]
        for name in sorted(names)[:20]:
            with wave.open(io.BytesIO(files.read(name))) as sound:
                samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
            recordings.append((samples / 32768).astype(np.float32))
    assert recordings
    return recordings
