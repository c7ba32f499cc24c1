"""Does a model run in so much RAM? A worker loads it and infers in a control group that holds no more.

Imports are late on purpose: what the agent needs must not be in the worker's memory.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.emulation import emulation
from edgeseq_device.measuring.job import input_of, load_model, not_taken, runtime_of
from edgeseq_device.measuring.memory import peak_rss_bytes

if TYPE_CHECKING:
    from edgeseq_device.measuring.cgroup import Confined
    from edgeseq_device.measuring.workers import Run

RUNS = 10


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """In the worker: load, infer the golden input of median length, and tell the largest resident set."""
    features, model = input_of(job), load_model(job)
    for _ in range(RUNS):
        model.run(features)
    return {"peak_rss_bytes": peak_rss_bytes(), **runtime_of(model)}


def measure_fits(run: Run, job: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
    """In the agent: the outcome of a worker that is held to job["max_ram_bytes"], Python and all.

    run: starts that worker, which hangs when it takes longer than timeout_s.
    """
    from edgeseq_device.measuring import cgroup

    limit_bytes = job["max_ram_bytes"]
    if limit_bytes is None:
        return not_taken("fits", "no limit was given: use --max-ram")
    emulated = emulation()
    if emulated is not None and emulated.tier == "user":
        held = f"the emulator itself would be held to the limit ({emulated.because})"
        return not_taken("fits", f"{held}; ask virtual-pi, or the board itself")
    try:
        with cgroup.confined(limit_bytes, Path(job["input"]).parent) as group:
            began_s = time.monotonic()
            outcome = run(group.prefix, group.environment)
            hung = time.monotonic() - began_s >= timeout_s
            return verdict(outcome, group, limit_bytes, hung=hung)
    except cgroup.UnconfinedError as error:
        return not_taken("fits", str(error))


def verdict(outcome: dict[str, Any], group: Confined, limit_bytes: int, *, hung: bool) -> dict[str, Any]:
    """Fits, does not fit, or the error of a worker that failed for another reason than RAM.

    The kernel's own count tells whether the limit was the reason. A worker that hung at its limit was busy
    reading its own code again and again, and fits no more than one that was killed.
    Pages of files that another process read first are charged to that one, so the group's peak alone would
    be too little: the worker's resident set, which has them, must fit as well, and the larger is the peak.
    """
    starved = any(group.events.get(name, 0) for name in ("oom", "oom_kill", *(["max"] if hung else [])))
    if "error" in outcome and not starved:
        return outcome
    peak_bytes = max(group.peak_bytes or 0, outcome.get("peak_rss_bytes") or 0)
    values = {
        "ram_limit_bytes": limit_bytes,
        "fits_ram": "error" not in outcome and peak_bytes <= limit_bytes,
        "ram_limit_peak_bytes": peak_bytes or None,
    }
    missing = {"ram_limit_peak_bytes": "this kernel keeps no peak of a control group (Linux 5.19 does)"}
    runtime = {name: value for name, value in outcome.items() if name.startswith("runtime")}
    return {"values": values, "not_measured": {} if peak_bytes else missing, **runtime}
