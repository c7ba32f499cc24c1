"""Sentences about names that are not known."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgeseq_device.errors import UsageError
from edgeseq_device.names import did_you_mean

_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def check_folder_name(name: str) -> None:
    """Raises UsageError where a run or an artifact cannot have this name: it becomes a folder's."""
    if not _FOLDER_NAME.fullmatch(name):
        raise UsageError(f'--name "{name}": use letters, digits, ".", "_" and "-" only')


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Such as `unknown model "grue"; did you mean "gru"? Known: gru, lstm`."""
    names = sorted(known)
    sentence = did_you_mean(kind, name, names)
    return f"{sentence}{'' if sentence.endswith('?') else '.'} Known: {', '.join(names) or 'none'}"
