"""Series in a CSV file with a header: a line is one moment of one recording.

The columns for the recording, its label and, if there, its group, its split and the time are named in the
options or known by their usual names; every other column is a channel.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from edgeseq.data.dataset import DataOptions, Dataset, Recording, assembled, given_split, validation_warning
from edgeseq.data.lineage import content_hash, sha256_of
from edgeseq.names import unknown
from edgeseq_device.errors import DataError, UsageError

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
    "label": ("label", "class", "target", "activity", "gesture", "y"),
    "group": ("group", "subject", "person", "speaker", "participant", "user"),
    "split": ("split", "subset", "partition"),
    "time": ("time", "timestamp", "time_s", "time_ms", "seconds", "t"),
}
LARGEST = float(np.finfo(np.float32).max)
ONCE = ("label", "group", "split")  # one value for a whole recording


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
    number, a time that does not increase, and a label, group or split that changes within a recording;
    UsageError for a column of the options that is not in the header.
    """
    options.only("sample_rate_hz", *(f"{role}_column" for role in USUAL_NAMES), reference=str(path))
    content = path.read_bytes()
    lines = csv.reader(io.StringIO(_text(content, path), newline=""), strict=True)
    recordings: dict[str, Rows] = {}
    try:
        layout = _layout([cell.strip() for cell in next(lines, [])], options, path)
        for cells in lines:
            if cells:
                layout.take(recordings, cells, lines.line_num)
    except csv.Error as error:
        raise DataError(f"{path}: line {lines.line_num}: {error}") from error
    return assembled(
        name,
        "series",
        [_recording(key, rows, path) for key, rows in recordings.items()],
        channels=[layout.header[i] for i in layout.channels],
        sample_rate_hz=options.sample_rate_hz,
        content_sha256=content_hash([(path.name, sha256_of(content))]),
        warnings=validation_warning(rows.fixed.get("split", "") for rows in recordings.values()),
    )


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error


def _layout(header: Sequence[str], options: DataOptions, path: Path) -> Layout:
    if not header:
        raise DataError(f"{path}: the file is empty; its first line must be a header")
    if len(set(header)) != len(header) or "" in header:
        raise DataError(f"{path}: line 1: the header needs one name, of its own, for each column")
    separators = [mark for mark in (";", "\t", "|") if mark in header[0]]
    if len(header) == 1 and separators:
        mark = "a tab" if separators[0] == "\t" else f"`{separators[0]}`"
        raise DataError(f"{path}: line 1: its separator looks like {mark}; save it with commas between cells")
    roles = _roles(header, options, path)
    channels = tuple(i for i in range(len(header)) if i not in roles.values())
    if not channels:
        raise DataError(f"{path}: line 1: the header leaves no column as a channel")
    return Layout(path, tuple(header), roles, channels)


def _roles(header: Sequence[str], options: DataOptions, path: Path) -> dict[str, int]:
    """The place of each role's column; recording and label must be there."""
    lowered = [cell.lower() for cell in header]
    roles: dict[str, int] = {}
    for role, usual in USUAL_NAMES.items():
        wanted = getattr(options, f"{role}_column")
        if wanted is not None and wanted not in header:
            raise UsageError(f"{path}: {unknown(f'--{role}-column', wanted, header)}")
        found = [lowered.index(word) for word in usual if word in lowered]
        if wanted is not None:
            roles[role] = header.index(wanted)
        elif found:
            roles[role] = found[0]
    for role in ("recording", "label"):
        if role not in roles:
            raise DataError(
                f"{path}: line 1: no column says which {role} a line has"
                f" (looked for {', '.join(USUAL_NAMES[role])}); name it with --{role}-column"
            )
    return roles


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
        what = f'"{cell.strip()}" is not a number' if cell.strip() else "the cell is empty"
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
