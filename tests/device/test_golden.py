from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import DataError
from edgeseq_device.golden import read_golden
from edgeseq_device.golden_input import median_input

SHAPE = (16, 5, 3)


@pytest.fixture
def arrays(pristine_artifact: Path) -> dict[str, Any]:
    with np.load(pristine_artifact / "golden.npz", allow_pickle=False) as stored:
        return dict(stored)


def saved(arrays: dict[str, Any], folder: Path) -> Path:
    np.savez(folder / "golden.npz", **arrays)
    return folder / "golden.npz"


def test_the_vectors_come_with_an_answer_for_each_format(pristine_artifact: Path) -> None:
    golden = open_artifact(pristine_artifact).golden()
    assert [each.shape for each in golden.features] == [(4 + index, 5) for index in range(16)]
    assert set(golden.references) == {"onnx", "tflite"}
    assert golden.references["onnx"].shape == golden.logits.shape == (16, 3)
    assert golden.names[0] == "golden-0"
    assert golden.labels.dtype == np.int64


def test_a_step_form_that_rounds_in_another_way_has_answers_of_its_own(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    arrays.pop("reference_tflite_step", None)
    arrays["reference_onnx_step"] = arrays["reference_onnx"] + np.float32(1)
    golden = read_golden(saved(arrays, tmp_path), ["onnx", "tflite"], SHAPE, "float32")
    np.testing.assert_array_equal(golden.step_reference("onnx"), arrays["reference_onnx_step"])
    np.testing.assert_array_equal(golden.step_reference("tflite"), golden.references["tflite"])
    arrays["reference_onnx_step"] = arrays["reference_onnx_step"][:3]
    with pytest.raises(DataError, match=r"golden\.npz: reference_onnx_step is float32 \[3, 3\]"):
        read_golden(saved(arrays, tmp_path), ["onnx", "tflite"], SHAPE, "float32")


def test_the_median_input_is_the_lower_of_the_two_middle_lengths(pristine_artifact: Path) -> None:
    artifact = open_artifact(pristine_artifact)
    golden = artifact.golden()
    chosen = median_input(artifact.golden_path, artifact.golden_count)  # lengths are 4 ... 19
    found = np.frombuffer(chosen.content, chosen.dtype).reshape(chosen.shape)
    assert np.array_equal(found, golden.features[7])


@pytest.mark.parametrize(
    "array", [np.zeros(3, np.float32), np.zeros((2, 3)), np.zeros((2, 3), "f4", order="F"), None]
)
def test_an_input_that_is_no_array_of_frames_is_refused(tmp_path: Path, array: object) -> None:
    arrays = {} if array is None else {"features_00": array}
    np.savez(tmp_path / "golden.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="its inputs cannot be read"):
        median_input(tmp_path / "golden.npz", 1)


@pytest.mark.parametrize(
    ("key", "value", "cause"),
    [
        ("features_03", None, "features_03 is missing"),
        (
            "features_03",
            np.zeros((4, 6), np.float32),
            r"features_03 is float32 \[4, 6\], expected float32 \['T', 5\]",
        ),
        ("features_03", np.zeros((0, 5), np.float32), "features_03 is float32"),
        ("features_03", np.zeros((4, 5), np.float64), "features_03 is float64"),
        ("features_03", np.full((4, 5), np.nan, np.float32), "features_03 holds NaN or infinity"),
        ("logits", np.zeros((15, 3), np.float32), "logits is float32"),
        ("reference_onnx", None, "reference_onnx is missing"),
        ("labels", np.zeros(16, np.float32), "labels is float32"),
        ("names", np.zeros(16, object), "names cannot be read"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(
    arrays: dict[str, Any], tmp_path: Path, key: str, value: Any, cause: str
) -> None:
    arrays[key] = value
    path = saved({name: array for name, array in arrays.items() if array is not None}, tmp_path)
    with pytest.raises(DataError, match=rf"golden\.npz: {cause}"):
        read_golden(path, ["onnx", "tflite"], SHAPE, "float32")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x93NUMPY"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "golden.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"golden\.npz: "):
        read_golden(path, ["onnx"], SHAPE, "float32")
