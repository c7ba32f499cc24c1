"""Writing files so that a reader sees the old content or the new one, never a part of it."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from edgeseq_device.durable import sync


def atomic_write_bytes(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace `path` by `content` in one step; the folder must exist. mode: before the umask.

    The bytes go to a hidden temporary file beside it, are flushed to the disk and take the name last.
    On a failure the temporary file is gone, an older `path` is untouched and the OSError names `path`.
    A link stays one, and what it leads to is replaced. What is no file, such as /dev/null, is written to.
    """
    try:
        if is_special(path):
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def is_special(path: Path) -> bool:
    """Whether there is something that is no file, itself or behind a link: a device, a pipe, a folder."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _replace(path: Path, content: bytes, mode: int) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode & ~_umask())
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync(path.parent)


def atomic_write_text(path: Path, content: str) -> None:
    """`atomic_write_bytes` for text, in UTF-8."""
    atomic_write_bytes(path, content.encode("utf-8"))


def atomic_write_json(path: Path, value: Any) -> None:
    """`atomic_write_bytes` for one JSON value, indented, in UTF-8. NaN and infinity are a ValueError."""
    atomic_write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _umask() -> int:
    """The process's umask: mkstemp makes files that only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
