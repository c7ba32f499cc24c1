"""A language model from run to artifact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseq.export.board_files import board_files
from edgeseq.export.golden import check_parity, choose_golden, load_steps
from edgeseq.export.options import ExportOptions
from edgeseq.export.plans import spec_to_export
from edgeseq.export.report import ExportReport
from edgeseq.export.run import export_run
from edgeseq.run_data import load_prepared
from edgeseq.runs import open_run
from edgeseq_device import runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import UsageError
from edgeseq_export import write_model


@pytest.fixture
def place(language_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(language_place)
    return language_place


def test_an_artifact_holds_both_forms_in_both_formats_and_what_a_board_asks(place: Path) -> None:
    artifact, run = open_artifact(place / "artifacts/plays"), open_run("plays")
    assert artifact.manifest["task"] == "lm"
    assert artifact.labels == run.labels
    assert not {"context", "horizon", "interval_s"} & set(artifact.manifest)
    assert [each.format for each in artifact.models] == ["onnx", "tflite"]
    assert all(each.step is not None for each in artifact.models)
    assert artifact.golden().features[0].shape == (64, 1)
    assert {each.outputs[0].unit for each in artifact.models} == {"logit"}


def test_an_export_ends_with_how_to_use_it(place: Path) -> None:
    assert 'write with it: edgeseq run plays --prompt "..."' in (place / "export.txt").read_text("utf-8")


def test_every_form_is_in_parity_also_from_a_prompt_on(place: Path) -> None:
    found = json.loads((place / "export.json").read_text())
    assert [each["subject"] for each in found["parity"]] == [
        *("reference fp32", "onnx", "tflite"),
        *("onnx step", "onnx prefill", "tflite step", "tflite prefill"),
    ]
    assert all(each["passed"] and each["flips"] == 0 for each in found["parity"])


def test_the_drop_is_in_nats_of_the_same_tokens_that_training_was_judged_on(place: Path) -> None:
    found = json.loads((place / "export.json").read_text())
    trained = open_run("plays").metrics["validation"]
    measured = found["accuracy"]["validation"]
    assert list(found["accuracy"]) == ["validation"]  # there is no test split
    assert (measured["n"], measured["metric"]) == (trained["tokens"], "nats_per_token")
    assert measured["unit"] == "nats per token"
    assert measured["fp32"] == pytest.approx(trained["nats_per_token"], rel=1e-5)
    assert measured["bits_per_character"]["fp32"] == pytest.approx(trained["bits_per_character"], rel=1e-5)
    for drop in found["accuracy_drop"]:
        assert (drop["unit"], drop["max_drop"], drop["flips"]) == ("nats", 0.01, None)
        assert drop["drop"] == pytest.approx(measured[drop["format"]] - measured["fp32"])
    assert any("fewer than 1000" in each for each in found["warnings"])
    provenance = json.loads((place / "artifacts/plays/provenance.json").read_text())
    assert provenance["accuracy"] == found["accuracy"]


@pytest.mark.parametrize("what", [{"batch": True}, {"sensitivity": True}, {"tune": True}, {"step": False}])
def test_what_only_a_classifier_has_is_refused(place: Path, what: dict[str, bool]) -> None:
    options = ExportOptions(**what)
    report = ExportReport(options.precision, place / "artifacts/refused")
    with pytest.raises(UsageError, match=r"language model.*leave it out"):
        export_run(open_run("plays"), options, report, lambda *_table: None, lambda *_step: None)
    assert not report.artifact.exists()


def test_a_board_needs_as_many_bytes_as_are_counted_before(place: Path) -> None:
    found, run = json.loads((place / "export.json").read_text()), open_run("plays")
    options = ExportOptions(name="plays")
    counted = board_files(
        "plays", spec_to_export(run, run.spec(), options), run.front_end, options, 64, rejects=False
    )
    for size in found["size"]:
        assert size["files"].keys() == counted.sizes[size["format"]].files.keys()
        assert 0 <= counted.sizes[size["format"]].bytes - size["bytes"] <= 100


def test_states_that_a_sequence_form_leaves_wrongly_are_out_of_parity(place: Path) -> None:
    run = open_run("plays")
    module, trained = run.module(), run.spec()
    spec = spec_to_export(run, trained, ExportOptions())
    models = {"onnx": write_model(spec, "onnx", "id")}
    golden = choose_golden(module, spec, models, load_prepared(run).splits)
    folder = place / "artifacts/plays"
    loaded = runtimes.load(folder / "model.onnx", "onnx")

    class Forgetful:
        """Leaves the states of a stream that has not begun."""

        run, run_batch = loaded.run, loaded.run_batch

        def prefill(self, features: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            logits, states = loaded.prefill(features)
            return logits, {name: np.zeros_like(each) for name, each in states.items()}

    models = {name: replace(each, batch=False) for name, each in models.items()}
    steps = load_steps(folder, models)
    checks = check_parity({"onnx": Forgetful()}, golden, trained, spec, models, steps)
    assert [each.subject for each in checks if not each.passed] == ["onnx prefill"]
