"""Which formats are measured: what the native runner cannot be asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeseq.bench.formats import formats_to_measure
from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import DataError, UsageError


def test_native_alone_measures_tflite_alone(pristine_artifact: Path, artifact_folder: Path) -> None:
    artifact = open_artifact(pristine_artifact)
    assert formats_to_measure(artifact, (), ("native",)) == ("tflite",)
    assert formats_to_measure(artifact, (), ("python", "native")) == ("onnx", "tflite")
    assert formats_to_measure(artifact, ("onnx",), ()) == ("onnx",)
    with pytest.raises(UsageError, match="--format onnx: the native runner runs tflite models only"):
        formats_to_measure(artifact, ("onnx",), ("python", "native"))
    with pytest.raises(UsageError, match=r"--runner native: .*take --runner both"):
        formats_to_measure(artifact, ("tflite", "onnx"), ("native",))
    (artifact_folder / "native.txt").unlink()
    with pytest.raises(DataError, match=r"has no native\.txt: .*export it again"):
        formats_to_measure(replace(artifact, path=artifact_folder), (), ("native",))


def test_an_artifact_without_a_tflite_model_is_refused(pristine_artifact: Path) -> None:
    artifact = open_artifact(pristine_artifact)
    onnx = replace(artifact, models=tuple(each for each in artifact.models if each.format == "onnx"))
    with pytest.raises(UsageError, match=r"has no tflite model: .*take --runner python"):
        formats_to_measure(onnx, (), ("native",))
