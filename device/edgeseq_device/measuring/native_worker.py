"""Starting the native runner for one measurement. What becomes of it is told as of a worker of Python."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeseq_device.errors import DeviceError
from edgeseq_device.measuring.counting import COUNTING_WARMUP_RUNS, read_counts
from edgeseq_device.measuring.keys import INSTRUCTIONS
from edgeseq_device.measuring.native_runner import NativeRunner, arguments
from edgeseq_device.measuring.outcome import read_outcome
from edgeseq_device.measuring.workers import Began, run_process


def run_native(
    runner: NativeRunner,
    job: Mapping[str, Any],
    *,
    timeout_s: float,
    affinity: Sequence[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The outcome of one job, as `run_worker` gives it. Instructions are counted by the runner's
    counting_command, which the environment tells of job["instruction_log"]."""
    if job["kind"] in INSTRUCTIONS:
        log = Path(job["instruction_log"])
        runner = replace(runner, command=runner.counting_command or ())

    def start(began: Began) -> tuple[Sequence[str], bytes]:
        return arguments(runner, job, began), b""

    def read(stdout: bytes) -> dict[str, Any] | None:
        return read_outcome(stdout, job["kind"], job["task"])

    outcome = run_process(start, read, timeout_s=timeout_s, affinity=affinity, environment=environment)
    if job["kind"] in INSTRUCTIONS and "error" not in outcome:
        return _counted(outcome, log, int(job["limits"]["instruction_runs"]))
    if job["kind"] == "fits" and "error" not in outcome:
        outcome.update(outcome.pop("values"))  # as the worker of Python tells it
    return outcome


def _counted(outcome: dict[str, Any], log: Path, runs: int) -> dict[str, Any]:
    """The instructions of one run: the median of some, less that of as many empty regions before them."""
    try:
        counts, half = read_counts(log), COUNTING_WARMUP_RUNS + runs
    except DeviceError as error:
        return {"error": str(error)}
    if len(counts) != 2 * half:
        return {"error": f"{log}: {len(counts)} of {2 * half} regions counted; prepare the board again"}
    empty = statistics.median(counts[COUNTING_WARMUP_RUNS:half])
    taken = [count - empty for count in counts[half + COUNTING_WARMUP_RUNS :]]
    middle = statistics.median(taken)
    if middle <= 0:
        return {"error": f"{log}: a run of {middle:g} instructions; prepare the board again"}
    spread = 100 * (max(taken) - min(taken)) / middle
    values = {"instructions": round(middle), "instructions_n": runs, "instructions_spread_percent": spread}
    return {**outcome, "values": values}
