"""What another process does in its own time: a signal is sent before it is obeyed."""

from __future__ import annotations

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
