"""Letting a board cool between measurements, so that one model does not pay for the heat of another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgeseq_device.measuring.guards import temperature_c
from edgeseq_device.measuring.request import Limits

WARMER_C = 3.0
"""As much warmer than before the first measurement a board may be."""
STEADY_S = 20.0
"""A board that has not become cooler for so long does not become cooler: the room has, or it was, warmer."""
_POLL_S = 1.0


def cool_down(
    before: Mapping[str, Any],
    limits: Limits,
    root: Path = Path("/"),
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    waiting: Callable[[], object] = lambda: None,
) -> float:
    """Wait until the processor is about as cool as in the reading `before`, or does not get any cooler;
    limits.cooldown_max_s at most.

    `waiting` is called once if there is something to wait for. Returns the seconds waited; 0 where there is
    no temperature to read.
    """
    begin_s = coolest_s = clock_s()
    wanted = before.get("temperature_c")
    coolest: float | None = None
    while wanted is not None and clock_s() - begin_s < limits.cooldown_max_s:
        now = temperature_c(root)
        if now is None or now <= wanted + WARMER_C:
            break
        if coolest is None:
            waiting()
        if coolest is None or now < coolest:
            coolest, coolest_s = now, clock_s()
        elif clock_s() - coolest_s >= STEADY_S:
            break
        sleep(_POLL_S)
    return clock_s() - begin_s
