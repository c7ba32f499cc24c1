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
from pathlib import Path
from typing import Any

from edgeseq_device.errors import DeviceError, EdgeseqError

PHASES = ("start_ms", "numpy_ms", "import_ms", "load_ms", "first_inference_ms")
"""From before the process is started to its first answer, without a gap: the start of Python, numpy and the
input, the runtime, the model, the first inference."""
_RAM_RUNS = 10


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
    return {
        "values": values,
        "not_measured": missing,
        "runtime": model.version,
        "runtime_settings": model.settings,
        "frames": len(features),
    }


def measure_latency(job: dict[str, Any]) -> dict[str, Any]:
    """One launch: the time of each phase and the samples of the steady state, on a real processor only."""
    from edgeseq_device.emulation import emulation

    emulated = emulation()
    if emulated is not None:
        raise DeviceError(f"latency is never measured on an emulated processor: {emulated.because}")
    from edgeseq_device import measure, runtimes
    from edgeseq_device.request import Limits

    limits = Limits(**job["limits"])
    features = _input(job)
    stamps_ns = [job["spawned_ns"], job["entered_ns"], time.monotonic_ns()]
    runtimes.import_runtime(job["format"])
    stamps_ns.append(time.monotonic_ns())
    model = runtimes.load(job["model"], job["format"], job["threads"])
    stamps_ns.append(time.monotonic_ns())
    model.run(features)
    stamps_ns.append(time.monotonic_ns())

    def run() -> object:
        return model.run(features)

    warm_up = measure.warm_up(run, limits)
    return {
        "phases": {
            **{name: (end - begin) / 1e6 for name, begin, end in zip(PHASES, stamps_ns, stamps_ns[1:])},
            "first_answer_ms": (stamps_ns[-1] - stamps_ns[0]) / 1e6,
        },
        "warmup": {"runs": warm_up.runs, "seconds": warm_up.seconds, "settled": warm_up.settled},
        "samples_ns": measure.steady_state(run, limits),
        "runtime": model.version,
        "runtime_settings": model.settings,
        "frames": len(features),
    }


def measure_parity(job: dict[str, Any]) -> dict[str, Any]:
    """The answers to every golden vector, held against the reference interpreter's."""
    import numpy as np

    from edgeseq_device import measure, runtimes
    from edgeseq_device.golden import read_golden

    golden = read_golden(Path(job["golden"]), [job["format"]], tuple(job["golden_shape"]))
    model = runtimes.load(job["model"], job["format"], job["threads"])
    logits = np.stack([model.run(features) for features in golden.features])
    parity = measure.compare_logits(logits, golden.references[job["format"]], job["tolerance"])
    finite = parity.error is not None
    unusable = "the answers hold NaN or infinity"
    values = {
        "parity_error": parity.error,
        "parity_tolerance": job["tolerance"],
        "parity_n": len(logits),
        "parity_decisions_changed": parity.decisions_changed,
        "parity_ok": parity.ok,
        "logits": [[float(each) for each in row] for row in logits] if finite else None,
    }
    missing = {} if finite else dict.fromkeys(("parity_error", "logits"), unusable)
    return {
        "values": values,
        "not_measured": missing,
        "runtime": model.version,
        "runtime_settings": model.settings,
    }


def count_instructions(job: dict[str, Any]) -> dict[str, Any]:
    """Guest instructions of one `run()` from Python: the median of some, less those of an empty region."""
    from edgeseq_device import measure, runtimes
    from edgeseq_device.counting import count

    log = Path(job["instruction_log"])
    runs = int(job["limits"]["instruction_runs"])
    features = _input(job)
    model = runtimes.load(job["model"], job["format"], job["threads"])
    gc.collect()
    gc.disable()
    empty, _spread = measure.median_and_spread(count(log, runs, lambda: None))
    counts = count(log, runs, lambda: model.run(features))
    median, spread = measure.median_and_spread([count - empty for count in counts])
    values = {
        "instructions": round(median),
        "instructions_n": runs,
        "instructions_spread_percent": spread,
    }
    return {
        "values": values,
        "not_measured": {},
        "runtime": model.version,
        "runtime_settings": model.settings,
        "frames": len(features),
    }


def _input(job: dict[str, Any]) -> Any:
    """[T, F] float32: the golden input of median length."""
    import numpy as np

    return np.fromfile(job["input"], np.float32).reshape(job["input_shape"])


_JOBS = {
    "ram": measure_ram,
    "latency": measure_latency,
    "parity": measure_parity,
    "instructions": count_instructions,
}


if __name__ == "__main__":
    sys.exit(main())
