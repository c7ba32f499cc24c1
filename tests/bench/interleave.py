"""Time of several calls in one interleaved run: a round lets each take one turn, the order moves on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

TURN_S = 0.02


@dataclass(frozen=True)
class Timing:
    """turns_us: of one call, its processor time in each round, microseconds."""

    turns_us: tuple[float, ...]

    @property
    def median_us(self) -> float:
        """The median turn."""
        return float(np.median(self.turns_us))

    @property
    def spread_percent(self) -> float:
        """The middle half of the turns: (third quartile - first) in percent of the median."""
        first, middle, third = np.percentile(self.turns_us, (25, 50, 75))
        return float(100 * (third - first) / middle)

    def over(self, other: Timing) -> Ratio:
        """To another call of the same rounds, round by round."""
        ratios = np.divide(self.turns_us, other.turns_us)
        return Ratio(*(float(each) for each in np.percentile(ratios, (50, 10, 90))))


@dataclass(frozen=True)
class Ratio:
    """Of two calls in the same rounds. low, high: what the middle 80 % of the rounds lie between."""

    median: float
    low: float
    high: float


def interleaved(
    calls: Mapping[str, Callable[[], object]], rounds: int, turn_s: float = TURN_S
) -> dict[str, Timing]:
    """The turns of each call. A turn repeats its call for about `turn_s`, at least once.

    Processor time and not the wall's: what else runs on the machine then costs a call only its caches.
    """
    repeats = {name: _repeats(call, turn_s) for name, call in calls.items()}
    turns: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for round_number in range(rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            turns[name].append(_turn_us(calls[name], repeats[name]))
    return {name: Timing(tuple(each)) for name, each in turns.items()}


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
