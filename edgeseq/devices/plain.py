"""Text from a board, which may say anything, made fit for a terminal."""

from __future__ import annotations

from typing import Any

_SHOWN = 200
_KEPT = 10_000


def printable(text: str) -> str:
    """For a message: in one line, with no control characters and not too long."""
    return _plain(text).strip()[:_SHOWN]


def cleaned(value: Any) -> Any:
    """A JSON value whose strings have no control characters, the names in its objects included.

    Numbers stay as they are; so do strings but for that, unless they are far too long for any terminal.
    """
    if isinstance(value, str):
        return _plain(value)[:_KEPT]
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    if isinstance(value, dict):
        return {cleaned(name): cleaned(each) for name, each in value.items()}
    return value


def _plain(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)
