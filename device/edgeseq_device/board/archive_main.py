"""The first lines of agent.pyz, as whose __main__.py this file is packed.

On a board the archive is unpacked once, beside it, and runs from there: Python then keeps what it compiled,
which it would do again at the start of every agent and worker out of a zip file. A power cut or a full disk
may leave such a folder incomplete, so each start compares its files with the list in it, which is written
last; what is not whole is unpacked anew. Where that fails the agent runs from the archive itself.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# As in edgeseq_device.layout: whoever imports that here has the package from the archive for good.
BLOBS, AGENTS = "blobs", "agents"
LIST = ".files"
"""In an agent's folder: the size in bytes and the name of each of its files. Its time is that of the last
day the agent was used on."""

UNUSED_S = 30 * 86400
"""After as long, the next version that is unpacked removes another, and blobs that no host asked for."""
_DAY_S = 86400


def unpacked(archive: str) -> str | None:
    """The folder with the content of an `archive` that lies in a board's blobs; None for any other, and where
    it cannot be unpacked."""
    blobs, name = os.path.split(os.path.abspath(archive))  # noqa: PTH100 - pathlib costs its import
    root, kind = os.path.split(blobs)
    if kind != BLOBS:
        return None
    folder = f"{root}/{AGENTS}/{name}"
    if not is_whole(folder):
        try:
            _unpack(archive, folder)
        except OSError:  # such as a full disk
            return None
    return folder


def is_whole(folder: str) -> bool:
    """Whether every file that was unpacked into `folder` is there in its full size. Notes that it is used."""
    listed = f"{folder}/{LIST}"
    try:
        with open(listed, encoding="utf-8") as file:  # noqa: PTH123
            lines = file.readlines()
            for line in lines:
                size, _, name = line.rstrip("\n").partition(" ")
                if os.stat(f"{folder}/{name}").st_size != int(size):  # noqa: PTH116
                    return False
        if abs(time.time() - os.stat(listed).st_mtime) > _DAY_S:  # noqa: PTH116
            os.utime(listed)
    except (OSError, ValueError):
        return False
    return bool(lines)


def archive_of(module: str) -> Path:
    """The agent.pyz that the code of a `module` file runs from, or was unpacked from.

    UsageError where the code is installed in another way.
    """
    from pathlib import Path  # noqa: PLC0415 - an agent's start needs neither

    from edgeseq_device.errors import UsageError  # noqa: PLC0415

    package = Path(module).absolute().parents[1]
    archive = package.parents[1] / BLOBS / package.name if package.parent.name == AGENTS else package
    if not archive.is_file():
        raise UsageError("start it from agent.pyz: a version on a board gets a copy of it")
    return archive


def _unpack(archive: str, folder: str) -> None:
    """Unpack an archive, in place of what is there. OSError, and nothing of it stays, where that fails."""
    import fcntl  # noqa: PLC0415 - once
    import shutil  # noqa: PLC0415

    agents = os.path.dirname(folder)  # noqa: PTH120
    os.makedirs(agents, mode=0o700, exist_ok=True)  # noqa: PTH103
    lock = os.open(agents, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_whole(folder):
            return  # another agent was faster
        _sweep(archive, agents)
        partial = f"{folder}.new"
        try:
            _extract(archive, partial)
            os.sync()  # a board may lose its power at any time: first the files, then the name
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(partial, folder)  # noqa: PTH104
            os.fsync(lock)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        os.close(lock)


def _extract(archive: str, folder: str) -> None:
    """Unpack an archive into a new folder, with the list of its files."""
    import zipfile  # noqa: PLC0415 - once

    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
        lines = [f"{member.file_size} {member.filename}\n" for member in content.infolist()]
    with open(f"{folder}/{LIST}", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.writelines(lines)


def _sweep(archive: str, agents: str) -> None:
    """Remove what agents that were killed left of their unpacking, agents that were not used for long, and
    blobs that were not asked for as long."""
    import shutil  # noqa: PLC0415 - once

    # Not by the clock of now, which a board without a battery may have set since these were sent.
    oldest = os.stat(archive).st_mtime - UNUSED_S  # noqa: PTH116
    for each in os.listdir(agents):  # noqa: PTH208
        if "." in each or _is_older(f"{agents}/{each}/{LIST}", oldest):
            shutil.rmtree(f"{agents}/{each}", ignore_errors=True)
    blobs, own = os.path.split(archive)
    for each in os.listdir(blobs):  # noqa: PTH208
        if each != own and _is_older(f"{blobs}/{each}", oldest):
            os.unlink(f"{blobs}/{each}")  # noqa: PTH108


def _is_older(path: str, oldest: float) -> bool:
    try:
        return os.stat(path).st_mtime < oldest  # noqa: PTH116
    except OSError:
        return False


if __name__ == "__main__":
    sys.path[0] = unpacked(sys.path[0]) or sys.path[0]
    from edgeseq_device.__main__ import main

    sys.exit(main(sys.argv[1:]))
