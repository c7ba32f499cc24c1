"""Which column of a table is which: one that an option names, or one known by its usual name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeseq.data.dataset import DataOptions
from edgeseq.names import unknown
from edgeseq_device.errors import DataError

HEADER_SHOWN = 200  # characters of a header in a message; without one, the first line may be a long text
NEAR = 0.65  # of 1; at difflib's own 0.6 a text "greet" is near to "tweet"
SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
UsualNames = Mapping[str, tuple[str, ...]]  # by role, such as "label"; in lower case, the first one wins
ONCE: UsualNames = {
    "label": (
        *("label", "intent", "class", "category", "target", "topic", "sentiment", "emotion", "activity"),
        *("gesture", "y"),
    ),
    "group": ("group", "subject", "person", "speaker", "participant", "user", "author"),
    "split": ("split", "subset", "partition"),
}
"""What a recording has one of, whatever it consists of."""


class NoSuchColumnError(DataError):
    """An option names a column, for a role, that the header lacks."""

    def __init__(self, message: str, role: str) -> None:
        super().__init__(message)
        self.role = role


class MissingColumnError(DataError):
    """No column has a role that a table needs. `what` leaves the options out that would name one."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}{advice}")
        self.what = what


def check_header(header: Sequence[str], path: Path, separator: str = ",") -> None:
    """Raises DataError for an empty header, a name that is there twice and a separator that is another."""
    if not any(header):
        raise DataError(f"{path}: the file is empty; its first line must be a header")
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise DataError(
            f'{path}: line 1: the column "{twice[0]}" is there twice; the header needs one name, of its own,'
            " for each column"
        )
    others = [mark for mark in SEPARATORS if mark != separator and mark in header[0]]
    if len(header) == 1 and others:
        further = {
            ";": " and a point for decimals",
            "\t": f", or, where it is no series to classify, call it {path.stem}.tsv"
            * (path.suffix.lower() == ".csv"),
        }
        raise DataError(
            f"{path}: line 1: its separator looks like {SEPARATORS[others[0]]}; save it with"
            f" {SEPARATORS[separator]} between cells{further.get(others[0], '')}"
        )


def find_columns(
    header: Sequence[str], usual: UsualNames, required: Sequence[str], options: DataOptions, path: Path
) -> dict[str, str]:
    """The column of each role in `usual` that has one, as the header writes it.

    Raises NoSuchColumnError, naming the nearest, for one of the options that is not in the header,
    MissingColumnError for a required role without a column.
    """
    columns: dict[str, str] = {}
    for role, names in usual.items():
        wanted = getattr(options, f"{role}_column")
        if wanted is not None and wanted not in header:
            raise NoSuchColumnError(f"{path}: line 1: {unknown(f'--{role}-column', wanted, header)}", role)
        found = wanted or usual_column(header, names)
        if found is not None:
            columns[role] = found
    for role in required:
        if role not in columns:
            question = _nearest(usual[role], [cell for cell in header if cell not in columns.values()])
            if not (question or columns):
                question = f"; is it a header? The first line must name the columns: {', '.join(required)}"
            missing = _missing(role, usual[role], header)
            raise MissingColumnError(f"{path}: line 1: {missing}{question}", _advice(role))
    return columns


def usual_column(header: Sequence[str], names: Sequence[str]) -> str | None:
    """The column with the first of these names, in any case; None where there is none."""
    by_name = {cell.lower(): cell for cell in reversed(header)}
    return next((by_name[name] for name in names if name in by_name), None)


def _missing(role: str, names: Sequence[str], header: Sequence[str]) -> str:
    found = ", ".join(header)
    shown = found if len(found) <= HEADER_SHOWN else f"{found[:HEADER_SHOWN]} ..."
    return f"no column says which {role} a line has (looked for {', '.join(names)}; the header has {shown})"


def _nearest(names: Sequence[str], header: Sequence[str]) -> str:
    by_name = {cell.lower(): cell for cell in header}
    near = [match for name in names for match in difflib.get_close_matches(name, by_name, 1, NEAR)]
    return f'; did you mean "{by_name[near[0]]}"' if near else ""


def _advice(role: str) -> str:
    of_texts = ", or, where each line is a text, the text's with --text-column" if role == "recording" else ""
    return f"; name it with --{role}-column{of_texts}"
