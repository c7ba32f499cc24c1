"""What a language model and a forecaster are evaluated on: their own splits, other texts, other series."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgeseq.cli import main
from edgeseq.data import DataOptions
from edgeseq.eval_stretch import choose_stretch
from edgeseq.eval_subject import open_subject
from edgeseq.features import LabelledFeatures, Text
from edgeseq.runs import open_run
from edgeseq_device.errors import DataError, UsageError


@pytest.fixture
def plays(language_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(language_place)
    return language_place


@pytest.fixture
def waves_place(forecast_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(forecast_place)
    return forecast_place


def evaluated(place: Path, *arguments: object) -> dict:
    ran = CliRunner().invoke(main, ["eval", *map(str, arguments), "--json", str(place / "eval.json")])
    assert ran.exit_code == 0, ran.output
    return json.loads((place / "eval.json").read_text())


def test_a_language_model_is_evaluated_on_validation_where_there_is_no_test_split(
    plays: Path, tmp_path: Path
) -> None:
    trained = open_run("plays").metrics["validation"]
    run = evaluated(tmp_path, "runs/plays")
    assert (run["task"], run["split"], set(run["forms"])) == ("lm", "validation", {"torch"})
    assert run["forms"]["torch"] == pytest.approx(trained, rel=1e-5)
    files = evaluated(tmp_path, "artifacts/plays")
    exported = json.loads((plays / "export.json").read_text())["accuracy"]["validation"]
    for name in ("onnx", "tflite"):
        assert files["forms"][name]["nats_per_token"] == pytest.approx(exported[name], rel=1e-6)


def test_another_text_is_read_whole_and_what_it_has_beyond_the_vocabulary_is_said(
    plays: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Anna:\n  Anna sleeps @ home.\n" * 9, "utf-8")
    found = evaluated(tmp_path, "artifacts/plays", "--data", other)
    assert found["split"] == "all"
    length = len(other.read_text("utf-8"))
    assert found["forms"]["onnx"]["tokens"] == (length - 1) // 16 * 16
    assert any(
        each.startswith("characters that the vocabulary lacks count as unknown: 9 in all, such as '@'")
        for each in found["warnings"]
    )
    assert found["forms"]["onnx"] == pytest.approx(found["forms"]["tflite"], rel=1e-4)


def test_a_part_of_another_text_can_be_named_but_none_that_is_not_there(plays: Path, tmp_path: Path) -> None:
    subject = open_subject("runs/plays")
    chosen = choose_stretch(subject, "plays.txt", "train")
    assert isinstance(chosen.material, Text)
    assert (
        len(chosen.material)
        == chosen.material.characters
        == len(Path("plays.txt").read_text("utf-8")) * 9 // 10
    )
    with pytest.raises(DataError, match="it has no test split; choose --split of: train, validation, all"):
        choose_stretch(subject, None, "test")
    with pytest.raises(UsageError, match="about --data"):
        choose_stretch(subject, None, None, DataOptions(text_column="text"))
    short = tmp_path / "short.txt"
    short.write_text("Anna")
    ran = CliRunner().invoke(main, ["eval", "runs/plays", "--data", str(short)])
    assert ran.exit_code == 6
    assert "has 4 tokens" in ran.output


def test_a_forecaster_is_evaluated_on_every_window_beside_its_baseline(
    waves_place: Path, tmp_path: Path
) -> None:
    metrics = open_run("waves").metrics
    run = evaluated(tmp_path, "runs/waves")
    assert (run["task"], run["split"]) == ("forecast", "test")
    assert run["forms"]["torch"] == pytest.approx(metrics["test"], rel=1e-5)
    assert run["forms"]["linear"] == pytest.approx(metrics["linear"]["test"], rel=1e-5)
    files = evaluated(tmp_path, "artifacts/waves", "--split", "validation")
    exported = json.loads((waves_place / "export.json").read_text())["accuracy"]["validation"]
    for name in ("onnx", "tflite"):
        assert files["forms"][name]["mse"] == pytest.approx(exported[name], rel=1e-6)


def test_another_series_may_have_its_columns_in_another_order_but_not_others(
    waves_place: Path, tmp_path: Path
) -> None:
    rows = [line.split(",") for line in Path("waves.csv").read_text().splitlines()[:101]]
    turned, wider = tmp_path / "turned.csv", tmp_path / "wider.csv"
    turned.write_text("\n".join(f"{time},{oil},{load}" for time, load, oil in rows))
    wider.write_text("\n".join(f"{','.join(row)},{'gas' if n == 0 else n}" for n, row in enumerate(rows)))
    found = evaluated(tmp_path, "artifacts/waves", "--data", turned)
    assert found["split"] == "all"
    assert found["forms"]["onnx"]["windows"] == 100 - 24 - 12 + 1
    subject = open_subject("artifacts/waves")
    with pytest.raises(DataError, match=r"not the model's 2: gas not known; .*--drop-column"):
        choose_stretch(subject, str(wider), None)
    dropped = evaluated(tmp_path, "artifacts/waves", "--data", wider, "--drop-column", "gas")
    assert dropped["forms"]["onnx"] == pytest.approx(found["forms"]["onnx"], rel=1e-6)
    short = tmp_path / "short.csv"
    short.write_text("\n".join(",".join(row) for row in rows[:30]))
    with pytest.raises(DataError, match="has 29 rows; the model takes 36 at least"):
        choose_stretch(subject, str(short), None)


@pytest.mark.parametrize(
    "given",
    [
        {"drop_columns": ("oil",)},
        {"drop_columns": ("time",)},
        {"time_column": "time"},
        {"fill": "previous"},
        {"split_rows": (100, 50, 50)},
    ],
)
def test_the_data_of_training_is_read_as_then_or_the_option_is_refused_by_its_name(
    waves_place: Path, given: dict
) -> None:
    (name,) = given
    flag = "--" + name.replace("columns", "column").replace("_", "-")
    with pytest.raises(
        UsageError, match=f"{flag}: waves.csv is what .* without that option; leave {flag} out"
    ):
        choose_stretch(open_subject("runs/waves"), "waves.csv", None, DataOptions(**given))


def test_channels_are_the_models_even_where_the_content_is_that_of_training(waves_place: Path) -> None:
    subject = open_subject("runs/waves")
    turned = replace(subject, labels=subject.labels[::-1])
    own, other = (choose_stretch(each, "waves.csv", "all").material for each in (subject, turned))
    assert isinstance(own, LabelledFeatures)
    assert isinstance(other, LabelledFeatures)
    assert own.features[0][0, 0] * subject.front_end.scale[0] + subject.front_end.mean[0] == pytest.approx(
        other.features[0][0, 1] * subject.front_end.scale[1] + subject.front_end.mean[1], rel=1e-4
    )


def test_cells_that_were_filled_are_no_truth_in_another_series_either(
    waves_place: Path, tmp_path: Path
) -> None:
    rows = Path("waves.csv").read_text().splitlines()[:101]
    time, _, oil = rows[60].split(",")
    rows[60] = f"{time},,{oil}"
    other = tmp_path / "gap.csv"
    other.write_text("\n".join(rows))
    chosen = choose_stretch(open_subject("runs/waves"), str(other), None, DataOptions(fill="previous"))
    assert len(chosen.material) == 100 - 24 - 12 + 1
    assert np.isnan(chosen.material.labels).sum() == 12
    assert any("1 of 152 in the whole file" in each for each in chosen.warnings)
