from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.errors import DataError
from edgeseq_device.manifest import StateInfo

Rewrite = Callable[[Path, Callable[[dict[str, Any]], object]], None]


def flip_byte(path: Path, position: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_whole_artifact_is_described(pristine_artifact: Path) -> None:
    artifact = open_artifact(pristine_artifact)
    assert artifact.name == "gestures-gru-int8-generic"
    assert artifact.labels == ("circle", "line", "rest")
    assert [model.format for model in artifact.models] == ["onnx", "tflite"]
    assert artifact.model("tflite").bytes == (pristine_artifact / "model.tflite").stat().st_size
    assert artifact.model("onnx").inputs[0].name == "features"
    assert artifact.manifest_sha256 == sha256_of(pristine_artifact / "manifest.json")


def test_an_older_artifact_classifies_and_has_no_context(
    artifact_folder: Path, rewrite_manifest: Rewrite
) -> None:
    rewrite_manifest(artifact_folder, lambda manifest: manifest.pop("task", None))
    artifact = open_artifact(artifact_folder)
    assert (artifact.task, artifact.context, artifact.horizon) == ("classify", None, None)
    assert artifact.outputs_count == 3


def test_a_forecast_has_an_output_for_each_moment_of_each_channel(forecaster_folder: Path) -> None:
    artifact = open_artifact(forecaster_folder)
    assert (artifact.task, artifact.context, artifact.horizon) == ("forecast", 6, 4)
    assert (artifact.outputs_count, artifact.interval_s) == (8, 3600.0)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            lambda m: m.update(horizon=5),
            r"onnx model: outputs: logits is float32 \[1, 8\], must be .*\[1, 10\]",
        ),
        (
            lambda m: m.update(context=7),
            r"onnx model: inputs: features is float32 \[1, 6, 2\], .*\[1, 7, 2\]",
        ),
        (lambda m: m["models"][1]["inputs"][0].update(shape=[1, "T", 2]), r"tflite model: inputs: features"),
        (lambda m: m.update(context=1 << 27, horizon=10**30), f"horizon is 1{'0' * 30}, must be at most"),
        (lambda m: m.update(context=(1 << 27) + 1), "context is 134217729, must be at most 134217728"),
        (lambda m: m.update(interval_s=0), "interval_s is 0, must be a number above 0"),
        (lambda m: m.update(interval_s=True), "interval_s is True"),
        (lambda m: m.update(interval_s="1 h"), "interval_s is '1 h'"),
        (lambda m: m.update(interval_s=float("inf")), "interval_s is inf"),
        (lambda m: m.update(interval_s=float("nan")), "interval_s is nan"),
        (lambda m: m.update(interval_s=10**400), "interval_s is 1000"),
    ],
)
def test_a_forecaster_that_does_not_fit_its_files_is_refused(
    forecaster_folder: Path,
    tmp_path: Path,
    rewrite_manifest: Rewrite,
    change: Callable[[dict[str, Any]], object],
    cause: str,
) -> None:
    folder = Path(shutil.copytree(forecaster_folder, tmp_path / "plant"))
    rewrite_manifest(folder, change)
    with pytest.raises(DataError, match=rf"manifest\.json: .*{cause}"):
        open_artifact(folder)


def test_each_form_has_its_own_parity_tolerance_or_that_of_an_older_artifact(
    artifact_folder: Path, rewrite_manifest: Rewrite
) -> None:
    def give(manifest: dict[str, Any]) -> None:
        onnx, tflite = manifest["models"]
        onnx["parity_tolerance"], tflite["step"]["parity_tolerance"] = 0.02, 1e-5

    rewrite_manifest(artifact_folder, give)
    onnx, tflite = open_artifact(artifact_folder).models
    assert (onnx.parity_tolerance, tflite.parity_tolerance) == (0.02, 1e-3)
    assert onnx.step is not None
    assert tflite.step is not None
    assert (onnx.step.parity_tolerance, tflite.step.parity_tolerance) == (1e-3, 1e-5)


def test_a_format_that_is_not_there_is_named_with_those_that_are(pristine_artifact: Path) -> None:
    with pytest.raises(DataError, match="no torch model in this artifact; it has: onnx, tflite"):
        open_artifact(pristine_artifact).model("torch")


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "model.step.onnx", "model.tflite", "golden.npz", "manifest.json", "provenance.json"],
)
@pytest.mark.parametrize("position", [0, -1])
def test_one_flipped_byte_is_refused(artifact_folder: Path, name: str, position: int) -> None:
    flip_byte(artifact_folder / name, position)
    with pytest.raises(DataError, match=rf"{name}: its content changed after the export"):
        open_artifact(artifact_folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.step.onnx", "model.tflite", "golden.npz"])
def test_a_missing_file_is_refused(artifact_folder: Path, name: str) -> None:
    (artifact_folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: listed in SHA256SUMS but missing"):
        open_artifact(artifact_folder)


def test_a_missing_list_of_hashes_is_refused(artifact_folder: Path) -> None:
    (artifact_folder / "SHA256SUMS").unlink()
    with pytest.raises(DataError, match="SHA256SUMS: missing"):
        open_artifact(artifact_folder)


def test_a_missing_manifest_is_refused(artifact_folder: Path) -> None:
    (artifact_folder / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"manifest\.json: listed in SHA256SUMS but missing"):
        open_artifact(artifact_folder)


def test_a_manifest_that_the_hashes_do_not_cover_is_refused(artifact_folder: Path) -> None:
    sums = artifact_folder / "SHA256SUMS"
    lines = sums.read_text().splitlines(keepends=True)
    sums.write_text("".join(line for line in lines if "manifest.json" not in line))
    with pytest.raises(DataError, match=r"manifest\.json is not listed"):
        open_artifact(artifact_folder)


def test_a_file_that_is_not_listed_is_refused(artifact_folder: Path) -> None:
    (artifact_folder / "model.ort").write_bytes(b"anything")
    with pytest.raises(DataError, match=r"model\.ort: not listed in SHA256SUMS"):
        open_artifact(artifact_folder)


def test_a_link_in_place_of_a_file_is_refused_even_with_the_right_content(artifact_folder: Path) -> None:
    outside = artifact_folder.parent / "elsewhere.onnx"
    (artifact_folder / "model.onnx").rename(outside)
    (artifact_folder / "model.onnx").symlink_to(outside)
    with pytest.raises(DataError, match="not a regular file"):
        open_artifact(artifact_folder)


@pytest.mark.parametrize("name", ["../golden.npz", "sub/golden.npz", "..", "a\\b", "/etc/hostname"])
def test_a_path_among_the_hashes_is_refused(artifact_folder: Path, name: str) -> None:
    with (artifact_folder / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(DataError, match="not a plain file name"):
        open_artifact(artifact_folder)


@pytest.mark.parametrize("line", ["", "abc  model.onnx", "0" * 64, f"{'0' * 64} model.onnx extra\0"])
def test_a_malformed_line_of_hashes_is_refused_with_its_number(artifact_folder: Path, line: str) -> None:
    sums = artifact_folder / "SHA256SUMS"
    count = len(sums.read_text().splitlines())
    with sums.open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(DataError, match=rf"SHA256SUMS:{count + 1}: "):
        open_artifact(artifact_folder)


def test_a_name_that_is_listed_twice_is_refused(artifact_folder: Path) -> None:
    sums = artifact_folder / "SHA256SUMS"
    sums.write_text(sums.read_text() * 2)
    with pytest.raises(DataError, match="must not be listed here"):
        open_artifact(artifact_folder)


@pytest.mark.parametrize("version", [2, 0, "1", None, True])
def test_another_manifest_version_is_refused(
    artifact_folder: Path, rewrite_manifest: Rewrite, version: object
) -> None:
    rewrite_manifest(artifact_folder, lambda manifest: manifest.update(manifest_version=version))
    with pytest.raises(DataError, match=r"manifest version .* is not known"):
        open_artifact(artifact_folder)


@pytest.mark.parametrize("text", ["{", "[]", "nothing", "[" * 100_000, '{"manifest_version": 1}'])
def test_a_malformed_manifest_is_refused_although_its_hash_is_right(
    artifact_folder: Path, rewrite_manifest: Rewrite, text: str
) -> None:
    manifest = artifact_folder / "manifest.json"
    original = sha256_of(manifest)
    manifest.write_text(text)
    sums = artifact_folder / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(original, sha256_of(manifest)))
    with pytest.raises(DataError, match=r"manifest\.json: "):
        open_artifact(artifact_folder)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda m: m["models"][0].update(file="../model.onnx"), "not a plain file name"),
        (lambda m: m["models"][0].update(file="other.onnx"), "not listed"),
        (lambda m: m["models"][0].update(format="torch"), "unknown format 'torch'"),
        (lambda m: m["models"][0].pop("inputs"), "inputs is missing"),
        (lambda m: m["models"].append(m["models"][0]), "each format once"),
        (lambda m: m.update(models=[]), "at least one"),
        (lambda m: m.update(models=[3]), "no JSON object"),
        (lambda m: m.update(labels=["one"]), "labels must be two or more"),
        (lambda m: m.update(task="dream"), "task 'dream' is not known; known: classify, lm, forecast"),
        (lambda m: m.update(task=["lm"]), "is not known"),
        (lambda m: m.update(task="forecast"), "context is missing"),
        (lambda m: m.update(task="forecast", context=0, horizon=2), "context is 0, must be at least 1"),
        (lambda m: m.update(task="forecast", context=4), "horizon is missing"),
        (lambda m: m.update(task="forecast", labels=[], context=4, horizon=2), "labels must be a channel"),
        (
            lambda m: m["labels"].append("fall"),
            r"logits is float32 \['N', 3\], .*\[1, 4\]",
        ),
        (lambda m: m["models"][0]["outputs"][0].update(name="answer"), "outputs: logits is missing"),
        (lambda m: m["models"][0]["outputs"][0].update(shape=["T", 3]), r"logits is float32 \['T', 3\]"),
        (
            lambda m: m["models"][1]["step"]["outputs"][0].update(dtype="int8"),
            "step: outputs: logits is int8",
        ),
        (lambda m: m["golden"].update(file="/etc/passwd"), "not a plain file name"),
        (lambda m: m["golden"].update(count=0), "count is 0"),
        (lambda m: m["parity"].update(tolerance=float("nan")), "tolerance is nan"),
        (lambda m: m["parity"].update(tolerance=0), "tolerance is 0"),
        (lambda m: m["models"][0].update(parity_tolerance="1"), r"models\[0\]: parity_tolerance is '1'"),
        (lambda m: m["models"][0].update(rejection_threshold=1.5), r"rejection_threshold is 1\.5"),
        (lambda m: m["models"][0].update(rejection_threshold=True), "rejection_threshold is True"),
        (lambda m: m["models"][0]["step"].update(file="../model.step.onnx"), "step: '../model.step.onnx' is"),
        (lambda m: m["models"][0]["step"].pop("states"), "step: states is missing"),
        (lambda m: m["models"][0]["step"].update(states=[1]), r"states\[0\]: no JSON object"),
        (lambda m: m["models"][0]["step"]["states"][0].update(shape=[1, "H"]), r"states\[0\]: shape is"),
        (lambda m: m["models"][0]["step"]["states"][0].update(initial="0"), r"states\[0\]: initial is '0'"),
        (lambda m: m["models"][1]["step"].update(signature=3), "step: signature is int, not str"),
        (lambda m: m["models"][0].update(step=[]), "step is list, not dict"),
        (lambda m: m["models"][0].update(step=None), "step_reason is NoneType, not str"),
    ],
)
def test_a_manifest_that_contradicts_the_folder_is_refused(
    artifact_folder: Path,
    rewrite_manifest: Rewrite,
    change: Callable[[dict[str, Any]], object],
    cause: str,
) -> None:
    rewrite_manifest(artifact_folder, change)
    with pytest.raises(DataError, match=cause) as refusal:
        open_artifact(artifact_folder)
    assert "manifest.json" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_step_form_of_each_format_is_described(pristine_artifact: Path) -> None:
    onnx, tflite = open_artifact(pristine_artifact).models
    assert onnx.step is not None
    assert tflite.step is not None
    assert (onnx.step.path.name, onnx.step.signature) == ("model.step.onnx", None)
    assert (tflite.step.path.name, tflite.step.signature) == ("model.tflite", "step")
    assert onnx.step.sha256 == sha256_of(pristine_artifact / "model.step.onnx")
    assert (tflite.step.sha256, tflite.step.bytes) == (tflite.sha256, tflite.bytes)
    assert onnx.step.states == tflite.step.states == (StateInfo("gru0.h", (1, 8), 0.0),)
    assert onnx.step_reason is None


def test_an_artifact_from_before_there_were_step_forms_still_opens(
    artifact_folder: Path, rewrite_manifest: Rewrite
) -> None:
    (artifact_folder / "model.step.onnx").unlink()

    def age(manifest: dict[str, Any]) -> None:
        for model in manifest["models"]:
            del model["step"], model["step_reason"]

    rewrite_manifest(artifact_folder, age)
    for model in open_artifact(artifact_folder).models:
        assert model.step is None
        assert model.step_reason == "exported by an edgeseq that knew no step form"


def test_a_model_without_a_step_form_says_why(artifact_folder: Path, rewrite_manifest: Rewrite) -> None:
    reason = "gru0 reads frames to come"
    rewrite_manifest(artifact_folder, lambda m: m["models"][1].update(step=None, step_reason=reason))
    model = open_artifact(artifact_folder).model("tflite")
    assert (model.step, model.step_reason) == (None, reason)


def test_the_step_form_can_be_left_off_a_board(artifact_folder: Path) -> None:
    (artifact_folder / "model.step.onnx").unlink()
    model = open_artifact(artifact_folder, only="onnx").model("onnx")
    assert (model.step, model.step_reason) == (None, "model.step.onnx is not deployed")


def test_a_folder_that_is_no_artifact_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`edgeseq export` makes one"):
        open_artifact(tmp_path / "nothing")


def test_the_manifest_of_the_sample_is_the_one_that_was_sealed(pristine_artifact: Path) -> None:
    manifest = json.loads((pristine_artifact / "manifest.json").read_text("utf-8"))
    assert open_artifact(pristine_artifact).manifest == manifest


@pytest.fixture
def slim_folder(artifact_folder: Path) -> Path:
    """A deployment of the TFLite form alone."""
    for name in ("model.onnx", "model.step.onnx", "golden.npz"):
        (artifact_folder / name).unlink()
    return artifact_folder


def test_one_format_can_be_deployed_without_the_rest(slim_folder: Path) -> None:
    artifact = open_artifact(slim_folder, only="tflite")
    assert [model.format for model in artifact.models] == ["tflite"]
    with pytest.raises(DataError, match=r"golden\.npz: not deployed"):
        artifact.golden()
    with pytest.raises(DataError, match="listed in SHA256SUMS but missing"):
        open_artifact(slim_folder)


def test_one_format_of_a_whole_folder_has_its_golden_vectors(pristine_artifact: Path) -> None:
    artifact = open_artifact(pristine_artifact, only="onnx")
    assert [model.format for model in artifact.models] == ["onnx"]
    assert list(artifact.golden().references) == ["onnx"]


@pytest.mark.parametrize("only", ["onnx", "torch"])
def test_a_format_that_was_not_deployed_is_refused(slim_folder: Path, only: str) -> None:
    cause = r"model\.onnx: listed in SHA256SUMS but missing" if only == "onnx" else "no torch model in this"
    with pytest.raises(DataError, match=cause):
        open_artifact(slim_folder, only=only)


def test_what_a_slim_deployment_has_must_still_match(slim_folder: Path, pristine_artifact: Path) -> None:
    (slim_folder / "model.onnx").write_bytes(b"another")
    with pytest.raises(DataError, match=r"model\.onnx: its content changed"):
        open_artifact(slim_folder, only="tflite")
    (slim_folder / "model.onnx").unlink()
    (slim_folder / "stray.bin").write_bytes(b"anything")
    with pytest.raises(DataError, match=r"stray\.bin: not listed"):
        open_artifact(slim_folder, only="tflite")
    (slim_folder / "stray.bin").unlink()
    (slim_folder / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"manifest\.json: listed in SHA256SUMS but missing"):
        open_artifact(slim_folder, only="tflite")


def test_a_text_model_needs_its_tokenizer_on_every_board(
    artifact_folder: Path, rewrite_manifest: Rewrite
) -> None:
    def take_text(manifest: dict[str, Any]) -> None:
        manifest["features"]["front_end"] = {"kind": "tokens"}

    rewrite_manifest(artifact_folder, take_text)
    with pytest.raises(DataError, match=r"tokenizer\.json is not listed in SHA256SUMS"):
        open_artifact(artifact_folder, only="tflite")
    (artifact_folder / "tokenizer.json").write_bytes(b"{}")
    rewrite_manifest(artifact_folder, take_text)
    assert open_artifact(artifact_folder, only="tflite").labels
    (artifact_folder / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer\.json: missing; a text model needs it on every board"):
        open_artifact(artifact_folder, only="tflite")
