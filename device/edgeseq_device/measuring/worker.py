"""One measurement in one fresh process: a job as JSON on stdin, its outcome as one JSON line on stdout.

Imports are late on purpose: what a measurement does not need must not be in the memory it measures.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DeviceError, EdgeseqError
from edgeseq_device.measuring.job import (
    frame_by_frame,
    golden_of,
    input_of,
    load_step,
    refuse_emulation,
    runtime_of,
    samples_of,
    states_of,
)

if TYPE_CHECKING:
    from edgeseq_device.runtimes import LoadedModel
    from edgeseq_device.stepping import LoadedStep

PHASES = ("start_ms", "numpy_ms", "import_ms", "load_ms", "first_inference_ms")
"""From before the process is started to its first answer, without a gap: the start of Python, numpy and the
input, the runtime, the model, the first inference."""
_RAM_RUNS = 10
_STEPS_UNTIL_FAST = 100
"""Python 3.11 and later rewrite a function's code while it gets warm; of a step that is 2 %."""


def main() -> int:
    """Do the job on stdin; the exit code is 0 even for a refused model, whose outcome then says so."""
    entered_ns = time.monotonic_ns()
    # Whatever a library prints on stdout must not end up in the outcome.
    outcome_stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.read())
    job["entered_ns"] = entered_ns
    if "agent" in job:
        _end_with_the_agent(*job["agent"])
    try:
        outcome = _measure(job)
    except EdgeseqError as error:
        outcome = {"error": str(error), "exit_code": error.exit_code}
    except ModuleNotFoundError as error:
        advice = f"run: {sys.executable} -m pip install {error.name}"
        message = f"{error.name} is not installed for {sys.executable}; {advice}"
        outcome = {"error": message, "exit_code": DeviceError.exit_code}
    with outcome_stream:
        outcome_stream.write(json.dumps(outcome, allow_nan=False) + "\n")
    return 0


def _end_with_the_agent(pipe: int, inode: int) -> None:
    """Let the kernel end this process group (SIGIO) as soon as the agent, `pipe`'s only writer, is gone.

    An agent that is killed cannot end its worker itself. PR_SET_PDEATHSIG would need ctypes, 0.4 MB of RAM,
    and would not see through a launcher. inode: of the pipe, in case that a launcher has closed it.
    """
    with suppress(OSError):
        if os.fstat(pipe).st_ino != inode:
            return
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        with suppress(BlockingIOError):  # the agent lives
            os.read(pipe, 1)
            raise SystemExit(1)


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    if job["kind"] in _JOBS:
        return _JOBS[job["kind"]](job)
    outcome: dict[str, Any] = importlib.import_module(_MODULES[job["kind"]]).measure(job)
    return outcome


def measure_ram(job: dict[str, Any]) -> dict[str, Any]:
    """Resident memory after each stage, the peak of it all, and the proportional share at the end."""
    from edgeseq_device.measuring.memory import peak_rss_bytes, pss_bytes, rss_bytes

    stages = {"ram_start_bytes": rss_bytes()}
    features = input_of(job)
    stages["ram_numpy_bytes"] = rss_bytes()
    from edgeseq_device import runtimes

    runtimes.import_runtime(job["format"])
    stages["ram_runtime_bytes"] = rss_bytes()
    model = runtimes.load(job["model"], job["format"], job["threads"])
    stages["ram_loaded_bytes"] = rss_bytes()
    model.run(features)
    stages["ram_first_bytes"] = rss_bytes()
    for _ in range(_RAM_RUNS):
        model.run(features)
    stages["ram_steady_bytes"] = rss_bytes()
    values: dict[str, int | None] = {
        **stages,
        "ram_pss_bytes": pss_bytes(),
        "ram_peak_bytes": peak_rss_bytes(),
    }
    reasons = {
        "ram_pss_bytes": "this kernel keeps no proportional figure",
        "ram_peak_bytes": "the kernel's peak would include the emulator",
    }
    missing = {name: reasons[name] for name, value in values.items() if value is None}
    return {"values": values, "not_measured": missing, **runtime_of(model), "frames": len(features)}


def measure_latency(job: dict[str, Any]) -> dict[str, Any]:
    """One launch: the time of each phase and the samples of the steady state, on a real processor only."""
    refuse_emulation()
    from edgeseq_device import runtimes

    features = input_of(job)
    runtimes.prepare(job["format"])
    stamps_ns = [job["spawned_ns"], job["entered_ns"], time.monotonic_ns()]
    runtimes.import_runtime(job["format"])
    stamps_ns.append(time.monotonic_ns())
    model = runtimes.load(job["model"], job["format"], job["threads"])
    stamps_ns.append(time.monotonic_ns())
    model.run(features)
    stamps_ns.append(time.monotonic_ns())
    return {
        "phases": {
            **{name: (end - begin) / 1e6 for name, begin, end in zip(PHASES, stamps_ns, stamps_ns[1:])},
            "first_answer_ms": (stamps_ns[-1] - stamps_ns[0]) / 1e6,
        },
        **samples_of(job, lambda: model.run(features)),
        **runtime_of(model),
        "frames": len(features),
    }


def measure_step_latency(job: dict[str, Any]) -> dict[str, Any]:
    """One launch: the time to load the step form and the samples of one step from Python."""
    refuse_emulation()
    from edgeseq_device import runtimes

    features, states = input_of(job), states_of(job)
    runtimes.import_runtime(job["format"])
    begin_ns = time.monotonic_ns()
    loaded = runtimes.load_step(job["step"]["path"], job["format"], states, job["threads"])
    load_ms = (time.monotonic_ns() - begin_ns) / 1e6
    before, step = frame_by_frame(loaded, features)
    return {"phases": {"load_ms": load_ms}, **samples_of(job, step, before), **runtime_of(loaded)}


def measure_parity(job: dict[str, Any]) -> dict[str, Any]:
    """The answers to every golden vector, held against the reference interpreter's."""
    from edgeseq_device import runtimes

    golden = golden_of(job)
    model = runtimes.load(job["model"], job["format"], job["threads"])
    reference = golden.references[job["format"]]
    values, missing, logits = _parity(job, model, golden.features, reference, job["tolerance"])
    values["logits"] = None if missing else [[float(each) for each in row] for row in logits]
    if missing:
        missing["logits"] = missing["parity_error"]
    return {"values": values, "not_measured": missing, **runtime_of(model)}


def measure_step_parity(job: dict[str, Any]) -> dict[str, Any]:
    """The step form's answers behind the last frame of every golden vector, held against the reference's."""
    golden, loaded = golden_of(job), load_step(job)
    reference = golden.step_reference(job["format"])
    values, missing, _logits = _parity(job, loaded, golden.features, reference, job["step"]["tolerance"])
    return {"values": values, "not_measured": missing, **runtime_of(loaded)}


def count_instructions(job: dict[str, Any]) -> dict[str, Any]:
    """Guest instructions of one `run()` from Python: the median of some, less those of an empty region."""
    from edgeseq_device import runtimes

    features = input_of(job)
    model = runtimes.load(job["model"], job["format"], job["threads"])
    values = _instructions(job, lambda: model.run(features))
    return {"values": values, "not_measured": {}, **runtime_of(model), "frames": len(features)}


def count_step_instructions(job: dict[str, Any]) -> dict[str, Any]:
    """Guest instructions of one `step()` from Python, counted likewise."""
    loaded = load_step(job)
    before, step = frame_by_frame(loaded, input_of(job))
    for _ in range(_STEPS_UNTIL_FAST):
        before()
        step()
    return {"values": _instructions(job, step, before), "not_measured": {}, **runtime_of(loaded)}


def _parity(
    job: dict[str, Any],
    model: LoadedModel | LoadedStep,
    features: Sequence[Any],
    reference: Any,
    tolerance: float,
) -> tuple[dict[str, Any], dict[str, str], Any]:
    """The figures of one form's answers, the reasons of those that are None, and the answers [n, C]."""
    import numpy as np

    from edgeseq_device.measuring.measure import compare_logits

    logits = np.stack([model.run(each) for each in features])
    decides = job["task"] != "forecast"
    parity = compare_logits(logits, reference, tolerance, decides=decides)
    values = {
        "parity_error": parity.error,
        "parity_tolerance": tolerance,
        "parity_n": len(logits),
        **({"parity_decisions_changed": parity.decisions_changed} if decides else {}),
        "parity_ok": parity.ok,
    }
    missing = {} if parity.error is not None else {"parity_error": "the answers hold NaN or infinity"}
    return values, missing, logits


def _instructions(
    job: dict[str, Any], work: Callable[[], object], before: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    from edgeseq_device.measuring import measure
    from edgeseq_device.measuring.counting import count

    log, runs = Path(job["instruction_log"]), int(job["limits"]["instruction_runs"])
    gc.collect()
    gc.disable()
    empty, _spread = measure.median_and_spread(count(log, runs, lambda: None))
    counts = count(log, runs, work, before)
    median, spread = measure.median_and_spread([count - empty for count in counts])
    return {"instructions": round(median), "instructions_n": runs, "instructions_spread_percent": spread}


_JOBS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ram": measure_ram,
    "latency": measure_latency,
    "parity": measure_parity,
    "instructions": count_instructions,
    "step_latency": measure_step_latency,
    "step_parity": measure_step_parity,
    "step_instructions": count_step_instructions,
}
_MODULES = {
    "accuracy": "edgeseq_device.measuring.accuracy",
    "realtime": "edgeseq_device.measuring.realtime",
    "sustained": "edgeseq_device.measuring.sustained",
    "profile": "edgeseq_device.measuring.profile",
    "power": "edgeseq_device.measuring.power",
    "fits": "edgeseq_device.measuring.fits",
}
"""The kinds that few ask for: each module has a measure(job) like those above."""


if __name__ == "__main__":
    sys.exit(main())
