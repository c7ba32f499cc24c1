"""A cache of prepared folders, found by the hash of what they are made from.

A folder has its final name only when it is complete: it is built under another name and renamed. A build that
is killed leaves a folder that nothing reads and that the next build removes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeseq.cache import cache_root as cache_root  # noqa: PLC0414 - the modules here take it from here
from edgeseq_device.errors import DeviceError

Progress = Callable[[float, str], None]
"""Called with a fraction from 0 to 1 and what is being done."""

COMPLETE = "complete.json"
"""The file every complete folder has; written last."""

UNUSED_S = 30 * 24 * 3600
_BUILDING = ".building-"


def content_key(*parts: str | bytes) -> str:
    """16 hexadecimal digits that differ when any part differs, or the parts' borders."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:16]


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """A progress whose 0 to 1 is `begin` to `end` of another."""
    return lambda fraction, label: progress(begin + (end - begin) * min(max(fraction, 0.0), 1.0), label)


@contextmanager
def building_alone(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of `folder` (made if missing); `waiting` is called once if another process holds it.

    The kernel gives the lock up when its holder ends, however that happens. DeviceError when the folder
    cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise DeviceError(
            f"{folder}: the cache cannot be written ({error.strerror}); name another in EDGESEQ_CACHE_DIR"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_folder(final: Path, build: Callable[[Path], None]) -> None:
    """Let `build` fill a new folder, which then takes the name `final`. The caller holds the lock.

    Whatever earlier, killed builds left is removed first; so is a `final` that is not complete.
    """
    for leftover in final.parent.glob(f"{_BUILDING}*"):
        shutil.rmtree(leftover, ignore_errors=True)  # a killed build's own children may still write to it
    if final.exists():
        doomed = Path(tempfile.mkdtemp(prefix=f"{_BUILDING}old-", dir=final.parent))
        final.rename(doomed / final.name)
        shutil.rmtree(doomed)
    temporary = Path(tempfile.mkdtemp(prefix=f"{_BUILDING}{final.name}-", dir=final.parent))
    try:
        temporary.chmod(0o755)
        build(temporary)
        if not (temporary / COMPLETE).is_file():
            raise DeviceError(f"{final.name}: its preparation ended without {COMPLETE}")
        temporary.rename(final)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def remove_unused(home: Path, kept: Collection[Path]) -> None:
    """Remove the complete folders in `home` that are not `kept` and that nobody has used for 30 days.

    The caller holds the lock. The date of COMPLETE is that of the last use, see `mark_used`.
    """
    for mark in home.glob(f"*/{COMPLETE}"):
        if mark.parent not in kept and time.time() - mark.stat().st_mtime > UNUSED_S:
            mark.unlink()  # first, so that what is half removed is never trusted
            shutil.rmtree(mark.parent, ignore_errors=True)


def mark_used(folder: Path) -> None:
    """Give a complete folder the date of now."""
    with suppress(PermissionError):  # somebody else's cache, who cleans it up
        os.utime(folder / COMPLETE)


def size_bytes(folder: Path) -> int:
    """What the folder's own files occupy on the disk, each once."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            info = (Path(parent) / name).lstat()
            seen[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(seen.values())
