"""Language models and forecasters without Python: the same answers, and a benchmark in their words."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.forecast import load_forecaster
from edgeseq_device.measuring.plain_table import table_lines
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.runtimes import load

Run = Callable[..., subprocess.CompletedProcess[str]]
Golden = Callable[[str], Path]
NUMPY = ("RAM, + numpy, input", "numpy, input")


@pytest.fixture
def run(runner: Path, library: Path, tmp_path: Path) -> Run:
    """Runs a command of it in a folder of its own."""

    def run(command: str, artifact: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        line = [runner, command, artifact, "--library", library, *words]
        text = "input" not in options
        return subprocess.run(
            list(map(str, line)), cwd=tmp_path, capture_output=True, text=text, check=False, **options
        )

    return run


def readings(moments: int) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(moments).normal((10, -1), (2, 0.5), (moments, 2))
    return found.astype(np.float32)


@pytest.mark.parametrize("task", ["lm", "forecast"])
def test_golden_vectors_are_answered(task: str, golden_artifact: Golden, run: Run) -> None:
    done = run("check", golden_artifact(task))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("3 golden vectors") == (2 if task == "lm" else 1)


@pytest.mark.parametrize("moments", [6, 9])
@pytest.mark.parametrize("as_json", [False, True], ids=["csv", "json"])
def test_a_forecast_is_pythons_in_the_units_of_the_readings(
    moments: int, as_json: bool, golden_artifact: Golden, run: Run, tmp_path: Path
) -> None:
    given, artifact = readings(moments), golden_artifact("forecast")
    given.tofile(tmp_path / "load.raw")
    done = run("predict", artifact, "load.raw", *(["--json"] if as_json else []))
    assert done.returncode == 0, done.stderr
    if as_json:
        answer = json.loads(done.stdout)
        names, rows = answer["channels"], answer["forecast"]
    else:
        names, *rows = csv.reader(done.stdout.splitlines())
    assert names == ["load", "heat"]
    expected = load_forecaster(artifact, "tflite").forecast(given)
    assert np.array(rows, np.float32).tobytes() == expected.tobytes()


def test_a_file_of_numpy_is_taken_too_and_several_are_told_in_json(
    golden_artifact: Golden, run: Run, tmp_path: Path
) -> None:
    artifact = golden_artifact("forecast")
    for name, moments in (("a.npy", 6), ("b.npy", 7)):
        np.save(tmp_path / name, readings(moments))
    assert "add --json" in run("predict", artifact, "a.npy", "b.npy").stderr
    lines = run("predict", artifact, "a.npy", "b.npy", "--json").stdout.splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["a.npy", "b.npy"]


def test_too_few_moments_are_refused_with_the_number_that_is_needed(
    golden_artifact: Golden, run: Run, tmp_path: Path
) -> None:
    readings(5).tofile(tmp_path / "load.raw")
    done = run("predict", golden_artifact("forecast"), "load.raw")
    assert done.returncode == 6
    said = "load.raw: it holds 5 moments, the model needs the last 6; give 1 more before them"
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("more", [b"", b"5"], ids=["whole rows", "part of a row"])
def test_a_csv_is_no_file_of_readings_whatever_its_size(
    more: bytes, golden_artifact: Golden, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "load.csv").write_bytes(b"1.25,-2\n" * 48 + more)
    done = run("predict", golden_artifact("forecast"), "load.csv")
    assert (done.returncode, done.stdout) == (6, "")
    assert "load.csv: text, not float32 values; " in done.stderr
    assert "edgeseq run, in Python, takes CSV" in done.stderr


def test_a_measurement_of_another_number_of_frames_is_refused(
    golden_artifact: Golden, runner: Path, library: Path, tmp_path: Path
) -> None:
    readings(7).tofile(tmp_path / "input")
    words = (
        "--artifact",
        golden_artifact("forecast"),
        "--library",
        library,
        "--input",
        "input",
        "--frames",
        7,
    )
    command = [str(each) for each in (runner, "measure", "ram", *words)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r"error 6 .*takes exactly 6 frames, not 7; give it as many", done.stdout)


def test_a_forecaster_has_no_stream(golden_artifact: Golden, run: Run) -> None:
    done = run("stream", golden_artifact("forecast"), input=b"")
    assert done.returncode == 2
    assert b"edgeseq-run predict" in done.stderr


def test_a_language_model_tells_the_next_token(golden_artifact: Golden, run: Run, tmp_path: Path) -> None:
    artifact, ids = golden_artifact("lm"), np.array([[3], [5], [2], [9]], np.int32)
    ids.tofile(tmp_path / "prompt.raw")
    labels = json.loads((artifact / "manifest.json").read_text("utf-8"))["labels"]
    logits = load(artifact / "model.tflite", "tflite").run(ids)
    token = labels[int(logits.argmax())]
    done = run("predict", artifact, "prompt.raw")
    assert done.stdout.startswith(f"prompt.raw: {json.dumps(token)} "), done.stderr
    told = run("stream", artifact, input=ids.tobytes()).stdout.decode().splitlines()
    assert len(told) == 4
    assert json.loads(told[-1])["label"] == token


@pytest.mark.usefixtures("bench_program")
@pytest.mark.parametrize("task", ["lm", "forecast"])
def test_a_benchmark_is_pythons_result_and_table(task: str, golden_artifact: Golden, run: Run) -> None:
    done = run("bench", golden_artifact(task), "--quick", "--json", "-")
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    validate_result(result, complete=False)
    shown = [re.split(r"  +", line.strip()) for line in done.stderr.splitlines()]
    rows = [re.split(r"  +", line.strip()) for line in table_lines(result)]
    assert [row for row in rows if row[0] not in NUMPY] == [row for row in shown if row in rows]
    (model,) = result["models"]
    if task == "lm":
        assert model["tokens_per_second"] == pytest.approx(1000 / model["step_latency_p50_ms"])
        assert (model["window"], model["states_bytes"]) == (5, 340)
    else:
        assert model["forecasts_per_second"] == pytest.approx(1000 / model["latency_p50_ms"])
        assert (model["context"], model["horizon"], model["states_bytes"]) == (6, 4, None)
