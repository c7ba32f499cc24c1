"""A forecaster from run to artifact."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeseq.export.board_files import board_files
from edgeseq.export.options import ExportOptions
from edgeseq.export.plans import spec_to_export
from edgeseq.export.report import ExportReport
from edgeseq.export.run import export_run
from edgeseq.runs import open_run
from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import UsageError


@pytest.fixture
def place(forecast_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(forecast_place)
    return forecast_place


def exported(place: Path) -> dict:
    return json.loads((place / "export.json").read_text())


def test_an_artifact_says_what_it_reads_and_how_far_it_sees(place: Path) -> None:
    artifact = open_artifact(place / "artifacts/waves")
    told = {name: artifact.manifest[name] for name in ("task", "context", "horizon", "interval_s", "labels")}
    assert told == {
        "task": "forecast",
        "context": 24,
        "horizon": 12,
        "interval_s": 3600.0,
        "labels": ["load", "oil"],
    }
    assert [each.format for each in artifact.models] == ["onnx", "tflite"]
    golden = artifact.golden()
    assert golden.features[0].shape == (24, 2)
    assert golden.logits.shape == (16, 24)
    assert not golden.labels.any()
    assert len(set(golden.names)) == 16  # spread over time


def test_a_forecast_decides_nothing_so_that_errors_alone_are_compared(place: Path) -> None:
    checks = exported(place)["parity"]
    assert [each["subject"] for each in checks] == ["reference fp32", "onnx", "tflite"]
    assert all(each["passed"] and each["flips"] is None for each in checks)


def test_the_drop_is_in_percent_of_the_error_and_the_baseline_is_beside(place: Path) -> None:
    found, metrics = exported(place), open_run("waves").metrics
    for split, measured in found["accuracy"].items():
        assert (measured["n"], measured["metric"]) == (metrics[split]["windows"], "mse")
        assert measured["unit"] == "standardised squared error"
        assert measured["fp32"] == pytest.approx(metrics[split]["mse"], rel=1e-5)
        assert measured["linear"] == pytest.approx(metrics["linear"][split]["mse"], rel=1e-5)
        assert measured["mae"]["linear"] == pytest.approx(metrics["linear"][split]["mae"], rel=1e-5)
        assert set(measured) == {"n", "metric", "unit", "fp32", "onnx", "tflite", "linear", "mae"}
    validation = found["accuracy"]["validation"]
    for drop in found["accuracy_drop"]:
        assert (drop["unit"], drop["max_drop"], drop["flips"]) == ("%", 1.0, None)
        assert drop["drop"] == pytest.approx(100 * (validation[drop["format"]] / validation["fp32"] - 1))


def test_a_forecaster_that_a_linear_model_beats_says_so_once(place: Path) -> None:
    found = exported(place)
    test = found["accuracy"]["test"]
    assert test["linear"] < test["tflite"]  # one epoch
    (told,) = (each for each in found["warnings"] if "linear baseline is better" in each)
    assert told in open_run("waves").warnings


def test_an_export_ends_with_how_to_use_it(place: Path) -> None:
    assert "forecast with it: edgeseq run waves FILE.csv" in (place / "export.txt").read_text("utf-8")


def test_a_forecast_is_in_the_unit_of_its_readings(place: Path) -> None:
    units = {each.outputs[0].unit for each in open_artifact(place / "artifacts/waves").models}
    assert units == {"standardised reading"}


def test_the_linear_model_is_exported_as_it_is_and_has_no_baseline(place: Path, tmp_path: Path) -> None:
    from edgeseq import data
    from edgeseq.features import prepare
    from edgeseq.models.shapes import model_config
    from edgeseq.training.recipe import Recipe, TrainConfig
    from edgeseq.training.train import train

    source = open_run("waves").recipe
    model = model_config("linear", {"context": 24, "horizon": 12}, task="forecast")
    recipe = Recipe(str(place / "waves.csv"), source.reading, model=model, training=TrainConfig(epochs=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        prepared = prepare(data.load(recipe.data, recipe.reading), recipe.splitting, recipe.front_end, model)
        run = train(recipe, prepared, "line")
        report = ExportReport("int8", Path("artifacts/line"))
        export_run(run, ExportOptions(), report, lambda *_table: None, lambda *_step: None)
    assert "linear" not in report.accuracy["test"]
    assert not any("linear baseline" in each for each in report.warnings)
    assert np.allclose(report.accuracy["test"]["tflite"], report.accuracy["test"]["onnx"], rtol=1e-3)


@pytest.mark.parametrize("what", [{"batch": True}, {"sensitivity": True}, {"tune": True}, {"step": True}])
def test_what_a_forecaster_has_not_is_refused(place: Path, what: dict[str, bool]) -> None:
    options = ExportOptions(**what)
    report = ExportReport(options.precision, place / "artifacts/refused")
    with pytest.raises(UsageError, match=r"forecaster.*leave it out"):
        export_run(open_run("waves"), options, report, lambda *_table: None, lambda *_step: None)
    assert not report.artifact.exists()


def test_a_board_needs_as_many_bytes_as_are_counted_before(place: Path) -> None:
    run, options = open_run("waves"), ExportOptions(name="waves")
    spec = spec_to_export(run, run.spec(), options)
    counted = board_files("waves", spec, run.front_end, options, 24, rejects=False)
    for size in exported(place)["size"]:
        assert 0 <= counted.sizes[size["format"]].bytes - size["bytes"] <= 100
