"""`--fit SIZE`: a model of the size that was asked for, from the training to the exported artifact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.export.manifest import NO_STEP
from edgeseq.runs import open_run
from edgeseq_device.artifact import open_artifact


def edgeseq(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_size_that_was_asked_for_is_that_of_the_artifact(workplace: Path, tiny_series: Path) -> None:
    """The export's budget is then the run's own, and its step form is left out as the fit did."""
    common = ("train", "--data", str(tiny_series), "--epochs", "1", "--name", "small")
    done = edgeseq(*common, "--fit", "30kB", "--no-step")
    assert done.exit_code == 0, done.output
    fit = open_run("small").recipe.fit
    assert (fit.max_bytes, fit.step) == (30_000, False)
    assert f"fitted to 30,000 bytes: hidden {open_run('small').recipe.model.hidden};" in done.output

    done = edgeseq("export", "small", "--max-drop", "100", "--json", "report.json")
    assert done.exit_code == 0, done.output
    sizes = json.loads(Path("report.json").read_text())["size"]
    assert {each["max_bytes"] for each in sizes} == {30_000}
    assert 28_500 <= max(each["bytes"] for each in sizes) <= 30_000
    for model in open_artifact("artifacts/small-int8-generic").models:
        assert (model.step, model.step_reason) == (None, NO_STEP)

    done = edgeseq("export", "small", "--max-drop", "100", "--step", "--max-size", "1MB")
    assert done.exit_code == 0, done.output
    assert all(model.step for model in open_artifact("artifacts/small-int8-generic").models)
    assert edgeseq("export", "small", "--fp32", "--max-drop", "100").exit_code == 0


def test_widths_that_are_given_stay(workplace: Path, tiny_texts: Path) -> None:
    common = ("train", "--data", str(tiny_texts), "--epochs", "1", "--name", "small", "--fit", "60kB")
    done = edgeseq(*common, "--embedding", "10")
    assert done.exit_code == 0, done.output
    recipe = open_run("small").recipe
    assert recipe.model.embedding == 10
    assert recipe.fit.predicted_bytes >= 57_000
    assert not recipe.fit.step
    assert "embedding 10, vocabulary" in done.output


def test_what_cannot_be_fitted_is_refused_before_anything_is_trained(
    workplace: Path, tiny_series: Path
) -> None:
    common = ("train", "--data", str(tiny_series), "--epochs", "1")
    for options, code, cause in [
        (("--fit", "2kB"), 3, "the smallest gru with these settings takes"),
        (("--fit", "30kB", "--hidden", "8"), 2, "nothing left to choose: leave out one of --hidden"),
        (("--fit", "30 apples"), 2, 'size "30 apples" is not understood'),
        (("--fit", "30kB", "--size", "tiny"), 2, "--fit chooses the widths that --size would; leave one out"),
        (("--no-step",), 2, "--no-step is about --fit"),
        (("--step",), 2, "--step is about --fit; without it, say --step to edgeseq export"),
    ]:
        done = edgeseq(*common, *options)
        assert (done.exit_code, cause in done.stderr) == (code, True), done.output
    assert not Path("runs").exists()


def test_a_shape_that_is_anothers_cannot_be_fitted(workplace: Path, tiny_series: Path) -> None:
    assert edgeseq("train", "--data", str(tiny_series), "--epochs", "1", "--name", "first").exit_code == 0
    done = edgeseq("train", "--from", "first", "--fit", "30kB")
    assert done.exit_code == 2
    assert "--fit chooses a shape, and --from keeps that of runs/first" in done.stderr


def test_a_budget_that_the_widths_cannot_fill_is_said(workplace: Path, tiny_series: Path) -> None:
    """A transformer's heads have an even width: near 60 kB one step is more than five percent."""
    common = ("train", "--data", str(tiny_series), "--epochs", "1", "--model", "transformer")
    done = edgeseq(*common, "--fit", "65kB")
    assert done.exit_code == 0, done.output
    assert "of the budget are left" in done.stderr


def test_what_was_given_and_keeps_a_model_from_filling_the_budget_is_named(
    workplace: Path, tiny_texts: Path
) -> None:
    common = ("train", "--data", str(tiny_texts), "--epochs", "1", "--fit", "2MB")
    done = edgeseq(*common, "--hidden", "8", "--embedding", "8", "--buckets", "64")
    assert done.exit_code == 0, done.output
    (warning,) = [line for line in done.stderr.splitlines() if "of the budget are left" in line]
    assert "with --hidden, --embedding, --buckets as given no model comes closer; leave one out" in warning


def test_a_size_is_that_for_the_target_of_quantization_aware_training(
    workplace: Path, tiny_series: Path
) -> None:
    common = ("train", "--data", str(tiny_series), "--epochs", "1", "--name", "small", "--fit", "30kB")
    done = edgeseq(*common, "--qat", "--qat-epochs", "1", "--target", "armv7")
    assert done.exit_code == 0, done.output
    done = edgeseq("export", "small", "--max-drop", "100", "--target", "armv7", "--json", "report.json")
    assert done.exit_code == 0, done.output
    (size,) = json.loads(Path("report.json").read_text())["size"]
    assert 28_500 <= size["bytes"] <= 30_000


@pytest.mark.parametrize("option", ["--fit", "--no-step"])
def test_train_and_distill_both_take_it(option: str) -> None:
    for command in ("train", "distill"):
        assert option in edgeseq(command, "--help").output
