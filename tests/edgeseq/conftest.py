"""A tiny series data set with two classes that a small GRU learns in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def write_tiny_series(
    path: Path, *, labels: tuple[str, ...] = ("fall", "rise"), recordings: int = 48
) -> Path:
    """An .npz of noisy ramps of 8 to 20 readings on two channels; a quarter of them is the test split."""
    generator = np.random.default_rng(3)
    lengths = generator.integers(8, 21, recordings)
    samples = np.zeros((recordings, int(lengths.max()), 2), np.float32)
    for index, length in enumerate(lengths):
        slope = (-1, 1, 3)[index % len(labels)]
        ramp = slope * np.linspace(-1, 1, length)
        samples[index, :length, 0] = ramp + 0.2 * generator.standard_normal(length)
        samples[index, :length, 1] = generator.standard_normal(length)
    np.savez(
        path,
        samples=samples,
        lengths=lengths,
        labels=np.array([labels[index % len(labels)] for index in range(recordings)]),
        splits=np.array(["test" if index % 8 < 2 else "train" for index in range(recordings)]),
    )
    return path


@pytest.fixture
def tiny_series(tmp_path: Path) -> Path:
    """The tiny data set's file."""
    return write_tiny_series(tmp_path / "ramps.npz")


@pytest.fixture
def write_series() -> Callable[..., Path]:
    """Writes a tiny data set with other labels or another size."""
    return write_tiny_series


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run commands in."""
    folder = tmp_path / "workplace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
