"""`edgeseq-run measure`: one measurement without Python, each kind against the real library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import anonymous_bytes

from edgeseq_device.artifact import open_artifact
from edgeseq_device.emulation import emulation
from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.outcome import read_outcome
from edgeseq_device.runtimes import load

LIMITS = [
    *("--warmup-runs", "1", "--warmup-s", "0.001", "--warmup-max-s", "0.002"),
    *("--steady-runs", "20", "--steady-s", "0.001", "--steady-max-s", "1"),
    *("--instruction-runs", "2"),
]
RAM_OF_ITS_OWN_BYTES_MAX = 3_000_000


@dataclass
class Outcome:
    """The lines of an outcome, by what they say."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)


def outcome_of(text: str) -> Outcome:
    first, *lines, last = text.splitlines()
    assert (first, last) == ("edgeseq-outcome 1", "end")
    outcome = Outcome()
    for line in lines:
        word, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        if word in ("value", "setting", "phase"):
            {"value": outcome.values, "setting": outcome.settings, "phase": outcome.phases}[word][name] = (
                json.loads(value)
            )
        elif word == "missing":
            outcome.missing[name] = value
        else:
            outcome.others[word] = rest
    return outcome


@pytest.fixture
def measure(runner: Path, library: Path, pristine_artifact: Path) -> Callable[..., Outcome]:
    """The outcome of one kind, of the small artifact unless another is given."""

    def run(kind: str, *arguments: str, artifact: Path = pristine_artifact) -> Outcome:
        command = [str(runner), "measure", kind, "--artifact", str(artifact), "--library", str(library)]
        command += ["--library-version", "2.3.0", *LIMITS, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        outcome = outcome_of(done.stdout)
        read = read_outcome(done.stdout.encode(), kind)
        assert read is not None
        assert read.get("error") == (
            outcome.others["error"].partition(" ")[2] if "error" in outcome.others else None
        )
        return outcome

    return run


def names_of(kind: str) -> set[str]:
    """The keys of a kind as a worker says them."""
    step = "step_" if kind.startswith("step_") else ""
    return {each.removeprefix(step) for each in measured_keys(kind)}


@pytest.mark.parametrize("kind", ["ram", "parity", "step_parity"])
def test_an_outcome_has_the_figures_of_its_kind_or_why_not(
    kind: str, measure: Callable[..., Outcome]
) -> None:
    outcome = measure(kind)
    assert set(outcome.values) | set(outcome.missing) == names_of(kind)
    assert not set(outcome.values) & set(outcome.missing)
    assert outcome.others["runtime"] == "ai-edge-litert 2.3.0"
    assert outcome.settings["threads"] == 1


def test_ram_is_told_by_stage(measure: Callable[..., Outcome], runner: Path, library: Path) -> None:
    outcome = measure("ram")
    assert outcome.missing["ram_numpy_bytes"] == "the native runner has no numpy"
    values = outcome.values
    assert 0 < values["ram_start_bytes"] < values["ram_first_bytes"] <= values["ram_steady_bytes"] + 200_000
    assert values["ram_runtime_bytes"] < values["ram_loaded_bytes"] < values["ram_first_bytes"]
    if "ram_peak_bytes" in values:
        assert values["ram_steady_bytes"] <= values["ram_peak_bytes"]
        assert values["ram_peak_bytes"] < files_bytes(runner, library) + RAM_OF_ITS_OWN_BYTES_MAX
        assert values["ram_pss_bytes"] <= values["ram_steady_bytes"]


def files_bytes(runner: Path, library: Path) -> int:
    """All that the process maps of files: how much of it is in RAM depends on the machine's page cache."""
    told = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
    needed = [Path(word) for word in told.split() if word.startswith("/")]
    return sum(each.stat().st_size for each in (runner, library, *needed))


def test_answers_to_golden_vectors_are_those_of_python_to_the_bit(
    measure: Callable[..., Outcome], pristine_artifact: Path
) -> None:
    artifact = open_artifact(pristine_artifact)
    model = load(artifact.model("tflite").path, "tflite")
    expected = np.stack([model.run(each) for each in artifact.golden().features])
    for threads in ("1", "2"):
        outcome = measure("parity", "--threads", threads)
        assert np.array(outcome.values["logits"], np.float32).tobytes() == expected.tobytes()
        assert outcome.values["parity_ok"] is True
        assert outcome.values["parity_n"] == len(expected)
        assert outcome.values["parity_tolerance"] == artifact.model("tflite").parity_tolerance
        assert outcome.settings["threads"] == int(threads)


@pytest.mark.skipif(emulation() is not None, reason="nothing is timed on an emulated processor")
def test_latency_is_of_phases_and_samples(measure: Callable[..., Outcome]) -> None:
    outcome = measure("latency")
    names = ["start_ms", "import_ms", "load_ms", "first_inference_ms", "first_answer_ms"]
    assert list(outcome.phases) == names
    assert sum(outcome.phases[each] for each in names[:-1]) == pytest.approx(outcome.phases[names[-1]])
    assert outcome.missing == {"numpy_ms": "the native runner has no numpy"}
    runs, seconds, settled = outcome.others["warmup"].split()
    assert int(runs) >= 1
    assert float(seconds) > 0
    assert settled in ("true", "false")
    count, *samples = outcome.others["samples"].split()
    assert int(count) == len(samples) >= 20
    assert all(int(each) > 0 for each in samples)
    assert outcome.others["frames"] == "11"  # golden inputs are of 4 to 19


@pytest.mark.skipif(emulation() is not None, reason="nothing is timed on an emulated processor")
def test_a_step_has_its_own_samples(measure: Callable[..., Outcome]) -> None:
    outcome = measure("step_latency")
    assert list(outcome.phases) == ["load_ms"]
    assert int(outcome.others["samples"].split()[0]) >= 20


@pytest.mark.parametrize("kind", ["instructions", "step_instructions"])
def test_instructions_are_left_to_who_counts_them(kind: str, measure: Callable[..., Outcome]) -> None:
    outcome = measure(kind)
    assert outcome.values == outcome.missing == {}
    assert ("frames" in outcome.others) == (kind == "instructions")


def test_the_peak_in_a_control_group_is_told(measure: Callable[..., Outcome]) -> None:
    outcome = measure("fits")
    assert outcome.missing or outcome.values["peak_rss_bytes"] > 1_000_000


@pytest.mark.parametrize("kind", ["text", "series"])
def test_an_input_of_ones_own_is_measured(
    kind: str, measure: Callable[..., Outcome], tiny_artifact: Callable[..., Path], tmp_path: Path
) -> None:
    rows = np.ones((7, 3), np.int32) if kind == "text" else np.ones((7, 6), np.float32)
    rows.tofile(tmp_path / "rows")
    given = ["--input", str(tmp_path / "rows"), "--frames"]
    assert measure("ram", *given, "7", artifact=tiny_artifact(kind)).others["frames"] == "7"
    error = measure("ram", *given, "6", artifact=tiny_artifact(kind)).others["error"]
    assert error.startswith(f"6 {tmp_path}/rows: ")
    rows = np.full((7, 3), -1, np.int32) if kind == "text" else np.full((7, 6), np.nan, np.float32)
    rows.tofile(tmp_path / "rows")
    error = measure("ram", *given, "7", artifact=tiny_artifact(kind)).others["error"]
    assert error.startswith(f"6 {tiny_artifact(kind)}/model.tflite: features hold ")


def test_a_model_without_a_step_form_says_why(
    measure: Callable[..., Outcome], tiny_artifact: Callable[..., Path], tmp_path: Path
) -> None:
    np.ones((7, 4), np.float32).tofile(tmp_path / "rows")
    given = ["--input", str(tmp_path / "rows"), "--frames", "7"]
    error = measure("step_instructions", *given, artifact=tiny_artifact("backward")).others["error"]
    assert error.startswith(f"6 {tiny_artifact('backward')}: has no step form: ")


def test_a_wrong_call_is_refused_before_anything_is_measured(runner: Path) -> None:
    def said(*arguments: str) -> str:
        done = subprocess.run(
            [str(runner), "measure", *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    assert "give one kind of measurement" in said("ram", "latency")
    assert "give --artifact" in said("ram")
    assert "measure: there is no option --speed; see: edgeseq-run measure --help" in said("ram", "--speed")
    assert "a value is needed by --threads" in said("ram", "--threads")
    assert "--threads" in said("ram", "--artifact", "a", "--threads", "0")
    assert "--steady-s" in said("ram", "--artifact", "a", "--steady-s", "nan")
    assert "--input and --frames together" in said("ram", "--artifact", "a", "--input", "rows")
    assert "--agent must be FD:INODE" in said("ram", "--artifact", "a", "--agent", "7")


def test_a_kind_that_needs_python_is_refused(measure: Callable[..., Outcome]) -> None:
    for kind in ("accuracy", "realtime"):
        assert measure(kind).others == {
            "error": f"2 {kind} is not measured by the native runner; use --runner python"
        }


def test_an_artifact_that_is_not_there_is_an_outcome_too(
    measure: Callable[..., Outcome], tmp_path: Path
) -> None:
    assert measure("ram", artifact=tmp_path).others["error"].startswith(f"6 {tmp_path}")


@pytest.fixture
def endless(runner: Path, library: Path, pristine_artifact: Path) -> list[str]:
    """A command that measures for a minute."""
    command = [str(runner), "measure", "latency", "--artifact", str(pristine_artifact)]
    return [*command, "--library", str(library), "--warmup-s", "60", "--warmup-max-s", "60"]


@pytest.mark.skipif(emulation() is not None, reason="nothing is timed on an emulated processor")
def test_a_signal_ends_it_without_an_outcome(endless: list[str]) -> None:
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline()  # the library is at work
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert "end" not in output


@pytest.mark.skipif(emulation() is not None, reason="nothing is timed on an emulated processor")
def test_memory_of_its_own_is_little_while_it_measures(endless: list[str]) -> None:
    """Without the pages of files, which go by the machine's page cache."""
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline()
        found = []
        for _look in range(20):
            found.append(anonymous_bytes(process.pid))
            time.sleep(0.02)
        process.kill()
    assert 0 < max(found) <= RAM_OF_ITS_OWN_BYTES_MAX


@pytest.mark.skipif(emulation() is not None, reason="nothing is timed on an emulated processor")
def test_it_ends_with_the_agent_that_started_it(endless: list[str]) -> None:
    reader, writer = os.pipe()
    command = [*endless, "--agent", f"{reader}:{os.fstat(reader).st_ino}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[reader], start_new_session=True
    ) as process:
        os.close(reader)
        assert process.stderr is not None
        assert process.stderr.readline()
        os.close(writer)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGIO


def test_it_does_not_begin_without_the_agent_that_started_it(endless: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(writer)
    command = [*endless, "--agent", f"{reader}:{os.fstat(reader).st_ino}"]
    done = subprocess.run(command, capture_output=True, text=True, pass_fds=[reader], check=False)
    os.close(reader)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the agent that started this measurement is gone" in done.stderr


def test_an_outcome_that_cannot_be_written_is_a_fault(
    runner: Path, library: Path, pristine_artifact: Path
) -> None:
    command = [str(runner), "measure", "ram", "--artifact", str(pristine_artifact), "--library", str(library)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "stdout: cannot be written" in done.stderr
