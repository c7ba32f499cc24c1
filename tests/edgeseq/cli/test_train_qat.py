"""`edgeseq train --qat` and `--from RUN`: what they leave behind, and the options that do not fit them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.runs import open_run
from edgeseq.training.recipe import QatConfig

QUICK = ["--hidden", "4", "--epochs", "2", "--qat-epochs", "2"]


def edgeseq(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def source(tiny_series: Path, workplace: Path) -> Path:
    """A finished fp32 run, runs/source, in the current folder."""
    ran = edgeseq("train", "--data", tiny_series, "--hidden", "4", "--epochs", "2", "--name", "source")
    assert ran.exit_code == 0, ran.stderr
    return workplace / "runs" / "source"


def test_a_run_is_trained_in_fp32_and_then_in_int8(tiny_series: Path, workplace: Path) -> None:
    ran = edgeseq("train", "--data", tiny_series, *QUICK, "--qat", "--json", "out.json")
    assert ran.exit_code == 0, ran.stderr
    assert "runs/ramps-gru-qat: gru 1x4" in ran.stdout
    assert "validation, int8" in ran.stdout
    assert "quantization-aware: 2 epochs from validation" in ran.stderr
    assert "\n  4/4  " in ran.stderr
    result = json.loads(Path("out.json").read_text())
    assert result["metrics"]["epochs"] == 4
    assert set(result["metrics"]["int8"]) == {"train", "validation", "test"}
    assert result["qat"]["activations"]["gru0"] in ("none", "per_row_int8")


def test_every_option_of_the_int8_part_reaches_the_recipe(tiny_series: Path, workplace: Path) -> None:
    options = "--qat --target pi5 --qat-format onnx --qat-learning-rate 0.0003 --patience 3 --name mine"
    ran = edgeseq("train", "--data", tiny_series, *QUICK, *options.split())
    assert ran.exit_code == 0, ran.stderr
    assert open_run("mine").recipe.qat == QatConfig("pi5", "onnx", 2, 3e-4, 3)


def test_an_int8_part_alone_starts_from_a_run(source: Path) -> None:
    ran = edgeseq("train", "--from", "source", "--qat", "--qat-epochs", "1", "--seed", "3")
    assert ran.exit_code == 0, ran.stderr
    run = open_run("ramps-gru-qat")
    assert run.recipe.training.epochs == 0
    assert run.recipe.training.seed == 3
    assert run.recipe.model == open_run("source").recipe.model
    assert run.metrics["epochs"] == 1
    assert run.recipe.start is not None
    assert run.recipe.start.run == "source"


def test_without_qat_a_run_is_tuned_on_in_fp32(source: Path) -> None:
    ran = edgeseq("train", "--from", "source", "--epochs", "1", "--learning-rate", "0.0001")
    assert ran.exit_code == 0, ran.stderr
    assert "fine-tuning: 1 epochs from validation" in ran.stderr
    run = open_run("ramps-gru-tuned")
    assert run.recipe.qat is None
    assert (run.recipe.training.epochs, run.recipe.training.learning_rate) == (1, 1e-4)
    assert "int8" not in run.metrics


def test_where_no_epoch_is_better_the_start_is_kept_and_said(source: Path) -> None:
    ran = edgeseq("train", "--from", "source", "--epochs", "1", "--learning-rate", "100")
    assert ran.exit_code == 0, ran.stderr
    assert open_run("ramps-gru-tuned").metrics["best_epoch"] == 0
    assert "no epoch of 1 was better than the start, whose weights were kept" in ran.stdout.replace("\n", " ")


def test_a_run_starts_where_its_data_is_now(source: Path, tiny_series: Path) -> None:
    moved = tiny_series.with_name("moved.npz")
    shutil.move(tiny_series, moved)
    ran = edgeseq("train", "--from", "source", "--qat", "--qat-epochs", "1", "--data", moved)
    assert ran.exit_code == 0, ran.stderr
    assert open_run("moved-gru-qat").recipe.data == str(moved)


def test_options_that_say_what_the_run_says_are_no_contradiction(source: Path) -> None:
    ran = edgeseq("train", "--from", "source", "--epochs", "1", "--model", "gru", "--hidden", "4")
    assert ran.exit_code == 0, ran.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "8"], "--hidden 8 contradicts runs/source, which has 4; leave it out"),
        (["--model", "lstm"], "--model lstm contradicts runs/source, which has gru"),
        (["--split-seed", "9"], "--split-seed 9 contradicts runs/source"),
        (["--sample-rate", "40"], "--sample-rate 40 contradicts runs/source"),
        (["--validation-fraction", "0.3"], "--validation-fraction 0.3 contradicts runs/source"),
        (["--qat", "--epochs", "3"], "--qat with --from has none; give --qat-epochs"),
        (["--size", "tiny"], "--size: runs/source has its shape, gru 1x4; leave it out"),
        (["--qat", "--learning-rate", "0.1"], "give --qat-learning-rate"),
        (["--qat", "--target", "pi55"], 'unknown target "pi55"; did you mean "pi5"'),
        (["--qat", "--target", "armv7", "--qat-format", "onnx"], "the target armv7 takes tflite alone"),
        (["--target", "pi5"], "--target is about quantization-aware training; add --qat"),
        (["--qat-epochs", "5"], "--qat-epochs is about quantization-aware training; add --qat"),
        (["--resume", "source"], "leave out --from"),
        (["--name", "source"], "runs/source exists already"),
    ],
)
def test_a_call_that_does_not_fit_the_run_writes_nothing(
    source: Path, options: list[str], message: str
) -> None:
    ran = edgeseq("train", "--from", "source", *options)
    assert ran.exit_code == 2, ran.stderr
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert [each.name for each in source.parent.iterdir()] == ["source"]


def test_a_run_that_is_not_there_is_named(workplace: Path) -> None:
    ran = edgeseq("train", "--from", "nowhere", "--qat")
    assert ran.exit_code == 2
    assert 'unknown run "nowhere"' in ran.stderr
