"""`edgeseq-run bench`: a benchmark on a board without Python gives a result that a host accepts."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import children, has_ended, wait_until

from edgeseq.report.bench_table import bench_tables
from edgeseq_device import __version__
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.golden import read_golden
from edgeseq_device.measuring.agent import choose_cpus
from edgeseq_device.measuring.guards import read_guards
from edgeseq_device.measuring.plain_table import note_lines, table_lines
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import QUICK
from edgeseq_device.system import describe_system

Bench = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("bench_program")
NUMPY = ("RAM, + numpy, input", "numpy, input")


@pytest.fixture(scope="module")
def bench(runner: Path, library: Path) -> Bench:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [runner, "bench", "--library", library, "--library-version", "2.3.0", *words]
        return subprocess.run(
            [str(each) for each in command], capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture(scope="module")
def quick(bench: Bench, pristine_artifact: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """A quick benchmark with one and with two threads, where there are so many: what it said, its result."""
    counts = "1,2" if len(os.sched_getaffinity(0)) > 1 else "1"
    done = bench(pristine_artifact, "--quick", "--threads", counts, "--json", "-")
    assert done.stdout, done.stderr
    return done, json.loads(done.stdout)


def test_a_result_is_one_that_a_host_accepts(
    quick: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    done, result = quick
    validate_result(result, complete=False)
    assert result["agent_version"] == __version__
    assert result["settings"] == vars(QUICK)
    assert done.returncode == (0 if result["valid"] else 5)
    assert all("the worker" not in each for each in result["invalid_because"])
    for model in result["models"]:
        reasons = set(model["not_measured"].values())
        assert reasons == {
            "not asked for",
            "not by the native runner: --runner python",
            "counted by qemu-user only: edgeseq bench --device pi4 --emulate",
            "the native runner has no numpy",
            "one process launch has no spread",
            *(each for each in reasons if "samples, fewer than" in each),
        }


def test_a_result_says_on_what_and_with_what_it_was_measured(
    quick: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
    pristine_artifact: Path,
    runner: Path,
    library: Path,
) -> None:
    _done, result = quick
    assert result["device"] == {**describe_system(), "python": None}
    assert list(result["guards_before"]) == list(result["guards_after"]) == list(read_guards())
    described = open_artifact(pristine_artifact).model("tflite")
    for threads, model in zip(result["threads"], result["models"], strict=True):
        assert (model["format"], model["runner"], model["threads"]) == ("tflite", "native", threads)
        assert model["affinity"] == choose_cpus(threads)
        assert model["runtime"] == "ai-edge-litert 2.3.0"
        assert model["runtime_settings"]["threads"] == threads
        assert model["file"] == model["step_file"] == described.path.name
        assert model["sha256"] == model["step_sha256"] == described.sha256
        assert model["model_bytes"] == model["step_bytes"] == described.bytes
        assert model["weight_bytes"] == described.weight_bytes
        assert model["runner_sha256"] == hashlib.sha256(runner.read_bytes()).hexdigest()
        assert model["library_sha256"] == hashlib.sha256(library.read_bytes()).hexdigest()
        assert np.array(model["logits"]).shape == (16, 3)
        assert model["parity_n"] == model["step_parity_n"] == 16
        assert model["frames"] == 11  # the lower one of the two in the middle of 4 to 19


def cells(lines: list[str]) -> list[list[str]]:
    return [re.split(r"  +", line.strip()) for line in lines]


def test_the_table_is_that_of_python_without_numpy(
    quick: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    done, result = quick
    rows = [row for row in cells(table_lines(result)) if row[0] not in NUMPY]
    shown = [line for line in done.stderr.splitlines() if not re.match(r"\[\d|edgeseq-run: ", line)]
    assert shown[0] == "gestures-gru-int8-generic"
    assert cells(shown[1 : len(rows) + 1]) == rows
    device, *notes = note_lines(result)
    assert shown[len(rows) + 1 :] == [
        device.replace(f"Python {result['device']['python']}", f"edgeseq-run {__version__}"),
        *(note for note in notes if "has no numpy" not in note),
    ]


def test_a_hosts_tables_show_the_result(
    quick: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    result = json.loads(json.dumps(quick[1]))
    told = {"board": "shed", "board_description": "a board", "artifact": {"name": "gestures"}, "host": {}}
    result.update(told)
    for model in result["models"]:
        model["accuracy"], model["host_error"] = {}, None
        model["not_measured"]["host_error"] = "this host has no LiteRT"
    validate_result(result, complete=True)
    rows = {row[0]: row[1] for _title, _heads, table in bench_tables(result) for row in table}
    assert rows["runtime"] == "ai-edge-litert 2.3.0"
    assert "not" not in rows["latency p50"]


def test_the_result_goes_to_a_file_and_the_table_to_stdout(
    bench: Bench, pristine_artifact: Path, tmp_path: Path
) -> None:
    done = bench(pristine_artifact, "--quick", "--json", tmp_path / "result.json")
    validate_result(json.loads((tmp_path / "result.json").read_text("utf-8")), complete=False)
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]
    assert done.stdout.startswith("gestures-gru-int8-generic\n")
    assert "[1/5] tflite native: ram\n" in done.stderr


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    bench: Bench, pristine_artifact: Path, tmp_path: Path
) -> None:
    for place, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "no/r.json", "No such file or directory"),
    ):
        done = bench(pristine_artifact, "--json", place)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"edgeseq-run: {place}: cannot be written ({reason})\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_is_closed_gets_no_other_file(
    closed: str, runner: Path, library: Path, pristine_artifact: Path, tmp_path: Path
) -> None:
    place = tmp_path / "result.json"
    command = [runner, "bench", "--library", library, pristine_artifact, "--quick", "--json", place]
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *map(str, command)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if closed == ">&-":
        assert done.returncode == 1
        assert done.stderr == "edgeseq-run: stdout: cannot be written (it is closed)\n"
        assert not place.exists()
        return
    result = json.loads(place.read_text("utf-8"))
    assert done.returncode in (0, 5)
    assert done.stdout.startswith("gestures-gru-int8-generic\n")
    assert [model["failures"] for model in result["models"]] == [[]]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_command_without_one_of_its_streams_ends_as_with_it(
    closed: str, runner: Path, library: Path, pristine_artifact: Path
) -> None:
    command = [runner, "measure", "parity", "--library", library, "--artifact", pristine_artifact]
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *map(str, command)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if closed == ">&-" else 0)
    assert done.stdout.startswith("edgeseq-outcome 1\n") == (closed != ">&-")


def test_a_program_that_changes_meanwhile_makes_the_result_invalid(
    bench_program: Path, runner: Path, library: Path, pristine_artifact: Path, tmp_path: Path
) -> None:
    for program in (bench_program, runner):
        shutil.copy(program, tmp_path)
    own = tmp_path / "edgeseq-run"
    with measuring(own, library, "[1/5]", pristine_artifact, "--quick") as process:
        changed = tmp_path / "new"
        changed.write_bytes(own.read_bytes() + b"\0")
        changed.chmod(0o755)
        changed.replace(own)
        stdout, _stderr = process.communicate(timeout=60)
    assert process.returncode == 5
    assert f"INVALID: {own} changed while it was measured\n" in stdout


def test_the_program_itself_tells_its_version_and_its_options(bench_program: Path) -> None:
    def said(*words: str) -> tuple[int, str, str]:
        done = subprocess.run([bench_program, *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert said("--version") == (0, f"edgeseq-bench {__version__}\n", "")
    assert said("--help")[1].startswith("edgeseq-run bench ARTIFACT: ")
    told = "edgeseq-run: bench: give one artifact, its folder; see: edgeseq-run bench --help\n"
    assert said() == (2, "", told)


def test_more_threads_than_processors_are_refused(bench: Bench, pristine_artifact: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    done = bench(pristine_artifact, "--threads", str(cores + 1))
    assert done.returncode == 5
    assert done.stderr == f"edgeseq-run: --threads {cores + 1}: this board has {cores} CPUs; ask for fewer\n"


def test_a_library_that_is_not_there_is_refused(
    bench: Bench, runner: Path, pristine_artifact: Path, tmp_path: Path
) -> None:
    done = bench(pristine_artifact, "--library", tmp_path / "libLiteRt.so")
    assert (done.returncode, done.stdout) == (5, "")
    assert str(tmp_path / "libLiteRt.so") in done.stderr


def test_a_library_that_is_none_makes_every_measurement_fail_and_the_result_says_so(
    bench: Bench, pristine_artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "libLiteRt.so").write_text("no library\n")
    done = bench(pristine_artifact, "--library", tmp_path / "libLiteRt.so", "--json", tmp_path / "r.json")
    result = json.loads((tmp_path / "r.json").read_text("utf-8"))
    validate_result(result, complete=False)
    assert done.returncode == 5
    assert [each.partition(":")[0] for each in result["models"][0]["failures"]] == [
        "ram", "parity", "step_parity", "latency", "step_latency",
    ]  # fmt: skip
    assert all("libLiteRt.so" in each for each in result["invalid_because"][-5:])


def reseal(folder: Path) -> None:
    files = sorted(each for each in folder.iterdir() if each.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256_of(each)}  {each.name}\n" for each in files))


def test_answers_out_of_parity_fail_the_benchmark(bench: Bench, artifact_folder: Path) -> None:
    artifact = open_artifact(artifact_folder)
    golden = dict(np.load(artifact.golden_path))
    changed = [name for name in golden if "tflite" in name]
    golden.update({name: golden[name] + np.float32(0.5) for name in changed})
    np.savez(artifact.golden_path, **golden)
    reseal(artifact_folder)
    shape = (artifact.golden_count, artifact.features_count, len(artifact.labels))
    read_golden(artifact.golden_path, ["tflite"], shape, artifact.features_dtype)  # it is fine by itself
    done = bench(artifact_folder, "--quick")
    assert done.returncode == 4
    assert re.search(
        r"model\.tflite by the native runner is out of parity: error \S+ of 1\.0e-03, "
        r"decisions changed: \d+ of 16; do not use it on this device\n",
        done.stderr,
    )


def _heed_signals() -> None:
    """A shell's background job ignores SIGINT, one under nohup SIGHUP."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


@contextmanager
def measuring(runner: Path, library: Path, step: str, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A benchmark that has begun the step of its plan which says `step`."""
    command = [runner, "bench", "--library", library, *words]
    process = subprocess.Popen(
        [str(each) for each in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_signals,  # noqa: PLW1509 - no thread runs here
    )
    try:
        assert process.stderr is not None
        assert any(step in line for line in iter(process.stderr.readline, ""))
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_an_early_end_keeps_what_was_measured(
    name: str, runner: Path, library: Path, pristine_artifact: Path, tmp_path: Path
) -> None:
    words = (pristine_artifact, "--json", tmp_path / "result.json")
    with measuring(runner, library, "step parity", *words) as process:
        process.send_signal(getattr(signal, name))
        stdout, stderr = process.communicate(timeout=60)
    result = json.loads((tmp_path / "result.json").read_text("utf-8"))
    validate_result(result, complete=False)
    lost = f"interrupted by {name}: the rest was not measured"
    assert process.returncode == 130
    assert f"edgeseq-run: not a valid result: {lost}" in stderr
    assert f"INVALID: {lost}\n" in stdout
    assert result["invalid_because"][0] == lost
    model = result["models"][0]
    assert model["failures"] == []
    assert model["parity_ok"] is True
    assert model["ram_peak_bytes"] > 0
    assert model["not_measured"]["latency_p50_ms"] == lost


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_a_benchmark(
    number: signal.Signals, runner: Path, library: Path, pristine_artifact: Path
) -> None:
    with measuring(runner, library, "latency", pristine_artifact) as process:
        found: list[int] = []
        wait_until(lambda: found.extend(children(process.pid)) or found != [], interval_s=0.005)
        (worker,) = found
        process.send_signal(number)
        process.communicate(timeout=60)
    wait_until(lambda: has_ended(worker))
