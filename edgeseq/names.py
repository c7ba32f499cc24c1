"""Sentences about names that are not known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from edgeseq_device.errors import UsageError

_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def check_folder_name(name: str) -> None:
    """Raises UsageError where a run or an artifact cannot have this name: it becomes a folder's."""
    if not _FOLDER_NAME.fullmatch(name):
        raise UsageError(f'--name "{name}": use letters, digits, ".", "_" and "-" only')


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Such as `unknown model "grue"; did you mean "gru"? Known: gru, lstm`."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f'; did you mean "{nearest[0]}"?' if nearest else "."
    return f'unknown {kind} "{name}"{hint} Known: {", ".join(names) or "none"}'
