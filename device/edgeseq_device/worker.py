"""One measurement in one fresh process: a job as JSON on stdin, its outcome as one JSON line on stdout.

Imports are late on purpose: what a measurement does not need must not be in the memory it measures.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DeviceError, EdgeseqError

if TYPE_CHECKING:
    from edgeseq_device.golden import GoldenVectors
    from edgeseq_device.manifest import StateInfo
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
    try:
        outcome = _JOBS[job["kind"]](job)
    except EdgeseqError as error:
        outcome = {"error": str(error), "exit_code": error.exit_code}
    except ModuleNotFoundError as error:
        advice = f"run: {sys.executable} -m pip install {error.name}"
        message = f"{error.name} is not installed for {sys.executable}; {advice}"
        outcome = {"error": message, "exit_code": DeviceError.exit_code}
    with outcome_stream:
        outcome_stream.write(json.dumps(outcome, allow_nan=False) + "\n")
    return 0


def measure_ram(job: dict[str, Any]) -> dict[str, Any]:
    """Resident memory after each stage, the peak of it all, and the proportional share at the end."""
    from edgeseq_device.memory import peak_rss_bytes, pss_bytes, rss_bytes

    stages = {"ram_start_bytes": rss_bytes()}
    features = _input(job)
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
    return {"values": values, "not_measured": missing, **_runtime(model), "frames": len(features)}


def measure_latency(job: dict[str, Any]) -> dict[str, Any]:
    """One launch: the time of each phase and the samples of the steady state, on a real processor only."""
    _refuse_emulation()
    from edgeseq_device import runtimes

    features = _input(job)
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
        **_samples(job, lambda: model.run(features)),
        **_runtime(model),
        "frames": len(features),
    }


def measure_step_latency(job: dict[str, Any]) -> dict[str, Any]:
    """One launch: the time to load the step form and the samples of one step from Python."""
    _refuse_emulation()
    from edgeseq_device import runtimes

    features, states = _input(job), _states(job)
    runtimes.import_runtime(job["format"])
    begin_ns = time.monotonic_ns()
    loaded = runtimes.load_step(job["step"]["path"], job["format"], states, job["threads"])
    load_ms = (time.monotonic_ns() - begin_ns) / 1e6
    before, step = frame_by_frame(loaded, features)
    return {"phases": {"load_ms": load_ms}, **_samples(job, step, before), **_runtime(loaded)}


def measure_parity(job: dict[str, Any]) -> dict[str, Any]:
    """The answers to every golden vector, held against the reference interpreter's."""
    from edgeseq_device import runtimes

    golden = _golden(job)
    model = runtimes.load(job["model"], job["format"], job["threads"])
    reference = golden.references[job["format"]]
    values, missing, logits = _parity(model, golden.features, reference, job["tolerance"])
    values["logits"] = None if missing else [[float(each) for each in row] for row in logits]
    if missing:
        missing["logits"] = missing["parity_error"]
    return {"values": values, "not_measured": missing, **_runtime(model)}


def measure_step_parity(job: dict[str, Any]) -> dict[str, Any]:
    """The step form's answers behind the last frame of every golden vector, held against the reference's."""
    golden, loaded = _golden(job), _load_step(job)
    reference = golden.step_reference(job["format"])
    values, missing, _logits = _parity(loaded, golden.features, reference, job["step"]["tolerance"])
    return {"values": values, "not_measured": missing, **_runtime(loaded)}


def count_instructions(job: dict[str, Any]) -> dict[str, Any]:
    """Guest instructions of one `run()` from Python: the median of some, less those of an empty region."""
    from edgeseq_device import runtimes

    features = _input(job)
    model = runtimes.load(job["model"], job["format"], job["threads"])
    values = _instructions(job, lambda: model.run(features))
    return {"values": values, "not_measured": {}, **_runtime(model), "frames": len(features)}


def count_step_instructions(job: dict[str, Any]) -> dict[str, Any]:
    """Guest instructions of one `step()` from Python, counted likewise."""
    loaded = _load_step(job)
    before, step = frame_by_frame(loaded, _input(job))
    for _ in range(_STEPS_UNTIL_FAST):
        before()
        step()
    return {"values": _instructions(job, step, before), "not_measured": {}, **_runtime(loaded)}


def frame_by_frame(loaded: LoadedStep, features: Any) -> tuple[Callable[[], object], Callable[[], object]]:
    """(before, step): the step of one frame of features [T, F] and, before each, the move to the next frame.

    From the last frame the stream goes back to the first and forgets all; that is not part of a step.
    """
    take, frames, at = loaded.step, list(features), -1
    frame = frames[0]

    def before() -> None:
        nonlocal at, frame
        at = (at + 1) % len(frames)
        if at == 0:
            loaded.reset()
        frame = frames[at]

    return before, lambda: take(frame)


def _samples(
    job: dict[str, Any], run: Callable[[], object], before: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Warm-up and steady state of `run`; `before` it comes what is not measured."""
    from edgeseq_device import measure
    from edgeseq_device.request import Limits

    limits = Limits(**job["limits"])
    warm_up = measure.warm_up(run, limits, before=before)
    return {
        "warmup": {"runs": warm_up.runs, "seconds": warm_up.seconds, "settled": warm_up.settled},
        "samples_ns": measure.steady_state(run, limits, before=before),
    }


def _parity(
    model: LoadedModel | LoadedStep, features: Sequence[Any], reference: Any, tolerance: float
) -> tuple[dict[str, Any], dict[str, str], Any]:
    """The figures of one form's answers, the reasons of those that are None, and the answers [n, C]."""
    import numpy as np

    from edgeseq_device.measure import compare_logits

    logits = np.stack([model.run(each) for each in features])
    parity = compare_logits(logits, reference, tolerance)
    values = {
        "parity_error": parity.error,
        "parity_tolerance": tolerance,
        "parity_n": len(logits),
        "parity_decisions_changed": parity.decisions_changed,
        "parity_ok": parity.ok,
    }
    missing = {} if parity.error is not None else {"parity_error": "the answers hold NaN or infinity"}
    return values, missing, logits


def _instructions(
    job: dict[str, Any], work: Callable[[], object], before: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    from edgeseq_device import measure
    from edgeseq_device.counting import count

    log, runs = Path(job["instruction_log"]), int(job["limits"]["instruction_runs"])
    gc.collect()
    gc.disable()
    empty, _spread = measure.median_and_spread(count(log, runs, lambda: None))
    counts = count(log, runs, work, before)
    median, spread = measure.median_and_spread([count - empty for count in counts])
    return {"instructions": round(median), "instructions_n": runs, "instructions_spread_percent": spread}


def _refuse_emulation() -> None:
    from edgeseq_device.emulation import emulation

    emulated = emulation()
    if emulated is not None:
        raise DeviceError(f"latency is never measured on an emulated processor: {emulated.because}")


def _load_step(job: dict[str, Any]) -> LoadedStep:
    from edgeseq_device.runtimes import load_step

    return load_step(job["step"]["path"], job["format"], _states(job), job["threads"])


def _states(job: dict[str, Any]) -> list[StateInfo]:
    """The step form's states; brings in the code of the step form too, which is no part of loading one."""
    from edgeseq_device import stepping  # noqa: F401
    from edgeseq_device.manifest import StateInfo

    return [StateInfo(each["name"], tuple(each["shape"]), each["initial"]) for each in job["step"]["states"]]


def _golden(job: dict[str, Any]) -> GoldenVectors:
    from edgeseq_device.golden import read_golden

    return read_golden(Path(job["golden"]), [job["format"]], tuple(job["golden_shape"]), job["dtype"])


def _runtime(model: LoadedModel | LoadedStep) -> dict[str, Any]:
    return {"runtime": model.version, "runtime_settings": model.settings}


def _input(job: dict[str, Any]) -> Any:
    """[T, F], float32 or int32: the golden input of median length."""
    import numpy as np

    return np.fromfile(job["input"], job["dtype"]).reshape(job["input_shape"])


_JOBS = {
    "ram": measure_ram,
    "latency": measure_latency,
    "parity": measure_parity,
    "instructions": count_instructions,
    "step_latency": measure_step_latency,
    "step_parity": measure_step_parity,
    "step_instructions": count_step_instructions,
}


if __name__ == "__main__":
    sys.exit(main())
