"""Figures from a loaded model: latency in phases, percentiles that own up to their n, and parity."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseq_device.measuring.keys import P99_SAMPLES_MIN
from edgeseq_device.measuring.request import Limits

FloatArray = npt.NDArray[np.float32]
_Rows = npt.NDArray[np.float64]
Clock = Callable[[], int]

AGREEMENT = 0.05
BOOTSTRAP_ROUNDS = 500
STEADY_RUNS_MAX = 10_000
_WINDOW_NS = 50_000_000


@dataclass(frozen=True)
class WarmUp:
    """runs and seconds it took; settled: the last two windows' medians agreed within 5 %."""

    runs: int
    seconds: float
    settled: bool


@dataclass(frozen=True)
class Parity:
    """error: the largest max|a-b| / max(1, max|b|) of a recording, None when an answer is NaN or infinite;
    worst: which recording that is; decisions_changed: recordings whose class differs although the reference
    was surer than the tolerance; 0 of forecasts, which decide nothing."""

    error: float | None
    worst: int
    decisions_changed: int
    ok: bool


def warm_up(
    run: Callable[[], Any],
    limits: Limits,
    clock_ns: Clock = time.perf_counter_ns,
    before: Callable[[], object] = lambda: None,
) -> WarmUp:
    """Run until the counts and times of `limits` are reached and the last windows agree.

    before: called ahead of each run, whose time it does not count to.
    """
    begin = clock_ns()
    runs, medians = 0, []
    while True:
        window = _window(run, limits.warmup_runs, clock_ns, before)
        runs += len(window)
        medians.append(float(np.median(window)))
        seconds = (clock_ns() - begin) / 1e9
        settled = len(medians) > 1 and abs(medians[-1] - medians[-2]) <= AGREEMENT * medians[-2]
        if (settled and seconds >= limits.warmup_s) or seconds >= limits.warmup_max_s:
            return WarmUp(runs, seconds, settled)


def _window(
    run: Callable[[], Any], runs_min: int, clock_ns: Clock, before: Callable[[], object]
) -> list[int]:
    """Durations in ns of at least `runs_min` runs and 50 ms."""
    begin = clock_ns()
    durations: list[int] = []
    while len(durations) < runs_min or clock_ns() - begin < _WINDOW_NS:
        before()
        durations.append(duration_ns(run, clock_ns))
    return durations


def duration_ns(run: Callable[[], Any], clock_ns: Clock = time.perf_counter_ns) -> int:
    """Nanoseconds of one call."""
    begin = clock_ns()
    run()
    return clock_ns() - begin


def steady_state(
    run: Callable[[], Any],
    limits: Limits,
    clock_ns: Clock = time.perf_counter_ns,
    before: Callable[[], object] = lambda: None,
) -> list[int]:
    """Durations in ns: at least limits.steady_runs and steady_s, cut off at steady_max_s or 10,000 runs.

    before: as in `warm_up`.
    """
    begin = clock_ns()
    durations: list[int] = []
    while len(durations) < STEADY_RUNS_MAX:
        before()
        durations.append(duration_ns(run, clock_ns))
        seconds = (clock_ns() - begin) / 1e9
        if seconds >= limits.steady_max_s or (
            seconds >= limits.steady_s and len(durations) >= limits.steady_runs
        ):
            break
    return durations


def summarise_latency(launches: Sequence[Sequence[int]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Latency figures of one or more process launches, each its samples in ns; all samples count alike.

    Returns the figures by key, and the reason for each that is None.
    """
    pooled = np.concatenate([np.asarray(each, np.float64) for each in launches]) / 1e6
    low, high = bootstrap_p50([np.asarray(each, np.float64) / 1e6 for each in launches])
    p50, p90, p99 = (float(value) for value in np.percentile(pooled, (50, 90, 99)))
    medians = [float(np.median(each)) for each in launches]
    figures: dict[str, Any] = {
        "latency_n": len(pooled),
        "latency_launches": len(launches),
        "latency_p50_ms": p50,
        "latency_p50_low_ms": low,
        "latency_p50_high_ms": high,
        "latency_p90_ms": p90,
        "latency_p99_ms": p99,
        "latency_spread_percent": 100 * (max(medians) - min(medians)) / float(np.median(medians)),
    }
    missing: dict[str, str] = {}
    if len(pooled) < P99_SAMPLES_MIN:
        missing["latency_p99_ms"] = f"{len(pooled)} samples, fewer than {P99_SAMPLES_MIN}"
    if len(launches) < 2:
        missing["latency_spread_percent"] = "one process launch has no spread"
    return {**figures, **dict.fromkeys(missing)}, missing


def bootstrap_p50(launches: Sequence[npt.NDArray[np.float64]], seed: int = 0) -> tuple[float, float]:
    """A 95 % interval of the median: launches are drawn with replacement, then samples within each.

    (Efron & Tibshirani 1993, An Introduction to the Bootstrap, percentile interval, section 13.3; drawing the
    launches first keeps what differs between processes in the interval.)
    """
    generator = np.random.default_rng(seed)
    medians = np.empty(BOOTSTRAP_ROUNDS)
    for index in range(BOOTSTRAP_ROUNDS):
        chosen = generator.integers(len(launches), size=len(launches))
        drawn = [generator.choice(launches[which], len(launches[which])) for which in chosen]
        medians[index] = np.median(np.concatenate(drawn))
    low, high = np.percentile(medians, (2.5, 97.5))
    return float(low), float(high)


def compare_logits(
    answers: npt.ArrayLike, reference: npt.ArrayLike, tolerance: float, *, decides: bool = True
) -> Parity:
    """Parity of logits [n, C] against a reference [n, C]: the largest error of a recording.

    A class may differ only where the reference's two best are within tolerance * max(1, max|reference|).
    decides: whether the largest number of an answer is a decision, for a class or for a token; else it is a
    forecast, of which the error alone counts.
    """
    a, b = np.asarray(answers, np.float64), np.asarray(reference, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"answers {a.shape} do not fit the reference {b.shape}")
    finite = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    if not finite.all():
        return Parity(None, int(finite.argmin()), int((~finite).sum()) if decides else 0, False)
    scale = np.maximum(1.0, np.abs(b).max(axis=1))
    errors = np.abs(a - b).max(axis=1) / scale
    error = float(errors.max())
    changed = _decisions_changed(a, b, tolerance * scale) if decides else 0
    return Parity(error, int(errors.argmax()), changed, error <= tolerance and changed == 0)


def _decisions_changed(a: _Rows, b: _Rows, lead: _Rows) -> int:
    """Rows of a [n, C] whose largest number is elsewhere than in b, where that leads b's next by more."""
    two_best = np.sort(b, axis=1)[:, -2:]
    sure = two_best[:, 1] - two_best[:, 0] > lead
    return int((sure & (a.argmax(axis=1) != b.argmax(axis=1))).sum())


def median(values: Sequence[float]) -> float:
    """The median of some figures."""
    return float(np.median(values))


def median_and_spread(values: Sequence[int | float]) -> tuple[float, float]:
    """The median, and (largest - smallest) in percent of it."""
    middle = float(np.median(values))
    return middle, 100 * (max(values) - min(values)) / middle
