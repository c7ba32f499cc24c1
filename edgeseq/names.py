"""Sentences about names that are not known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgeseq_device.errors import UsageError
from edgeseq_device.names import did_you_mean

FEW, SHOWN = 12, 5
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def check_folder_name(name: str) -> None:
    """Raises UsageError where a run or an artifact cannot have this name: it becomes a folder's."""
    if not _FOLDER_NAME.fullmatch(name):
        raise UsageError(f'--name "{name}": use letters, digits, ".", "_" and "-" only')


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Such as `unknown model "grue"; did you mean "gru"? Known: gru, lstm`.

    Of many, the nearest alone, or some where none is near.
    """
    names = sorted(known)
    sentence = did_you_mean(kind, name, names)
    near = sentence.endswith("?")
    if near and len(names) > FEW:
        return sentence
    return f"{sentence}{'' if near else '.'} Known: {some(names)}"


def option(setting: str) -> str:
    """The option that gives a setting, such as --embedding-dropout."""
    return "--" + setting.replace("_", "-")


def counted(count: int, what: str) -> str:
    """Such as `1 line` or `2,880 lines`."""
    return f"{count:,} {what}" + "s" * (count != 1)


def some(names: Sequence[str]) -> str:
    """The names of a few, the first of many and how many more there are."""
    if len(names) <= FEW:
        return ", ".join(names) or "none"
    return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"
