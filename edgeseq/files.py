"""Writing files so that a reader sees the old content or the new one, never a part of it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from edgeseq_device.durable import sync


def atomic_write_bytes(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace `path` by `content` in one step; the folder must exist. mode: before the umask.

    The bytes go to a hidden temporary file beside it, are flushed to the disk and take the name last.
    On a failure the temporary file is gone, an older `path` is untouched and the OSError names `path`.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode & ~_umask())
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        temporary = None
        sync(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


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
