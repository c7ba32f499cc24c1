"""`edgeseq eval`: accuracy of a run on its own splits and on data it never saw."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.runs import open_run


def edgeseq(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def run_name(tiny_series: Path, workplace: Path) -> str:
    ran = edgeseq("train", "--data", tiny_series, "--hidden", "6", "--epochs", "2", "--name", "ramps")
    assert ran.exit_code == 0, ran.stderr
    return "ramps"


def evaluated(*arguments: object) -> dict[str, object]:
    ran = edgeseq("eval", *arguments, "--json", "eval.json")
    assert ran.exit_code == 0, ran.stderr
    result: dict[str, object] = json.loads(Path("eval.json").read_text())
    return result


@pytest.mark.parametrize("split", ["test", "validation", "train"])
def test_a_run_is_as_good_as_its_training_said(run_name: str, split: str) -> None:
    result = evaluated(run_name, "--split", split)
    torch = result["forms"]["torch"]  # type: ignore[index]
    expected = open_run(run_name).metrics[split]
    assert {key: torch[key] for key in expected} == expected
    confusion = np.array(torch["confusion"])
    assert (confusion.sum(), confusion.trace()) == (expected["n"], expected["correct"])
    assert result["split"] == split


def test_the_newest_run_and_its_test_split_are_the_default(run_name: str) -> None:
    ran = edgeseq("eval")
    assert ran.exit_code == 0, ran.stderr
    assert "runs/ramps on " in ran.stdout
    assert "test split" in ran.stdout
    assert "fall" in ran.stdout


def test_other_data_is_taken_as_a_whole(
    run_name: str, tmp_path: Path, write_series: Callable[..., Path]
) -> None:
    other = write_series(tmp_path / "other.npz", recordings=32)
    result = evaluated(run_name, "--data", other)
    assert result["split"] == "all"
    assert result["forms"]["torch"]["n"] == 32  # type: ignore[index]


def test_the_same_data_elsewhere_keeps_its_splits(run_name: str, tmp_path: Path, tiny_series: Path) -> None:
    result = evaluated(run_name, "--data", shutil.copy(tiny_series, tmp_path / "moved.npz"))
    assert result["split"] == "test"
    assert result["forms"]["torch"]["n"] == 12  # type: ignore[index]


def test_data_that_changed_in_place_has_no_test_split_of_the_runs(
    run_name: str, tiny_series: Path, write_series: Callable[..., Path]
) -> None:
    write_series(tiny_series, recordings=56)
    ran = edgeseq("eval", run_name)
    assert ran.exit_code == 6
    assert "its content is not what runs/ramps was trained on" in ran.stderr


def test_data_that_is_gone_can_be_named_anew(run_name: str, tiny_series: Path) -> None:
    tiny_series.unlink()
    ran = edgeseq("eval", run_name)
    assert ran.exit_code == 6
    assert f"{tiny_series}: no such file or folder" in ran.stderr
    assert "--data" in ran.stderr


def test_an_artifact_without_its_manifest_is_refused_as_one(artifact_folder: Path, workplace: Path) -> None:
    (artifact_folder / "manifest.json").unlink()
    ran = edgeseq("eval", artifact_folder)
    assert ran.exit_code == 6
    assert "manifest.json: listed in SHA256SUMS but missing" in ran.stderr


def test_a_label_the_model_does_not_know_is_refused(
    run_name: str, tmp_path: Path, write_series: Callable[..., Path]
) -> None:
    other = write_series(tmp_path / "other.npz", labels=("fall", "rise", "leap"))
    ran = edgeseq("eval", run_name, "--data", other, "--json", "eval.json")
    assert ran.exit_code == 6
    assert '"leap" is unknown to the model' in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not Path("eval.json").exists()


def test_data_of_another_kind_is_refused(run_name: str) -> None:
    ran = edgeseq("eval", run_name, "--data", "gestures")
    assert ran.exit_code == 6
    assert ran.stderr.count("\n") == 1


def test_an_unknown_name_is_neither_a_run_nor_an_artifact(run_name: str) -> None:
    ran = edgeseq("eval", "rampss")
    assert ran.exit_code == 2
    assert 'unknown run or artifact "rampss"; did you mean "ramps"' in ran.stderr


def test_an_artifacts_files_are_as_good_as_the_run_they_came_from(run_name: str) -> None:
    ran = edgeseq("export", run_name, "--fp32")
    assert ran.exit_code == 0, ran.stderr
    (artifact,) = Path("artifacts").iterdir()
    result = evaluated(artifact.name)
    assert result["kind"] == "artifact"
    expected = open_run(run_name).metrics["test"]
    forms = result["forms"]
    assert sorted(forms) == ["onnx", "tflite"]  # type: ignore[call-overload]
    for form in forms.values():  # type: ignore[attr-defined]
        assert {key: form[key] for key in expected} == expected


def test_a_tampered_artifact_is_refused_before_a_runtime_opens_it(
    artifact_folder: Path, workplace: Path
) -> None:
    model = artifact_folder / "model.tflite"
    content = bytearray(model.read_bytes())
    content[100] ^= 1
    model.write_bytes(content)
    ran = edgeseq("eval", artifact_folder)
    assert ran.exit_code == 6
    assert str(model) in ran.stderr


def test_the_same_data_with_other_splits_is_refused(run_name: str) -> None:
    recipe = json.loads(Path("runs/ramps/recipe.json").read_text())
    recipe["splitting"]["seed"] = 1
    Path("runs/ramps/recipe.json").write_text(json.dumps(recipe))
    ran = edgeseq("eval", run_name)
    assert ran.exit_code == 6
    assert "come out otherwise here" in ran.stderr


def test_a_single_class_of_new_recordings_is_evaluated(
    run_name: str, tmp_path: Path, write_series: Callable[..., Path]
) -> None:
    result = evaluated(run_name, "--data", write_series(tmp_path / "one.npz", labels=("fall",)))
    assert result["forms"]["torch"]["n"] == 48  # type: ignore[index]


def test_patterns_of_the_training_data_do_not_concern_new_recordings(tmp_path: Path, workplace: Path) -> None:
    generator = np.random.default_rng(0)

    def record(folder: Path, speaker: str, takes: range) -> Path:
        folder.mkdir()
        for take in takes:
            for digit in "01":
                samples = generator.uniform(-0.5, 0.5, 800)
                soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", samples, 8000)
        return folder

    known = record(tmp_path / "known", "anna", range(10))
    options = ["--label-pattern", r"^(?P<label>\d)_", "--test-pattern", r"_[0-4]\.wav$"]
    options += ["--group-pattern", "_(?P<group>anna)_"]
    ran = edgeseq("train", "--data", known, *options, "--hidden", "3", "--epochs", "1", "--name", "d")
    assert ran.exit_code == 0, ran.stderr
    new = record(tmp_path / "new", "bob", range(1))
    result = evaluated("d", "--data", new)
    assert (result["split"], result["forms"]["torch"]["n"]) == ("all", 2)  # type: ignore[index]
    moved = known.rename(tmp_path / "moved")
    result = evaluated("d", "--data", moved)
    assert (result["split"], result["forms"]["torch"]["n"]) == ("test", 10)  # type: ignore[index]
    ran = edgeseq("train", "--data", new, *options[:4], "--name", "e")
    assert ran.exit_code == 6
    assert "none is left to train on" in ran.stderr
    assert not Path("runs/e").exists()


def test_data_for_another_task_is_refused_without_an_option_that_eval_lacks(
    run_name: str, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a text")
    (tmp_path / "hours.csv").write_text("time,x\n1,2\n2,3\n")
    for data, cause in (
        ("etth1", "etth1 is a data set for the task forecast, "),
        (tmp_path / "a.txt", "a text without labels; "),
        (tmp_path / "hours.csv", "no column says which recording"),
    ):
        done = edgeseq("eval", run_name, "--data", data)
        assert done.exit_code in (2, 6)
        assert cause in done.stderr
        assert f"{run_name} is a classifier" in done.stderr
        assert "--" not in done.stderr
