"""`edgeseq train --task forecast`: a run with the linear baseline beside it; data and options refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.runs import open_run

REACH = ["--task", "forecast", "--context", "24", "--horizon", "12"]


def edgeseq(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_forecaster_is_trained_and_shown_beside_the_linear_model(waves: Path, workplace: Path) -> None:
    gaps = waves.read_text("utf-8").splitlines()
    del gaps[9:11]
    waves.write_text("\n".join(gaps) + "\n", "utf-8")
    options = ["--fill", "linear", "--split-rows", "200,50,40", "--drop-column", "oil"]
    ran = edgeseq(
        "train", "--data", waves, *REACH, "--hidden", 4, "--epochs", 1, *options, "--json", "out.json"
    )
    assert ran.exit_code == 0, ran.stderr
    assert "runs/waves-gru: gru 1x4 by 12, 24 to 12" in ran.stdout
    assert "linear MSE" in ran.stdout
    assert "the last 10 are left out" in ran.stdout
    assert "filled 2 missing moments (--fill linear)" in ran.stderr
    assert "warning: the linear baseline is better" in ran.stderr
    run, result = open_run("waves-gru"), json.loads(Path("out.json").read_text("utf-8"))
    assert result["metrics"] == run.metrics
    assert result["splits"]["unit"] == "windows"
    assert set(run.metrics["linear"]["test"]) == {"windows", "mse", "mae"}
    assert run.labels == ("load",)
    reading = run.recipe.reading
    assert (reading.fill, reading.split_rows, reading.drop_columns) == ("linear", (200, 50, 40), ("oil",))


def test_a_test_split_that_is_mostly_filled_is_shown_and_doubted(waves: Path, workplace: Path) -> None:
    rows = waves.read_text("utf-8").splitlines()
    waves.write_text("\n".join([*rows[:251], *rows[298:]]) + "\n", "utf-8")
    options = ["--fill", "previous", "--model", "linear", "--epochs", 1, "--split-rows", "195,57,48"]
    ran = edgeseq("train", "--data", waves, *REACH, *options)
    assert ran.exit_code == 0, ran.stderr
    assert "true cells" in ran.stdout
    assert "6.25 %" in ran.stdout
    assert "warning: 6 of the 96 cells to forecast in test are true, the others were filled" in ran.stderr
    reached = open_run("waves-linear").metrics
    assert (reached["test"]["cells"], reached["test"]["true_cells"]) == (96, 6)
    assert "cells" not in reached["train"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--task", "forecast"], 6, "no horizon fits, give a smaller --context"),
        ([*REACH, "--segment", "5"], 2, "--context 24 is no multiple of --segment 5"),
        ([*REACH, "--split-rows", "1,two"], 2, "is not three numbers"),
        ([*REACH, "--drop-column", "lode"], 6, 'did you mean "load"'),
        ([*REACH, "--model", "linear", "--hidden", "4"], 2, "--hidden is no setting of a linear"),
        ([*REACH, "--label-column", "oil"], 2, "--label-column does not concern"),
        (["--horizon", "12"], 2, "add --task forecast"),
    ],
)
def test_what_cannot_be_forecast_is_refused_and_nothing_is_written(
    waves: Path, workplace: Path, options: list[str], code: int, words: str
) -> None:
    ran = edgeseq("train", "--data", waves, *options)
    assert (ran.exit_code, words in ran.stderr) == (code, True), ran.stderr
    assert not Path("runs").exists()
