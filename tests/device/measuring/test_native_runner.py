"""The native runner as the agent starts it: a script in its place says what a runner may say."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.measuring.agent import bench
from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.native_runner import NativeRunner, arguments
from edgeseq_device.measuring.native_worker import run_native
from edgeseq_device.measuring.request import Limits, Request
from edgeseq_device.measuring.workers import Began

Fake = Any
"""A FakeRunner of conftest.py."""


def run(fake: Fake, kind: str, **how: Any) -> dict[str, Any]:
    job = {"kind": kind, "task": "classify", "artifact": "/a", "threads": 1}
    return run_native(fake.runner, job, **{"timeout_s": 30, **how})


def test_a_job_is_told_in_arguments() -> None:
    job = {
        "kind": "latency",
        "artifact": "/a",
        "threads": 2,
        "input": "/s/input",
        "input_shape": [37, 40],
        "limits": vars(Limits()),
    }
    runner = NativeRunner(("launch", "/r/edgeseq-run"), "/r/libLiteRt.so", "2.3.0")
    assert arguments(runner, job, Began(123, (7, 99))) == [
        *("launch", "/r/edgeseq-run", "measure", "latency", "--artifact", "/a"),
        *("--library", "/r/libLiteRt.so", "--library-version", "2.3.0", "--threads", "2"),
        *("--spawned-ns", "123", "--agent", "7:99", "--input", "/s/input", "--frames", "37"),
        *("--warmup-runs", "10", "--warmup-s", "0.5", "--warmup-max-s", "5.0", "--steady-runs", "1000"),
        *("--steady-s", "1.0", "--steady-max-s", "10.0", "--instruction-runs", "11"),
    ]


def test_what_is_not_known_is_not_told() -> None:
    runner, job = NativeRunner(("r",), "l", ""), {"kind": "parity", "artifact": "/a", "threads": 1}
    told = arguments(runner, job, Began(1, (2, 3)))
    assert told[:6] == ["r", "measure", "parity", "--artifact", "/a", "--library"]
    assert told[7:] == ["--threads", "1", "--spawned-ns", "1", "--agent", "2:3"]


def test_the_outcome_is_that_of_a_worker(fake: Fake) -> None:
    assert run(fake, "ram")["values"]["ram_peak_bytes"] == 1_000_005
    assert run(fake, "fits")["peak_rss_bytes"] == 8_000_000
    fake.says("ram", "edgeseq-outcome 1\nerror 6 model.tflite: refused\nend\n")
    assert run(fake, "ram") == {"error": "model.tflite: refused", "exit_code": 6}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("kill -SEGV $$", "the worker was killed by SIGSEGV"),
        ("kill -KILL $$", "killed by SIGKILL; the board may have run out of RAM"),
        ("echo 'edgeseq-run: unknown option' >&2; exit 2", "exit code 2: edgeseq-run: unknown option"),
        ("exit 0", "the worker ended without an outcome"),
        ("exec sleep 600", "the worker hung: no outcome after 0.3 s"),
    ],
)
def test_a_runner_that_fails_is_told_as_a_worker_is(fake: Fake, code: str, said: str) -> None:
    fake.does(code)
    assert said in run(fake, "ram", timeout_s=0.3 if "sleep" in code else 30)["error"]


def test_a_runner_that_is_not_there_is_told(fake: Fake) -> None:
    Path(fake.runner.program).unlink()
    expected = f"the worker cannot be started: {fake.runner.program}: No such file or directory"
    assert run(fake, "ram") == {"error": expected}


def test_a_runner_is_on_its_cpus_from_its_start_and_holds_the_agents_pipe(fake: Fake) -> None:
    cpu = max(os.sched_getaffinity(0))
    fake.does(
        'eval pipe=\\${$#}; [ "$(stat -Lc %i /proc/self/fd/${pipe%:*})" = "${pipe#*:}" ] || exit 3\n'
        "grep Cpus_allowed_list /proc/self/status >&2; exit 4"
    )
    before = os.sched_getaffinity(0)
    said = run(fake, "ram", affinity=[cpu])["error"]
    assert said.split("\t") == ["the worker failed with exit code 4: Cpus_allowed_list:", str(cpu)]
    assert os.sched_getaffinity(0) == before


def count_with(fake: Fake, log: Path, counts: Sequence[int]) -> dict[str, Any]:
    """The outcome where the emulator's log has these counts."""
    lines = "".join(json.dumps({"slot": 0, "insns_all": each}) + "\n" for each in counts)
    log.with_suffix(".told").write_text(lines)
    fake.does(f'cp "{log.with_suffix(".told")}" "$EDGESEQ_INSTRUCTION_LOG"; cat "{fake.folder}/$2"')
    job = {
        "kind": "instructions",
        "task": "classify",
        "artifact": "/a",
        "threads": 1,
        "instruction_log": str(log),
    }
    job["limits"] = vars(replace(Limits(), instruction_runs=3))
    runner = replace(fake.runner, command=("/nonexistent",), counting_command=fake.runner.command)
    environment = {"EDGESEQ_INSTRUCTION_LOG": str(log)}
    return run_native(runner, job, timeout_s=30, environment=environment)


def test_instructions_are_those_of_the_log_less_those_of_an_empty_region(fake: Fake, tmp_path: Path) -> None:
    counts = [*[9999] * 10, 40, 50, 45, *[8888] * 10, 2045, 2005, 2145]
    outcome = count_with(fake, tmp_path / "log", counts)
    assert outcome["values"] == {
        "instructions": 2000, "instructions_n": 3, "instructions_spread_percent": 7.0
    }  # fmt: skip
    assert (outcome["frames"], outcome["not_measured"]) == (11, {})


@pytest.mark.parametrize(
    ("counts", "said"),
    [([], "0 of 26 regions counted"), ([5] * 25, "25 of 26 regions"), ([5] * 26, "a run of 0 instructions")],
)
def test_a_log_that_lacks_counts_is_an_error(
    fake: Fake, tmp_path: Path, counts: list[int], said: str
) -> None:
    assert said in count_with(fake, tmp_path / "log", counts)["error"]


def test_the_real_runner_answers_as_python_does_in_less_ram(
    runner: Path, library: Path, pristine_artifact: Path, fast_limits: Limits
) -> None:
    native = NativeRunner((str(runner),), str(library), "2.3.0")
    request = Request(str(pristine_artifact), ("tflite",), ("ram", "parity"), limits=fast_limits)
    result = bench(replace(request, runners=("python", "native"), native=native), lambda _event: None)
    assert result["valid"], result["invalid_because"]
    python, ours = result["models"]
    assert np.array_equal(np.float32(ours["logits"]), np.float32(python["logits"]))
    assert (ours["frames"], ours["parity_ok"]) == (python["frames"], True)
    assert ours["ram_peak_bytes"] < python["ram_peak_bytes"] / 2
    differ = {each for each in ours if (ours[each] is None) != (python[each] is None)}
    assert differ == {"ram_numpy_bytes", "runner_sha256", "library_sha256"}


def test_the_real_runner_takes_every_timed_figure(
    runner: Path, library: Path, pristine_artifact: Path, fast_limits: Limits
) -> None:
    kinds = ("step_parity", "latency", "step_latency")
    request = Request(str(pristine_artifact), ("tflite",), kinds, limits=fast_limits)
    native = NativeRunner((str(runner),), str(library), "2.3.0")
    result = bench(replace(request, runners=("native",), native=native), lambda _event: None)
    assert result["valid"], result["invalid_because"]
    (entry,) = result["models"]
    missing = {name for kind in kinds for name in measured_keys(kind) if entry[name] is None}
    assert missing - {f"{kind}_p99_ms" for kind in kinds} == {"numpy_ms"}
