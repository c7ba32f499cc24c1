"""The accuracy on a board: its own front end and the model, on recordings that came whole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device import runtimes
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.errors import DataError, EdgeseqError
from edgeseq_device.frontend import Standardise
from edgeseq_device.measuring import accuracy
from edgeseq_device.measuring.agent import files_of
from edgeseq_device.measuring.readings import Readings, samples_key
from edgeseq_device.measuring.request import Limits
from edgeseq_device.measuring.workers import run_worker

FRONT_END = Standardise(5, mean=(0.1, 0.2, 0.3, 0.4, 0.5), scale=(2.0,) * 5)
N = 24


@pytest.fixture
def artifact(artifact_folder: Path, rewrite_manifest: Callable[..., None]) -> Path:
    """The small artifact with a front end."""
    rewrite_manifest(
        artifact_folder,
        lambda manifest: manifest["features"].update(front_end=FRONT_END.to_dict()),
    )
    return artifact_folder


def write(path: Path, **changed: Any) -> Path:
    """Recordings of three classes; each member can be changed."""
    generator = np.random.default_rng(5)
    arrays: dict[str, Any] = {
        "kind": np.array("series"),
        "split": np.array("test"),
        "sample_rate_hz": np.array(0),
        "names": np.array([f"recording {place}" for place in range(N)]),
        "labels": np.array([("circle", "line", "rest")[place % 3] for place in range(N)]),
    }
    for place in range(N):
        samples = generator.standard_normal((5 + place, 5)).astype(np.float32)
        arrays[samples_key(place)] = 3 * samples
    np.savez_compressed(path, **{**arrays, **changed})
    return path


def job(artifact: Path, readings: Path, model_format: str = "onnx") -> dict[str, Any]:
    model = open_artifact(artifact).model(model_format)
    return {
        "kind": "accuracy",
        "format": model_format,
        "threads": 1,
        **files_of(model),
        "artifact": str(artifact),
        "readings": str(readings),
        "readings_sha256": sha256_of(readings),
        "limits": vars(Limits()),
    }


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_the_share_of_right_answers_is_told(artifact: Path, tmp_path: Path, model_format: str) -> None:
    readings = write(tmp_path / "readings.npz")
    outcome = run_worker([sys.executable], job(artifact, readings, model_format), timeout_s=60)
    model = runtimes.load(artifact / f"model.{model_format}", model_format)
    labels = open_artifact(artifact).labels
    right = sum(
        labels[int(model.run(FRONT_END.features(raw)).argmax())] == label
        for _name, label, raw in Readings(readings)
    )
    assert 0 < right < N
    assert outcome["values"] == {
        "device_accuracy": right / N,
        "device_accuracy_n": N,
        "device_accuracy_split": "test",
    }
    assert outcome["not_measured"] == {}
    assert outcome["runtime"] == model.version


def test_recordings_that_changed_on_the_way_are_refused(artifact: Path, tmp_path: Path) -> None:
    given = job(artifact, write(tmp_path / "readings.npz"))
    write(tmp_path / "readings.npz", split=np.array("train"))
    with pytest.raises(DataError, match=r"readings\.npz: its content changed on the way"):
        accuracy.measure(given)


def test_recordings_that_are_not_there_are_named(artifact: Path, tmp_path: Path) -> None:
    given = job(artifact, write(tmp_path / "readings.npz"))
    (tmp_path / "readings.npz").unlink()
    with pytest.raises(DataError, match=r"readings\.npz: not on this board; run the command"):
        accuracy.measure(given)
    with pytest.raises(DataError, match=r"no recordings were sent .*--data"):
        accuracy.measure({**given, "readings": None, "readings_sha256": None})


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"kind": np.array("audio")}, r"it holds audio, the model takes series"),
        ({"kind": np.array("video")}, r"24 recordings of video: damaged"),
        ({"labels": np.array(["line", "spiral"] * 12)}, r'recording 1: the label "spiral" is unknown'),
        ({"labels": np.array(["line"])}, r"damaged; run the command that sent it again"),
        ({samples_key(3): np.zeros((4, 2), np.float32)}, r"recording 3: the input has 2 channels"),
        ({samples_key(3): np.array([{}])}, r"recording 3 cannot be read .*allow_pickle=False"),
        ({"names": np.array([{}])}, r"no file of recordings .*allow_pickle=False"),
        ({"split": np.array([{}])}, r"no file of recordings"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(
    artifact: Path, tmp_path: Path, changed: dict[str, Any], complaint: str
) -> None:
    readings = write(tmp_path / "readings.npz", **changed)
    with pytest.raises(DataError, match=complaint):
        accuracy.measure(job(artifact, readings))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_a_file_that_is_none_is_refused(artifact: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "readings.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"readings\.npz: no file of recordings"):
        accuracy.measure(job(artifact, tmp_path / "readings.npz"))


def test_an_answer_that_is_no_number_ends_it(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = job(artifact, write(tmp_path / "readings.npz"))
    model = runtimes.load(artifact / "model.onnx", "onnx")
    monkeypatch.setattr(model, "run", lambda _features: np.array([0.0, np.nan, 1.0], np.float32))
    monkeypatch.setattr(accuracy, "load_model", lambda _job: model)
    with pytest.raises(EdgeseqError, match="recording 0: the model answers NaN or infinity"):
        accuracy.measure(given)
