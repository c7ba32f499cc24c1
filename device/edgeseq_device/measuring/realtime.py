"""Paced mode: a stream's frames come one per period of real time. Does the board keep up, with what to spare?

What is paced is the step form alone; computing a frame's features comes on top.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import json
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseq_device.manifest import MANIFEST_FILE
from edgeseq_device.measuring.job import (
    frame_by_frame,
    input_of,
    load_step,
    not_taken,
    refuse_emulation,
    runtime_of,
)
from edgeseq_device.measuring.keys import P99_SAMPLES_MIN


@dataclass(frozen=True)
class Clock:
    """now_ns: real time; cpu_ns: what all threads of this process have computed; sleep takes seconds."""

    now_ns: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], object] = time.sleep
    cpu_ns: Callable[[], int] = time.process_time_ns

    def wait_until(self, moment_ns: int) -> None:
        """Return at once when the moment has passed."""
        left_ns = moment_ns - self.now_ns()
        if left_ns > 0:
            self.sleep(left_ns / 1e9)


@dataclass(frozen=True)
class Paced:
    """frames: so many were due; steps_ns: of the steps that were done, all frames' unless the board fell
    behind; misses: frames that were not finished when the next one was due; real_ns, cpu_ns: of it all."""

    frames: int
    steps_ns: array[int]
    misses: int
    real_ns: int
    cpu_ns: int


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """limits.realtime_s of a stream through the step form, on a real processor only."""
    refuse_emulation()
    period = period_ms(job)
    seconds = job["limits"]["realtime_s"]
    if period is None:
        return not_taken("realtime", "the artifact does not say how far its frames are apart: give --period")
    if period > seconds * 1000:
        return not_taken("realtime", f"a frame each {period:g} ms: none is over within {seconds:g} s")
    from edgeseq_device.measuring.measure import warm_up
    from edgeseq_device.measuring.request import Limits

    loaded = load_step(job)
    before, step = frame_by_frame(loaded, input_of(job))
    warm_up(step, Limits(**job["limits"]), before=before)
    paced = pace(step, before, round(period * 1e6), int(seconds * 1000 / period))
    values, missing = figures(paced, period)
    return {"values": values, "not_measured": missing, **runtime_of(loaded)}


def period_ms(job: dict[str, Any]) -> float | None:
    """From one frame to the next: as the user says, else the hop of sounds or the sample rate of a series.

    None for a series of unknown rate and for text, whose tokens come at no rate.
    """
    if job["period_ms"] is not None:
        return float(job["period_ms"])
    manifest = json.loads((Path(job["artifact"]) / MANIFEST_FILE).read_text("utf-8"))
    described = manifest["features"].get("front_end") or {}
    if described.get("kind") not in ("log_mel", "standardise"):
        return None
    from edgeseq_device.frontend import LogMel, front_end_from_dict

    front_end = front_end_from_dict(described)
    if isinstance(front_end, LogMel):
        return 1000 * front_end.hop_samples / front_end.sample_rate_hz
    rate_hz = getattr(front_end, "sample_rate_hz", None)
    return 1000 / rate_hz if rate_hz else None


def pace(
    step: Callable[[], object],
    before: Callable[[], object],
    period_ns: int,
    frames: int,
    clock: Clock = Clock(),
) -> Paced:
    """One step per period; `before` it comes what is not part of it.

    Deadlines are absolute: a late frame shortens the wait for the next one and does not move it. When the
    last period is over the stream ends, and frames that were not begun by then are misses as well; one is
    done in any case, so that there is a time to tell.
    """
    steps_ns, late = array("q"), 0
    begin_ns, cpu_begin_ns = clock.now_ns(), clock.cpu_ns()
    end_ns = begin_ns + frames * period_ns
    for due_ns in range(begin_ns, end_ns, period_ns):
        clock.wait_until(due_ns)
        before()
        step_begin_ns = clock.now_ns()
        if steps_ns and step_begin_ns >= end_ns:
            break
        step()
        step_end_ns = clock.now_ns()
        steps_ns.append(step_end_ns - step_begin_ns)
        late += step_end_ns > due_ns + period_ns
    clock.wait_until(end_ns)
    real_ns, cpu_ns = clock.now_ns() - begin_ns, clock.cpu_ns() - cpu_begin_ns
    return Paced(frames, steps_ns, late + frames - len(steps_ns), real_ns, cpu_ns)


def figures(paced: Paced, period: float) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of a paced stream with `period` in ms, and the reasons of those that are None.

    realtime_factor: the time of the steps over the real time of their frames, above 1 on a board that cannot
    keep up.
    """
    import numpy as np

    samples_ms = np.asarray(paced.steps_ns, np.float64) / 1e6
    p50, p99 = (float(each) for each in np.percentile(samples_ms, (50, 99)))
    values: dict[str, Any] = {
        "realtime_period_ms": period,
        "realtime_s": paced.real_ns / 1e9,
        "realtime_n": paced.frames,
        "realtime_misses": paced.misses,
        "realtime_factor": float(samples_ms.mean()) / period,
        "realtime_cpu_percent": 100 * paced.cpu_ns / paced.real_ns,
        "realtime_p50_ms": p50,
        "realtime_p99_ms": p99,
    }
    missing: dict[str, str] = {}
    if len(samples_ms) < P99_SAMPLES_MIN:
        values["realtime_p99_ms"] = None
        missing["realtime_p99_ms"] = _too_few(len(samples_ms), period)
    return values, missing


def _too_few(frames: int, period: float) -> str:
    from edgeseq_device.measuring.request import Limits

    is_short = period * P99_SAMPLES_MIN <= 1000 * Limits.realtime_s
    return f"{frames} frames, fewer than {P99_SAMPLES_MIN}{': leave out --quick' if is_short else ''}"
