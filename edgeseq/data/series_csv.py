"""Series in a CSV file with a header: a line is one moment of one recording.

The columns for the recording, its label and, if there, its group, its split and the time are named in the
options or known by their usual names; every other column is a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseq.data.columns import ONCE, check_header, find_columns
from edgeseq.data.dataset import DataOptions, Dataset, Recording, assembled, given_split
from edgeseq.data.lineage import content_hash
from edgeseq.data.lines import Lines
from edgeseq.data.text_rows import csv_records, open_table
from edgeseq_device.errors import DataError

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "recording": (
        "recording",
        "recording_id",
        "series",
        "series_id",
        "sequence",
        "sequence_id",
        "file",
        "id",
    ),
    **ONCE,
    "time": ("time", "timestamp", "time_s", "time_ms", "seconds", "t"),
}
FloatArray = NDArray[np.float32]
EMPTY = "the cell is empty; fill it or leave the line out"
LARGEST = float(np.finfo(np.float32).max)


@dataclass
class Rows:
    """What has been read of one recording: the line it began on, its fixed values, its readings so far."""

    line: int
    fixed: dict[str, str]
    readings: list[list[float]] = field(default_factory=list)
    time: float = -np.inf


@dataclass(frozen=True)
class Layout:
    """The header, the place of each role's column, and the places of the channels."""

    path: Path
    header: tuple[str, ...]
    roles: dict[str, int]
    channels: tuple[int, ...]

    def take(self, recordings: dict[str, Rows], cells: Sequence[str], line: int) -> None:
        """Add one line to its recording."""
        where = f"{self.path}: line {line}"
        if len(cells) != len(self.header):
            raise DataError(f"{where}: {len(cells)} fields where the header has {len(self.header)}")
        key = cells[self.roles["recording"]].strip()
        fixed = {role: cells[self.roles[role]].strip() for role in ONCE if role in self.roles}
        rows = recordings.setdefault(key, Rows(line, fixed))
        for role, value in fixed.items():
            if rows.fixed[role] != value:
                raise DataError(
                    f'{where}: recording {key} has the {role} "{value}" here,'
                    f' "{rows.fixed[role]}" on line {rows.line}'
                )
        if "time" in self.roles:
            self._advance(rows, key, cells[self.roles["time"]], where)
        rows.readings.append(
            [_number(cells[i], f'{where}, column "{self.header[i]}"') for i in self.channels]
        )

    def _advance(self, rows: Rows, key: str, cell: str, where: str) -> None:
        time = _moment(cell, f'{where}, column "{self.header[self.roles["time"]]}"')
        if time <= rows.time:
            raise DataError(f"{where}: the time {cell} of recording {key} does not come after the one before")
        rows.time = time


def read_csv(path: Path, options: DataOptions, name: str) -> Dataset:
    """The recordings of a CSV file, in order of appearance, their lines in the file's order.

    Raises DataError, naming file and line, for a missing column, a ragged line, a cell that is no finite
    number, a time that does not increase, and a label, group or split that changes within a recording.
    """
    options.only("sample_rate_hz", *(f"{role}_column" for role in USUAL_NAMES), reference=str(path))
    recordings: dict[str, Rows] = {}
    with path.open("rb") as file:
        lines = Lines(file, path)
        records = csv_records(lines)
        layout = _layout([cell.strip() for cell in next(records, (1, []))[1]], options, path)
        for line, cells in records:
            layout.take(recordings, cells, line)
    return assembled(
        name,
        "series",
        [_recording(key, rows, path) for key, rows in recordings.items()],
        channels=[layout.header[i] for i in layout.channels],
        sample_rate_hz=options.sample_rate_hz,
        content_sha256=content_hash([(path.name, lines.sha256)]),
        columns={role: layout.header[place] for role, place in layout.roles.items()},
    )


def read_moments(path: Path) -> FloatArray:
    """[T, channels] float32 of a CSV file whose columns are channels and nothing else: one recording.

    Raises DataError, naming file and line, as `read_csv` does, and for a first line of numbers, which is a
    moment and no header.
    """
    with path.open("rb") as file:
        table = open_table(Lines(file, path))
        if all(map(is_number, table.header)):
            raise DataError(
                f"{path}: line 1 is no header, it holds numbers ({', '.join(table.header):.40}); put a line"
                " with a name for each column above it"
            )
        rows = [
            [_number(str(cell), f'{row.where}, column "{name}"') for name, cell in row.values.items()]
            for row in table.rows
        ]
    if not rows:
        raise DataError(f"{path}: there is no line under its header")
    return np.array(rows, dtype=np.float32)


def is_number(cell: str) -> bool:
    """Whether a cell may be a reading; one that is NaN or infinite is a number, too."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _layout(header: Sequence[str], options: DataOptions, path: Path) -> Layout:
    check_header(header, path)
    if "" in header:
        raise DataError(f"{path}: line 1: a column has no name; each one must have one")
    columns = find_columns(header, USUAL_NAMES, ("recording", "label"), options, path)
    channels = tuple(i for i, column in enumerate(header) if column not in columns.values())
    if not channels:
        raise DataError(f"{path}: line 1: the header leaves no column as a channel")
    roles = {role: header.index(column) for role, column in columns.items()}
    return Layout(path, tuple(header), roles, channels)


def _moment(cell: str, where: str) -> float:
    """A number, or a date and time as ISO 8601 writes it, in seconds."""
    try:
        return _number(cell, where)
    except DataError as refusal:
        try:
            return datetime.fromisoformat(cell.strip()).timestamp()
        except (ValueError, OverflowError):
            raise refusal from None


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        what = f'"{cell.strip()}" is not a number' if cell.strip() else EMPTY
        raise DataError(f"{where}: {what}") from None
    if not abs(value) <= LARGEST:
        raise DataError(f"{where}: {cell.strip()} is NaN, infinity or too large")
    return value


def _recording(key: str, rows: Rows, path: Path) -> Recording:
    word = rows.fixed.get("split")
    return Recording(
        key,
        np.array(rows.readings, dtype=np.float32),
        rows.fixed["label"],
        rows.fixed.get("group"),
        None if word is None else given_split(word, f"{path}: line {rows.line}"),
    )
