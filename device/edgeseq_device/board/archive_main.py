"""The first lines of agent.pyz, as whose __main__.py this file is packed.

On a board the archive is unpacked once, beside it, and runs from there: Python then keeps what it compiled,
which it would do again at the start of every agent and worker out of a zip file.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BLOBS, AGENTS = "blobs", "agents"


def unpacked(archive: str) -> str | None:
    """The folder with the content of an `archive` that lies in a board's blobs; None for any other."""
    blobs, name = os.path.split(os.path.abspath(archive))  # noqa: PTH100 - pathlib costs its import
    root, kind = os.path.split(blobs)
    if kind != BLOBS:
        return None
    folder = f"{root}/{AGENTS}/{name}"
    if not os.path.isdir(folder):  # noqa: PTH112
        _unpack(archive, folder)
    return folder


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
    import shutil  # noqa: PLC0415 - once
    import zipfile  # noqa: PLC0415

    partial = f"{folder}.{os.getpid()}"
    with zipfile.ZipFile(archive) as content:
        content.extractall(partial)
    try:
        os.rename(partial, folder)  # noqa: PTH104
    except OSError:  # another agent was faster
        shutil.rmtree(partial)


if __name__ == "__main__":
    sys.path[0] = unpacked(sys.path[0]) or sys.path[0]
    from edgeseq_device.__main__ import main

    sys.exit(main(sys.argv[1:]))
