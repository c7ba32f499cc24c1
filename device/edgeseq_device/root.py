"""The board's own folder: one benchmark at a time, working folders that do not outlive their agent."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edgeseq_device.conversation import Emit
from edgeseq_device.errors import DeviceError
from edgeseq_device.layout import LOCK, SCRATCH

_POLL_S = 0.5


@dataclass(frozen=True)
class Turn:
    """Who wants a board for itself. root: its folder, None where nothing is to be locked; wait_s: how long
    `host` waits for another to end."""

    root: str | None
    host: str
    wait_s: float = 0.0


@contextmanager
def locked(turn: Turn, emit: Emit) -> Iterator[None]:
    """Hold the lock of the board's folder.

    A holder that is waited for is named by a "waiting" event; DeviceError when it does not end in time. The
    kernel gives the lock up when its holder ends, however that happens.
    """
    if turn.root is None:
        yield
        return
    with (Path(turn.root) / LOCK).open("a+", encoding="utf-8") as lock:
        _take(lock.fileno(), Path(lock.name), turn.wait_s, emit)
        lock.truncate(0)
        since = datetime.now(timezone.utc).isoformat(timespec="seconds")
        lock.write(json.dumps({"host": turn.host, "since_utc": since, "pid": os.getpid()}))
        lock.flush()
        yield
        lock.truncate(0)


def _take(descriptor: int, path: Path, wait_s: float, emit: Emit) -> None:
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise DeviceError(
                    f"the board is in use: {_holder(path)}; try again later or wait longer with --wait"
                ) from None
            if not told:
                emit({"event": "waiting", "for": _holder(path)})
            told = True
            time.sleep(_POLL_S)
        else:
            return


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text("utf-8"))
        return f"{holder['host']} measures on it since {holder['since_utc']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another edgeseq measures on it"


@contextmanager
def scratch(root: str | None) -> Iterator[Path]:
    """A working folder, removed at the end.

    Below a board's folder, whose lock the caller holds: so nobody else works there, and what lies there was
    left by an agent that was killed, and is removed.
    """
    if root is None:
        with tempfile.TemporaryDirectory(prefix="edgeseq-") as folder:
            yield Path(folder)
        return
    parent = Path(root) / SCRATCH
    parent.mkdir(mode=0o700, exist_ok=True)
    for left in parent.iterdir():
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="agent-", dir=parent) as folder:
        tempfile.tempdir = folder  # whatever a library puts into /tmp comes here
        os.environ["TMPDIR"] = folder
        yield Path(folder)
