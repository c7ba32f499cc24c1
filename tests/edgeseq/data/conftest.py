"""Small real files, and the real data sets where EDGESEQ_DATA_DIR holds them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

WriteWav = Callable[..., Path]


@pytest.fixture
def write_wav() -> WriteWav:
    """write_wav(path, seed, rate_hz=8000, count=400, subtype="PCM_16", channels=1): half-scale noise."""

    def write(
        path: Path,
        seed: int,
        rate_hz: int = 8000,
        count: int = 400,
        subtype: str = "PCM_16",
        channels: int = 1,
    ) -> Path:
        samples = np.random.default_rng(seed).uniform(-0.5, 0.5, (count, channels))
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate_hz, subtype=subtype)
        return path

    return write


@pytest.fixture
def word_folder(tmp_path: Path, write_wav: WriteWav) -> Path:
    """words/{yes,no}/{anna,bert}_{0,1,2}.wav."""
    root = tmp_path / "words"
    for seed, name in enumerate(
        f"{word}/{speaker}_{take}.wav"
        for word in ("yes", "no")
        for speaker in ("anna", "bert")
        for take in range(3)
    ):
        write_wav(root / name, seed)
    return root


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The local mirror; the test is skipped, by name, where a file is absent."""
    folder = Path(os.environ.get("EDGESEQ_DATA_DIR", ""))
    for file in ("fsdd.zip", "BasicMotions_TRAIN.ts", "BasicMotions_TEST.ts", "clinc150.json"):
        if "EDGESEQ_DATA_DIR" not in os.environ or not (folder / file).is_file():
            pytest.skip(f"EDGESEQ_DATA_DIR does not hold {file}")
    return folder
