"""`edgeseq run` of a forecaster: a table, all rows, a plot, and what came where the file has it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main

VALUES = np.random.default_rng(2).normal((10, -1), (2, 0.5), (20, 2)).round(3)


@pytest.fixture(autouse=True)
def there(forecaster_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a forecaster and a file of 20 hours."""
    monkeypatch.chdir(tmp_path)
    Path("artifacts").mkdir()
    Path("artifacts/plant").symlink_to(forecaster_folder)
    times = np.datetime64("2024-02-28T10:00") + np.arange(20) * np.timedelta64(1, "h")
    rows = [f"{time},{load},{heat}" for time, (load, heat) in zip(times, VALUES, strict=True)]
    Path("hours.csv").write_text("\n".join(["date,load,heat", *rows]) + "\n")


def edgeseq(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", *arguments])


@pytest.mark.parametrize("words", [("hours.csv",), ("plant", "hours.csv")])
def test_the_next_moments_are_a_table_with_times_that_go_on(words: tuple[str, ...]) -> None:
    done = edgeseq(*words, "--format", "tflite")
    assert done.exit_code == 0, done.output
    assert "artifacts/plant, tflite: 4 moments from row 21 of hours.csv" in done.stdout
    for hour in (6, 7, 8, 9):
        assert f"2024-02-29 0{hour}:00:00" in done.stdout
    assert "MSE" not in done.stdout


def test_all_rows_are_written_under_the_files_own_names_and_kept_in_the_result() -> None:
    done = edgeseq("hours.csv", "--output", "next.csv", "--json", "next.json")
    assert done.exit_code == 0, done.output
    found = json.loads(Path("next.json").read_text("utf-8"))
    with Path("next.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["date", "load", "heat"]
    assert [row[0] for row in rows] == found["moments"]
    written = [[float(cell) for cell in row[1:]] for row in rows]
    assert np.array(written, np.float32).tolist() == np.array(found["forecast"], np.float32).tolist()
    assert written[0] == pytest.approx(VALUES[-6:].mean(axis=0), abs=0.03)
    assert (found["first_row"], found["actual"], found["mse"]) == (21, [], None)
    assert found["artifact"] == "artifacts/plant"


def test_from_an_earlier_moment_the_forecast_is_held_against_what_came() -> None:
    done = edgeseq("hours.csv", "--from", "-3", "--json", "past.json")
    assert done.exit_code == 0, done.output
    found = json.loads(Path("past.json").read_text("utf-8"))
    shown = f"MSE {found['mse']:.4f}, MAE {found['mae']:.4f}, standardised"
    assert f"Against the 3 of 4 moments that the file has: {shown}" in done.stdout
    assert np.array(found["actual"]) == pytest.approx(VALUES[17:], abs=1e-5)
    mine = np.abs(np.array(found["forecast"])[:3] - VALUES[17:]).mean(axis=0)
    naive = np.abs(VALUES[16] - VALUES[17:]).mean(axis=0)
    line = next(line for line in done.stdout.splitlines() if "load" in line and "date" not in line)
    assert f"{mine[0]:.4g}" in line
    assert f"{naive[0]:.4g}" in line


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_plot_is_a_file_of_its_kind(kind: str) -> None:
    done = edgeseq("hours.csv", "--from", "2024-02-29 02:00", "--plot", f"plot.{kind}")
    assert done.exit_code == 0, done.output
    assert Path(f"plot.{kind}").read_bytes().startswith(b"\x89PNG" if kind == "png" else b"<?xml")
    assert f"plot: plot.{kind}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        (("plant",), 2, "artifacts/plant is a forecaster: give it one file"),
        (("hours.csv", "hours.csv"), 2, "give it one file"),
        (("plan", "hours.csv"), 2, 'unknown artifact "plan"; did you mean "plant"?'),
        (("other.csv",), 2, "other.csv: no such file"),
        (("hours.csv", "--from", "3"), 2, "the model needs 6; the first one that it can say is row 7"),
        (("hours.csv", "--plot", "plot.pdf"), 2, "name a file that ends in .png or .svg"),
        (("hours.csv", "--output", "no/next.csv"), 2, "--output no/next.csv: the folder no does not exist"),
        (("hours.csv", "--top", "2"), 2, "is a forecaster; --top concerns a classifier"),
        (("plant", "--prompt", "a"), 2, "is a forecaster; --prompt concerns a language model"),
        (("gap.csv",), 6, "line 5: its time, 2024-02-28 15:00:00, is 3:00:00 after that of line 4"),
    ],
)
def test_a_call_that_does_not_fit_says_what_would(arguments: tuple[str, ...], code: int, cause: str) -> None:
    lines = Path("hours.csv").read_text().splitlines()
    Path("gap.csv").write_text("\n".join([*lines[:4], *lines[6:]]) + "\n")
    done = edgeseq(*arguments)
    assert (done.exit_code, cause in done.stderr) == (code, True), done.output


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("--output", "hours.csv"), "--output hours.csv is the input; name another file"),
        (("--json", "link.csv"), "--json link.csv is the input"),
        (("--json", "artifacts/plant/manifest.json"), "is a file of artifacts/plant, which is read"),
        (("--json", "a.csv", "--output", "./a.csv"), "--output a.csv is the file of --json too"),
        (("--json", "a.png", "--plot", "a.png"), "--plot a.png is the file of --json too"),
    ],
)
def test_no_output_takes_the_place_of_an_input_or_of_another(arguments: tuple[str, ...], cause: str) -> None:
    Path("link.csv").symlink_to("hours.csv")
    before = Path("hours.csv").read_bytes()
    done = edgeseq("plant", "hours.csv", *arguments)
    assert (done.exit_code, cause in done.stderr) == (2, True), done.output
    assert done.stdout == ""
    assert Path("hours.csv").read_bytes() == before


def test_a_gap_is_answered_with_what_helps_a_forecast() -> None:
    lines = Path("hours.csv").read_text().splitlines()
    Path("gap.csv").write_text("\n".join([*lines[:4], *lines[6:]]) + "\n")
    done = edgeseq("gap.csv")
    assert "in all); mend the file, or train a model with --fill: its artifact then fills" in done.stderr
    assert "--drop-column" not in done.stderr


def test_the_result_of_a_past_forecast_says_its_errors_by_channel_and_their_units() -> None:
    edgeseq("hours.csv", "--from", "-3", "--json", "past.json")
    found = json.loads(Path("past.json").read_text("utf-8"))
    mine = np.abs(np.array(found["forecast"])[:3] - VALUES[17:]).mean(axis=0)
    naive = np.abs(VALUES[16] - VALUES[17:]).mean(axis=0)
    assert found["channel_mae"]["forecast"] == pytest.approx(mine, abs=1e-5)
    assert found["channel_mae"]["last_value_kept"] == pytest.approx(naive, abs=1e-5)
    assert found["mse_and_mae_in"] == "standard deviations of the training data"
    assert (found["context"], found["horizon"], found["interval_s"]) == (6, 4, 3600.0)
