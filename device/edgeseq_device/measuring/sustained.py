"""Sustained mode: inferences without a pause, so that a board which gets hot and slow is seen to.

The figures can be recomputed from the windows that are kept with them.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import statistics
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from edgeseq_device.measuring.job import input_of, load_model, refuse_emulation, runtime_of

WINDOW_S = 1.0
WINDOWS_MIN, WINDOWS_MAX = 20, 600
"""Windows are shorter or longer where there would be fewer or more of them."""
_KEPT_MAX = 1 << 15
"""Durations of one window that are kept; of more, every second one, fourth one ... is."""
_LONG_S = 300.0

Reading = tuple[Optional[float], Optional[int]]
"""Temperature in degrees Celsius and frequency in Hz."""


@dataclass(frozen=True)
class Window:
    """end_s: since the start; p50_ms: of the inferences in it; temperature_c, frequency_hz: at its end."""

    end_s: float
    p50_ms: float
    runs: int
    temperature_c: float | None
    frequency_hz: int | None


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """limits.sustained_s of inferences of the whole sequence form, on a real processor only."""
    refuse_emulation()
    from pathlib import Path

    from edgeseq_device.measuring.guards import frequency_hz, temperature_c
    from edgeseq_device.measuring.measure import warm_up
    from edgeseq_device.measuring.request import Limits

    features, model, limits = input_of(job), load_model(job), Limits(**job["limits"])

    def run() -> None:
        model.run(features)

    def read() -> Reading:
        return temperature_c(Path("/")), frequency_hz(Path("/"))

    warm_up(run, limits)
    values, missing = figures(take_windows(run, limits.sustained_s, read))
    return {"values": values, "not_measured": missing, **runtime_of(model)}


def compared_s(total_s: float) -> float:
    """How much of the beginning is held against as much of the end: a minute, a fifth of less than five."""
    return 60.0 if total_s >= _LONG_S else total_s / 5


def take_windows(
    run: Callable[[], object],
    total_s: float,
    read: Callable[[], Reading],
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> list[Window]:
    """Inferences for `total_s` seconds in windows of about a second.

    `read` is asked between windows, never within one.
    """
    begin_ns, total_ns = clock_ns(), int(total_s * 1e9)
    window_ns = int(max(min(WINDOW_S, total_s / WINDOWS_MIN), total_s / WINDOWS_MAX) * 1e9)
    windows: list[Window] = []
    while True:
        left_ns = total_ns - (clock_ns() - begin_ns)
        if windows and left_ns <= 0:
            return windows
        runs, p50_ns = _window(run, min(window_ns, left_ns), clock_ns)
        end_s = (clock_ns() - begin_ns) / 1e9
        windows.append(Window(end_s, p50_ns / 1e6, runs, *read()))


def _window(run: Callable[[], object], length_ns: int, clock_ns: Callable[[], int]) -> tuple[int, float]:
    """(inferences, the median of their durations in ns) of one window, one inference at least."""
    kept, every, runs = array("q"), 1, 0
    begin_ns = end_ns = clock_ns()
    while not runs or end_ns - begin_ns < length_ns:
        run_begin_ns = clock_ns()
        run()
        end_ns = clock_ns()
        if runs % every == 0:
            kept.append(end_ns - run_begin_ns)
        runs += 1
        if len(kept) > _KEPT_MAX:
            kept, every = kept[::2], every * 2
    return runs, statistics.median(kept)


def figures(windows: Sequence[Window]) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of a loop, and the reasons of those that are None.

    The first and last p50 are medians of the p50 of the windows whose middle lies in that part.
    """
    total_s = windows[-1].end_s
    part_s = compared_s(total_s)
    starts_s = [0.0, *(each.end_s for each in windows)]
    middles_s = [(start_s + each.end_s) / 2 for start_s, each in zip(starts_s, windows)]
    first = [each.p50_ms for each, at_s in zip(windows, middles_s) if at_s <= part_s]
    last = [each.p50_ms for each, at_s in zip(windows, middles_s) if at_s >= total_s - part_s]
    values: dict[str, Any] = {
        "sustained_s": total_s,
        "sustained_n": sum(each.runs for each in windows),
        "sustained_first_p50_ms": None,
        "sustained_last_p50_ms": None,
        "sustained_slowdown_percent": None,
        "sustained_windows": [
            {
                "s": round(each.end_s, 3),
                "p50_ms": each.p50_ms,
                "temperature_c": each.temperature_c,
                "frequency_hz": each.frequency_hz,
            }
            for each in windows
        ],
    }
    if not first or not last:
        reason = f"{values['sustained_n']} inferences in {total_s:.1f} s: give a longer --duration"
        return values, {name: reason for name, value in values.items() if value is None}
    first_ms, last_ms = statistics.median(first), statistics.median(last)
    values["sustained_first_p50_ms"], values["sustained_last_p50_ms"] = first_ms, last_ms
    values["sustained_slowdown_percent"] = 100 * (last_ms / first_ms - 1)
    return values, {}
