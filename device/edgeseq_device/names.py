"""The sentence about a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(what: str, name: str, known: Iterable[str]) -> str:
    """Such as `unknown key "thread"; did you mean "threads"?`; without a question where none is near."""
    import difflib  # noqa: PLC0415 - only a fault needs it

    nearest = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.5)
    return f'unknown {what} "{name}"' + (f'; did you mean "{nearest[0]}"?' if nearest else "")
