"""Counting the instructions of a region of a program, where the emulator does the counting.

The emulator's plugin takes two impossible system calls for the borders of a region, and appends one JSON line
per region to the log that its launcher was told of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from edgeseq_device.errors import DeviceError

INSTRUCTION_LOG = "EDGESEQ_INSTRUCTION_LOG"
"""The environment variable that tells the counting launcher which file the counts are appended to."""
REGION_BEGIN = 0x45440000
"""getpgid() of this marks where the counting begins, of REGION_END where it ends."""
REGION_END = REGION_BEGIN | 0x8000
COUNTING_WARMUP_RUNS = 10
"""Regions that are marked before those that count."""


def count(
    log: Path, runs: int, work: Callable[[], object], before: Callable[[], object] = lambda: None
) -> list[int]:
    """Instructions of each of `runs` calls, counted after as many as Python needs to settle on fast code.

    before: called ahead of each and not counted.
    """
    counted_before = len(read_counts(log))
    for _ in range(COUNTING_WARMUP_RUNS + runs):
        before()
        _mark(REGION_BEGIN)
        work()
        _mark(REGION_END)
    counts = read_counts(log)[counted_before + COUNTING_WARMUP_RUNS :]
    if len(counts) != runs:
        raise DeviceError(f"{log}: {len(counts)} of {runs} inferences counted; prepare the board again")
    return counts


def _mark(region: int) -> None:
    try:
        os.getpgid(region)
    except ProcessLookupError:
        return  # the expected answer: no process has such an id; the call itself was the mark


def read_counts(log: Path) -> list[int]:
    """Instructions of each region that has ended, over all threads; none when nothing was counted yet."""
    try:
        text = log.read_text("utf-8") if log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError) as error:
        raise DeviceError(f"{log}: no instruction counts ({error}); prepare the board again") from error
    return [line["insns_all"] for line in lines if "slot" in line]
