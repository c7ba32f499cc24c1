"""What another process does in its own time (a signal is sent before it is obeyed), starts and holds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(holds: Callable[[], bool], interval_s: float = 0.02) -> None:
    """Wait for what must come to hold, for as long as the busiest machine may take."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "waited in vain for two minutes"
        time.sleep(interval_s)


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or is a zombie that only its parent has still to fetch."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children(pid: int) -> list[int]:
    """The processes that a process without other threads has started and not yet fetched."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def anonymous_bytes(pid: int) -> int:
    """The memory that a process has for itself, in RAM or swapped out, counted page by page.

    Pages of files come and go with the machine's page cache; VmRSS and its like are batched counters, some
    hundred KB off.
    """
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) * 1024 for kb in re.findall(r"^(?:Anonymous|Swap):\s+(\d+) kB$", told, re.MULTILINE))
