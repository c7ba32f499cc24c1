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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DeviceError, EdgeseqError

if TYPE_CHECKING:
    from edgeseq_device.runtimes import LoadedModel

REGION_BEGIN = 0x45440000
"""getpgid() of this marks where the counting begins, of REGION_END where it ends."""
REGION_END = REGION_BEGIN | 0x8000
_RAM_RUNS = 10
_COUNT_WARMUP_RUNS = 10


def main() -> int:
    """Do the job on stdin; the exit code is 0 even for a refused model, whose outcome then says so."""
    entered_ns = time.monotonic_ns()
    # Whatever a library prints on stdout must not end up in the outcome.
    outcome_stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.read())
    job["start_ms"] = (entered_ns - job["spawned_ns"]) / 1e6
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

    version = runtimes.import_runtime(job["format"])
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
    return {"values": values, "not_measured": missing, "runtime": version, "frames": len(features)}


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
    times_ns = {"import_ms": measure.duration_ns(lambda: runtimes.import_runtime(job["format"]))}
    loaded: list[LoadedModel] = []
    times_ns["load_ms"] = measure.duration_ns(
        lambda: loaded.append(runtimes.load(job["model"], job["format"], job["threads"]))
    )
    model = loaded[0]

    def run() -> object:
        return model.run(features)

    times_ns["first_inference_ms"] = measure.duration_ns(run)
    warm_up = measure.warm_up(run, limits)
    return {
        "phases": {"start_ms": job["start_ms"], **{name: ns / 1e6 for name, ns in times_ns.items()}},
        "warmup": {"runs": warm_up.runs, "seconds": warm_up.seconds, "settled": warm_up.settled},
        "samples_ns": measure.steady_state(run, limits),
        "runtime": model.version,
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
    return {"values": values, "not_measured": missing, "runtime": model.version}


def count_instructions(job: dict[str, Any]) -> dict[str, Any]:
    """Guest instructions of one `run()` from Python: the median of some, less those of an empty region."""
    from edgeseq_device import measure, runtimes

    log = Path(job["instruction_log"])
    runs = int(job["limits"]["instruction_runs"])
    features = _input(job)
    model = runtimes.load(job["model"], job["format"], job["threads"])
    gc.collect()
    gc.disable()
    empty, _spread = measure.median_and_spread(_count(log, runs, lambda: None))
    counts = _count(log, runs, lambda: model.run(features))
    median, spread = measure.median_and_spread([count - empty for count in counts])
    values = {
        "instructions": round(median),
        "instructions_n": runs,
        "instructions_spread_percent": spread,
    }
    return {"values": values, "not_measured": {}, "runtime": model.version, "frames": len(features)}


def _input(job: dict[str, Any]) -> Any:
    """[T, F] float32: the golden input of median length."""
    import numpy as np

    return np.fromfile(job["input"], np.float32).reshape(job["input_shape"])


def _count(log: Path, runs: int, work: Callable[[], object]) -> list[int]:
    """Instructions of each of `runs` calls, counted after as many as Python needs to settle on fast code."""
    counted_before = len(_read_counts(log))
    for _ in range(_COUNT_WARMUP_RUNS + runs):
        _mark(REGION_BEGIN)
        work()
        _mark(REGION_END)
    counts = _read_counts(log)[counted_before + _COUNT_WARMUP_RUNS :]
    if len(counts) != runs:
        raise DeviceError(f"{log}: {len(counts)} of {runs} inferences counted; prepare the board again")
    return counts


def _mark(region: int) -> None:
    try:
        os.getpgid(region)
    except ProcessLookupError:
        return  # the expected answer: no process has such an id; the call itself was the mark


def _read_counts(log: Path) -> list[int]:
    """Instructions of each region that has ended, over all threads; none when nothing was counted yet."""
    try:
        text = log.read_text("utf-8") if log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError) as error:
        raise DeviceError(f"{log}: no instruction counts ({error}); prepare the board again") from error
    return [line["insns_all"] for line in lines if "slot" in line]


_JOBS = {
    "ram": measure_ram,
    "latency": measure_latency,
    "parity": measure_parity,
    "instructions": count_instructions,
}


if __name__ == "__main__":
    sys.exit(main())
