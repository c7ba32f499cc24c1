"""The whole chain on 3,000 real recordings, with fewer epochs than the defaults have."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgeseq.cli import main
from edgeseq_device.artifact import open_artifact

pytestmark = pytest.mark.fsdd

BYTES_BESIDE_THE_WEIGHTS = {"onnx": 8_000, "tflite": 40_000}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the short GRU-64 run on FSDD and its int8 artifact."""
    mirror = os.environ.get("EDGESEQ_DATA_DIR", "")
    if not (Path(mirror) / "fsdd.zip").is_file() or not mirror:
        pytest.skip("EDGESEQ_DATA_DIR does not hold fsdd.zip")
    folder = tmp_path_factory.mktemp("chain")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command in (
            "train --data fsdd --hidden 64 --epochs 8 --json train.json",
            "export --json export.json",
        ):
            result = CliRunner().invoke(main, command.split())
            assert result.exit_code == 0, result.output
    finally:
        os.chdir(before)
    return folder


def test_the_official_split_is_used_and_a_short_training_already_works(place: Path) -> None:
    metrics = json.loads((place / "train.json").read_text())["metrics"]
    assert metrics["test"]["n"] == 300
    assert metrics["train"]["n"] + metrics["validation"]["n"] == 2700
    assert metrics["test"]["accuracy"] >= 0.93


def test_int8_costs_at_most_half_a_point_on_both_runtimes(place: Path) -> None:
    accuracy = json.loads((place / "export.json").read_text())["accuracy"]["test"]
    for model_format in ("onnx", "tflite"):
        assert 100 * (accuracy["fp32"] - accuracy[model_format]) <= 0.5


def test_each_file_is_little_more_than_its_int8_weights(place: Path) -> None:
    artifact = open_artifact(place / "artifacts/fsdd-gru-int8-generic")
    for model in artifact.models:
        assert model.weight_bytes == 3 * 64 * 40 + 3 * 64 * 64 + 10 * 64
        assert model.bytes <= 1.02 * model.weight_bytes + BYTES_BESIDE_THE_WEIGHTS[model.format]


def test_the_golden_vectors_cover_every_digit(place: Path) -> None:
    golden = open_artifact(place / "artifacts/fsdd-gru-int8-generic").golden()
    assert len(golden.features) == 16
    assert set(golden.labels) == set(range(10))
    assert np.unique([len(features) for features in golden.features]).size > 1
