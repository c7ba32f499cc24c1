"""Time of several calls in one interleaved run: a round lets each take one turn, the order moves on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

TURN_S = 0.02


@dataclass(frozen=True)
class Timing:
    """Of one call, in microseconds of this process's processor time over its turns.

    spread_percent: the middle half of the turns, (third quartile - first) in percent of the median.
    """

    median_us: float
    spread_percent: float


def interleaved(
    calls: Mapping[str, Callable[[], object]], rounds: int, turn_s: float = TURN_S
) -> dict[str, Timing]:
    """The median turn of each call. A turn repeats its call for about `turn_s`, at least once.

    Processor time and not the wall's: what else runs on the machine then costs a call only its caches.
    """
    repeats = {name: _repeats(call, turn_s) for name, call in calls.items()}
    turns: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for round_number in range(rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            turns[name].append(_turn_us(calls[name], repeats[name]))
    return {name: _summarise(each) for name, each in turns.items()}


def _repeats(call: Callable[[], object], turn_s: float) -> int:
    """How often a call fits into a turn; the calls before warm it up."""
    for _ in range(3):
        call()
    return max(1, round(turn_s * 1e6 / _turn_us(call, 3)))


def _turn_us(call: Callable[[], object], repeats: int) -> float:
    begin_ns = time.process_time_ns()
    for _ in range(repeats):
        call()
    return max(time.process_time_ns() - begin_ns, 1) / 1e3 / repeats


def _summarise(turns: list[float]) -> Timing:
    first, middle, third = np.percentile(turns, (25, 50, 75))
    return Timing(float(middle), float(100 * (third - first) / middle))
