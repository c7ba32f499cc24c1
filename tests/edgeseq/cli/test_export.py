"""`edgeseq export` on a real small run: the gates, their exit codes, and what is on the disk afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgeseq.artifacts import read_provenance
from edgeseq.cli import main
from edgeseq.export import tune
from edgeseq_device import runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.frontend import front_end_from_dict

RECORDINGS, CHANNELS = 120, 3


def edgeseq(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def write_recordings(path: Path) -> None:
    """Rising and falling chirps of 20 to 40 frames in noise."""
    rng = np.random.default_rng(3)
    samples, lengths, labels = np.zeros((RECORDINGS, 40, CHANNELS)), [], []
    for index in range(RECORDINGS):
        frames = int(rng.integers(20, 41))
        speed = np.linspace(0.2, 1.2, frames)[:: 1 if index % 2 else -1]
        wave = np.sin(np.cumsum(speed)[:, None] + np.arange(CHANNELS))
        samples[index, :frames] = wave + 0.1 * rng.standard_normal((frames, CHANNELS))
        lengths.append(frames)
        labels.append("rising" if index % 2 else "falling")
    np.savez(path, samples=samples, lengths=np.array(lengths), labels=np.array(labels))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with chirps.npz and runs/chirps-gru."""
    folder = tmp_path_factory.mktemp("trained")
    write_recordings(folder / "chirps.npz")
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = edgeseq(
            *("train", "--data", "chirps.npz", "--model", "gru", "--hidden", "12", "--epochs", "25"),
            *("--name", "chirps-gru", "--validation-fraction", "0.4"),
        )
    finally:
        os.chdir(before)
    assert result.exit_code == 0, result.output
    assert (
        json.loads((folder / "runs/chirps-gru/run.json").read_text())["metrics"]["validation"]["accuracy"]
        > 0.8
    )
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the working directory."""
    shutil.copytree(trained, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def left_behind(place: Path) -> list[str]:
    return (
        sorted(path.name for path in (place / "artifacts").iterdir())
        if (place / "artifacts").exists()
        else []
    )


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_an_artifact_holds_what_a_board_needs(place: Path, precision: str) -> None:
    result = edgeseq("export", f"--{precision}", "--json", "report.json")
    assert result.exit_code == 0, result.output
    artifact = open_artifact(place / f"artifacts/chirps-gru-{precision}-generic")
    assert artifact.labels == ("falling", "rising")
    assert len(artifact.golden().features) == 16
    report = json.loads((place / "report.json").read_text())
    assert all(gate["passed"] for gate in report["size"] + report["parity"] + report["accuracy_drop"])
    assert [gate["subject"] for gate in report["parity"][1:]] == [
        "onnx",
        "onnx batch",
        "tflite",
        "onnx step",
        "tflite step",
    ]
    assert report["accuracy"]["test"]["n"] > 0
    assert report["accuracy"]["test"]["unit"] == "share of recordings"


def test_raw_samples_get_the_same_answer_through_the_manifests_front_end(place: Path) -> None:
    """What an application on the board does: front end from the manifest, then the model."""
    assert edgeseq("export", "--int8").exit_code == 0
    artifact = open_artifact(place / "artifacts/chirps-gru-int8-generic")
    front_end = front_end_from_dict(artifact.manifest["features"]["front_end"])
    recordings = np.load(place / "chirps.npz")
    golden = artifact.golden()
    answered = 0
    for index, frames in enumerate(recordings["lengths"]):
        features = front_end.features(recordings["samples"][index, :frames].astype(np.float32))
        for known, reference in zip(golden.features, golden.references["tflite"], strict=True):
            if known.shape == features.shape and np.allclose(known, features, atol=1e-6):
                logits = runtimes.load(artifact.model("tflite").path, "tflite").run(features)
                assert np.abs(logits - reference).max() < 1e-3
                answered += 1
    assert answered == 16


def test_a_target_names_the_artifact_and_decides_the_forms(place: Path) -> None:
    """12 units: fp32 compute is faster in both formats, and the manifest says so layer by layer."""
    result = edgeseq("export", "--int8", "--target", "pi5", "--json", "report.json")
    assert result.exit_code == 0, result.output
    artifact = open_artifact(place / "artifacts/chirps-gru-int8-pi5")
    report = json.loads((place / "report.json").read_text())
    assert artifact.manifest["target"] == report["target"] == "pi5"
    assert artifact.manifest["fastest"] == {"sequence": "onnx", "step": "tflite"}
    assert "fastest on pi5" in result.output
    forms = read_provenance(artifact.path)["forms"]
    assert forms == report["forms"]
    for model in artifact.models:
        (gru,) = (layer for layer in forms[model.format]["sequence"] if layer["kind"] == "GRU")
        assert (gru["product"], gru["compute"]) == ("widened", "fp32")
    assert "unrolled, 8 frames" in result.output


def test_the_step_form_counts_towards_the_budget(place: Path) -> None:
    assert edgeseq("export", "--int8", "--json", "report.json").exit_code == 0
    onnx, tflite = json.loads((place / "report.json").read_text())["size"]
    folder = place / "artifacts/chirps-gru-int8-generic"
    assert set(onnx["files"]) == {"model.onnx", "model.step.onnx", "manifest.json", "SHA256SUMS"}
    assert set(tflite["files"]) == {"model.tflite", "manifest.json", "SHA256SUMS"}
    assert onnx["bytes"] == sum((folder / name).stat().st_size for name in onnx["files"])
    files_alone = sum((folder / name).stat().st_size for name in ("model.onnx", "model.step.onnx"))
    shutil.rmtree(place / "artifacts")
    result = edgeseq("export", "--int8", "--format", "onnx", "--max-size", str(files_alone - 1))
    assert result.exit_code == 3
    assert f"onnx takes {files_alone:,} bytes for model.onnx" in result.output


def test_int8_compute_that_is_slower_than_fp32_is_shipped_only_when_asked_for_and_warned_about(
    place: Path,
) -> None:
    result = edgeseq("export", "--int8", "--target", "armv7", "--compute", "int8")
    assert result.exit_code == 0, result.output
    assert "gru0, head compute in int8, which measured slower than fp32 compute on armv7" in result.output
    (model,) = open_artifact(place / "artifacts/chirps-gru-int8-armv7").models
    assert products_of(place / "artifacts/chirps-gru-int8-armv7") == {"row_scale", "none"}
    assert (model.parity_tolerance, model.step.parity_tolerance) == (1e-3, 1e-3)
    result = edgeseq("export", "--int8", "--target", "armv7")
    assert "measured slower" not in result.output
    (model,) = open_artifact(place / "artifacts/chirps-gru-int8-armv7").models
    assert products_of(place / "artifacts/chirps-gru-int8-armv7") == {"widened", "none"}
    # it computes in fp32, but 32-bit ARM's tanh is right to 7.5e-6 only
    assert (model.parity_tolerance, model.step.parity_tolerance) == (1e-3, 1e-3)


def products_of(artifact: Path) -> set[str]:
    forms = read_provenance(artifact)["forms"].values()
    return {layer["product"] for each in forms for layer in each["sequence"]}


def test_a_layer_that_is_kept_in_fp32_is_float_in_every_file(place: Path) -> None:
    result = edgeseq("export", "--int8", "--keep-fp32", "head")
    assert result.exit_code == 0, result.output
    provenance = read_provenance(place / "artifacts/chirps-gru-int8-generic")
    assert provenance["keep_fp32"] == ["head"]
    for each in provenance["forms"].values():
        products = {layer["layer"]: layer["product"] for layer in each["sequence"]}
        assert (products["head"], products["gru0"]) == ("float", "widened")


def test_a_batch_is_an_onnx_file_that_takes_several_sequences(place: Path) -> None:
    result = edgeseq("export", "--int8", "--batch")
    assert result.exit_code == 0, result.output
    (model,) = open_artifact(place / "artifacts/chirps-gru-int8-generic").models
    assert (model.format, model.batch) == ("onnx", True)


def test_int8_compute_takes_no_batch(place: Path) -> None:
    result = edgeseq("export", "--int8", "--batch", "--compute", "int8")
    assert result.exit_code == 2
    assert "--batch: ONNX Runtime's int8 compute rounds over all sequences at once" in result.stderr


def test_sensitivity_is_shown_and_recorded_layer_by_layer(place: Path) -> None:
    result = edgeseq("export", "--int8", "--sensitivity", "--json", "report.json")
    assert result.exit_code == 0, result.output
    assert "What int8 costs alone in each layer" in result.output
    rows = json.loads((place / "report.json").read_text())["sensitivity"]
    assert {row["layer"] for row in rows} == {"gru0", "head", "all"}
    assert read_provenance(place / "artifacts/chirps-gru-int8-generic")["sensitivity"] == rows


def test_tuning_is_shown_and_recorded_and_its_winner_shipped(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "ROUNDS", 1)
    result = edgeseq(
        *("export", "--int8", "--target", "x86", "--tune", "--format", "onnx", "--json", "report.json")
    )
    assert result.exit_code == 0, result.output
    assert "Plans measured on local" in result.output
    provenance = read_provenance(place / "artifacts/chirps-gru-int8-x86")
    (record,) = provenance["tuning"]
    assert record == json.loads((place / "report.json").read_text())["tuning"][0]
    assert (record["device"], record["metric"], record["emulated"]) == ("local", "latency_p50_ms", False)
    assert min(each["figure"] for each in record["candidates"]) > 0
    (kept,) = (each for each in record["candidates"] if each["kept"])
    assert provenance["forms"]["onnx"]["sequence"] == kept["sequence"]


def test_over_the_size_budget_is_exit_3_with_the_largest_tensors_and_nothing_written(place: Path) -> None:
    result = edgeseq("export", "--int8", "--max-size", "2kB", "--json", "report.json")
    assert result.exit_code == 3
    assert "gru0.forward.weight_hh" in result.output
    assert left_behind(place) == []
    assert "over the budget" in json.loads((place / "report.json").read_text())["error"]


def test_the_manifest_counts_towards_the_budget(place: Path) -> None:
    assert edgeseq("export", "--int8").exit_code == 0
    model_alone = (place / "artifacts/chirps-gru-int8-generic/model.tflite").stat().st_size
    shutil.rmtree(place / "artifacts")
    assert edgeseq("export", "--int8", "--format", "tflite", "--max-size", str(model_alone)).exit_code == 3
    assert left_behind(place) == []


def test_an_accuracy_drop_is_exit_4_and_leaves_the_older_artifact_whole(place: Path) -> None:
    assert edgeseq("export", "--int8").exit_code == 0
    before = (place / "artifacts/chirps-gru-int8-generic/SHA256SUMS").read_text()
    weights_that_int8_cannot_hold(place / "runs/chirps-gru/model.safetensors")
    result = edgeseq("export", "--int8")
    assert result.exit_code == 4, result.output
    assert "net flips" in result.output
    assert (place / "artifacts/chirps-gru-int8-generic/SHA256SUMS").read_text() == before
    assert left_behind(place) == ["chirps-gru-int8-generic"]
    assert edgeseq("export", "--fp32").exit_code == 0
    assert edgeseq("export", "--int8", "--max-drop", "100").exit_code == 0


def weights_that_int8_cannot_hold(path: Path) -> None:
    """One weight of each output so large, on a unit that stays 0, that int8 rounds the others away."""
    from safetensors.numpy import load_file, save_file

    weights = load_file(path)
    cell = {name: value for name, value in weights.items() if name.endswith(("_l0", "_l0_reverse"))}
    hidden = next(value.shape[1] for name, value in cell.items() if "weight_hh" in name)
    for value in cell.values():
        silent = [gate * hidden for gate in range(3)]
        value[silent] = 0  # with zero weights and biases the candidate is tanh(0), so unit 0 stays 0
    (head,) = (name for name, value in weights.items() if name not in cell and value.ndim == 2)
    weights[head][:, 0] = 1e6
    save_file(weights, path)


def test_a_model_that_is_lowered_wrongly_gets_no_wider_tolerance(place: Path, monkeypatch) -> None:
    """Another non-linearity, in a model that is not sensitive to rounding."""
    from edgeseq_export.tflite import ops

    monkeypatch.setattr(ops, "tanh", ops.sigmoid)
    result = edgeseq("export", "--int8", "--format", "tflite")
    assert result.exit_code == 4
    assert left_behind(place) == []


def test_a_fault_of_the_system_is_in_the_report_too(place: Path) -> None:
    (place / "artifacts/chirps-gru-int8-generic").mkdir(parents=True)
    result = edgeseq("export", "--int8", "--json", "report.json")
    assert result.exit_code == 1
    report = json.loads((place / "report.json").read_text())
    assert report["artifact"] is None
    assert "no artifact folder" in report["error"]


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_weights_that_are_not_numbers_are_refused(place: Path, precision: str) -> None:
    from safetensors.numpy import load_file, save_file

    path = place / "runs/chirps-gru/model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if "weight_hh" in name)
    weights[name][0, 0] = np.nan
    save_file(weights, path)
    result = edgeseq("export", f"--{precision}")
    assert result.exit_code == 4
    assert "gru0.forward.weight_hh" in result.output
    assert left_behind(place) == []


def test_data_that_changed_since_the_training_is_exit_6(place: Path) -> None:
    recordings = dict(np.load(place / "chirps.npz"))
    recordings["samples"][0, 0, 0] += 1
    np.savez(place / "chirps.npz", **recordings)
    result = edgeseq("export", "--int8")
    assert result.exit_code == 6
    assert left_behind(place) == []


WRONG_CALLS = [
    "--format onxx",
    "no-such-run",
    "--max-size big",
    "--max-drop -1",
    "--max-drop nan",
    "--name ../x",
    "--fp32 --keep-fp32 head",
    "--target x86 --tune --compute int8",
]
WRONG_NAMES = {
    "--target pi6": 'unknown target "pi6"; did you mean "pi',
    "--target armv7 --format onnx": "no onnx runtime for armv7; leave it out, or take tflite",
    "--keep-fp32 hed": 'unknown layer "hed"; did you mean "head"',
    "--target zero2 --tune": "no device here stands for the target zero2; these can be tuned: x86, pi4, pi5",
    "--batch --format tflite": "a TFLite file takes one sequence at a time",
    "--batch --target armv7": "a TFLite file takes one sequence at a time",
}


@pytest.mark.parametrize("arguments", WRONG_CALLS)
def test_a_call_that_is_wrong_is_exit_2(place: Path, arguments: str) -> None:
    result = edgeseq("export", *arguments.split())
    assert result.exit_code == 2, result.output
    assert left_behind(place) == []


@pytest.mark.parametrize("arguments", WRONG_NAMES)
def test_a_call_that_does_not_fit_says_what_would(place: Path, arguments: str) -> None:
    result = edgeseq("export", *arguments.split())
    assert result.exit_code == 2, result.output
    assert WRONG_NAMES[arguments] in result.output
    assert left_behind(place) == []


def test_a_layer_that_a_format_has_no_form_for_is_named_and_nothing_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import edgeseq_export.onnx

    def refuse(spec, plan, unit):
        raise ValueError("gru0: GRU has no ONNX form 'loop'")

    monkeypatch.setattr(edgeseq_export.onnx, "write_onnx", refuse)
    result = edgeseq("export", "--int8")
    assert result.exit_code == 1
    assert "cannot be written as onnx: gru0: GRU has no ONNX form 'loop'" in result.output
    assert "--format tflite alone" in result.output
    assert left_behind(place) == []


def test_a_full_disk_is_exit_1_with_one_line_and_nothing_written(place: Path) -> None:
    """A tmpfs of 32 kB in the place of ./artifacts."""
    (place / "artifacts").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(place / "artifacts")],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        command = [sys.executable, "-m", "edgeseq", "export", "--int8"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        faults = [line for line in result.stderr.splitlines() if "error" in line]
        assert len(faults) == 1
        assert "No space left on device" in faults[0]
        assert "artifacts" in faults[0]
        assert "Traceback" not in result.stderr
        assert left_behind(place) == []
    finally:
        subprocess.run(["umount", str(place / "artifacts")], check=True)
