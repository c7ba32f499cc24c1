"""From raw inputs to answers, as an application on a board gets them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device import runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.classify import load_classifier, probabilities
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import Standardise

Rewrite = Callable[[Path, Callable[[dict[str, Any]], object]], None]
FRONT_END = Standardise(5, 50, mean=(0.5, 0.0, 0.0, 0.0, 1.0), scale=(2.0, 1.0, 1.0, 1.0, 0.5))
READINGS = np.random.default_rng(4).standard_normal((30, 5)).astype(np.float32)


@pytest.fixture
def folder(artifact_folder: Path, rewrite_manifest: Rewrite) -> Path:
    """The small artifact with a front end for its five channels."""
    rewrite_manifest(artifact_folder, lambda m: m["features"].update(front_end=FRONT_END.to_dict()))
    return artifact_folder


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_an_answer_is_the_models_to_the_front_ends_features(folder: Path, model_format: str) -> None:
    answer = load_classifier(folder, model_format).classify(READINGS)
    model = open_artifact(folder).model(model_format)
    logits = runtimes.load(model.path, model_format).run(FRONT_END.features(READINGS))
    assert answer.label == ("circle", "line", "rest")[int(logits.argmax())]
    assert list(answer.probabilities) == ["circle", "line", "rest"]
    assert list(answer.probabilities.values()) == pytest.approx(probabilities(logits).tolist())
    assert answer.probability == max(answer.probabilities.values())
    assert answer.warnings == ()


def test_probabilities_of_large_logits_are_no_overflow() -> None:
    assert probabilities(np.array([[1000.0, 0.0], [0.0, 0.0]], np.float32)).tolist() == [[1, 0], [0.5, 0.5]]


def test_the_nearest_classes_come_most_probable_first(folder: Path) -> None:
    answer = load_classifier(folder, "tflite").classify(READINGS)
    nearest = answer.nearest(2)
    assert nearest[0] == (answer.label, answer.probability)
    assert nearest == sorted(answer.probabilities.items(), key=lambda each: -each[1])[:2]


def test_an_answer_below_the_threshold_is_of_no_class(folder: Path, rewrite_manifest: Rewrite) -> None:
    probability = load_classifier(folder, "onnx").classify(READINGS).probability
    for threshold, rejected in ((probability - 1e-4, False), (probability + 1e-4, True)):
        rewrite_manifest(folder, lambda m, t=threshold: m["models"][0].update(rejection_threshold=t))
        answer = load_classifier(folder, "onnx").classify(READINGS)
        assert (answer.label is None) == rejected
        assert answer.probability == probability
    assert load_classifier(folder, "tflite").classify(READINGS).label is not None


def test_readings_at_another_rate_are_resampled(folder: Path) -> None:
    classifier = load_classifier(folder, "tflite")
    doubled = np.repeat(READINGS, 2, axis=0)
    expected = classifier.classify(FRONT_END.raw(doubled, 100)).probabilities
    assert classifier.classify(doubled, 100).probabilities == expected
    assert classifier.classify(doubled).probabilities != expected


def test_the_fastest_format_is_taken_or_one_that_can_run_here(
    folder: Path, rewrite_manifest: Rewrite, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_manifest(folder, lambda m: m.update(fastest={"sequence": "tflite", "step": "tflite"}))
    assert load_classifier(folder).format == "tflite"
    rewrite_manifest(folder, lambda m: m.update(fastest={"sequence": None, "step": None}))
    assert load_classifier(folder).format == "onnx"
    find = importlib.util.find_spec
    without_onnx = lambda name, *rest: None if name == "onnxruntime" else find(name, *rest)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", without_onnx)
    assert load_classifier(folder).format == "tflite"


def test_a_board_needs_the_files_of_one_format_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("model.onnx", "model.step.onnx", "golden.npz"):
        (folder / name).unlink()
    assert load_classifier(folder, "tflite").classify(READINGS).label is not None
    with pytest.raises(DataError, match="listed in SHA256SUMS but missing"):
        load_classifier(folder)


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        ("turn it off", "the input is a text"),
        (READINGS[:, :4], "the input has 4 channels, the model was trained on 5"),
        (READINGS[:0], "holds no samples"),
        (np.full((3, 5), np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_an_input_that_the_model_cannot_take_is_refused(folder: Path, raw: Any, cause: str) -> None:
    with pytest.raises(DataError, match=cause):
        load_classifier(folder, "tflite").classify(raw)


def test_a_changed_file_is_refused_before_it_is_loaded(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(b"TFL3")
    with pytest.raises(DataError, match=r"model\.tflite: its content changed"):
        load_classifier(folder)


@pytest.mark.parametrize(
    ("front_end", "cause"),
    [
        (None, "front_end is missing"),
        ({"kind": "standardise", "features_count": 4}, "count is 5, the front end gives 4"),
        ({"kind": "standardize", "features_count": 5}, 'did you mean "standardise"'),
    ],
)
def test_a_front_end_that_does_not_fit_is_refused(
    folder: Path, rewrite_manifest: Rewrite, front_end: Any, cause: str
) -> None:
    rewrite_manifest(folder, lambda m: m["features"].update(front_end=front_end))
    with pytest.raises(DataError, match=cause):
        load_classifier(folder)
