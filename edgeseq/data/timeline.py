"""One series to forecast, in a CSV or TSV file: a line is a moment, each column but the time's a channel."""

from __future__ import annotations

import math
import shlex
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeseq.data.columns import check_header, find_columns
from edgeseq.data.dataset import DataOptions, Dataset, Recording
from edgeseq.data.gaps import Moments, UnevenError, evened
from edgeseq.data.lineage import content_hash
from edgeseq.data.lines import Lines
from edgeseq.data.series_csv import is_number
from edgeseq.data.text_rows import csv_records
from edgeseq.data.times import TimeCells
from edgeseq.names import unknown
from edgeseq_device.errors import DataError, UsageError

TIME = ("date", "datetime", "timestamp", "time", "ds", "time_s", "time_ms", "seconds", "t")
SEPARATORS = {".csv": ",", ".tsv": "\t"}
EMPTY = ("", "nan", "na", "n/a", "null", "none")  # in any case
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Columns:
    """The header's columns, the place of the time's (None: there is none) and what reads its cells, the
    places of the channels.
    """

    path: Path
    header: tuple[str, ...]
    time: int | None
    times: TimeCells
    channels: tuple[int, ...]

    def time_us(self, cells: Sequence[str], line: int) -> int:
        """Microseconds since 1970, of a line. Raises DataError for what is no time."""
        if self.time is None:
            return 0
        cell = cells[self.time].strip()
        found = self.times.microseconds(cell)
        if found is None:
            raise DataError(f'{self._place(line, self.time)}: "{cell}" is no time; {self.times.advice}')
        return found

    def values(self, cells: Sequence[str], line: int) -> list[float]:
        """The readings of a line, NaN for an empty cell. Raises DataError for text and infinity."""
        if len(cells) != len(self.header):
            fields = f"{len(cells)} fields where the header has {len(self.header)}"
            raise DataError(
                f"{self.path}: line {line}: {fields}; give it one cell for each column, decimals with a point"
            )
        return [self._value(cells[place], place, line) for place in self.channels]

    def _value(self, cell: str, place: int, line: int) -> float:
        try:
            value = float(cell)
        except ValueError:
            if cell.strip().lower() in EMPTY:
                return math.nan
            raise UnevenError(
                f'{self._place(line, place)}: "{cell.strip()}" is not a number',
                f"mend the cell, or {self._remedy(place)}",
            ) from None
        if abs(value) > LARGEST:
            leave_out = f"leave the column out with --drop-column {shlex.quote(self.header[place])}"
            raise UnevenError(
                f"{self._place(line, place)}: {cell.strip()} is infinity or too large",
                f"mend the cell, or {leave_out}",
            )
        return value

    def _remedy(self, place: int) -> str:
        name = shlex.quote(self.header[place])
        as_time = f", or, where it says the time, name it with --time-column {name}" * (self.time is None)
        return f"leave the column out with --drop-column {name}{as_time}"

    def _place(self, line: int, place: int) -> str:
        return f'{self.path}: line {line}, column "{self.header[place]}"'


def read_timeline(path: Path, options: DataOptions, name: str) -> Dataset:
    """The series of a `.csv` or `.tsv` file, or of a folder that holds one, its lines in the file's order.

    The time column is named or known by its usual names; without one, lines count as evenly spaced, with a
    warning. Raises DataError, naming file and line, for a malformed table, text, times that are out of order
    or uneven, and empty cells that are not to be filled; UsageError for options of other data.
    """
    options.only("time_column", "fill", "split_rows", "drop_columns", reference=str(path))
    if options.out_of_scope_label is not None:
        raise UsageError(f"{path}: --out-of-scope-label is about classes; a forecast has none")
    moments, sha256 = _read(_file(path), options)
    even = evened(moments, options.fill)
    return Dataset(
        name,
        "series",
        (Recording(moments.path.name, even.values, ""),),
        (),
        moments.channels,
        None,
        content_hash([(moments.path.name, sha256)]),
        (*([] if moments.time_column else [_no_time(moments)]), *even.warnings),
        columns={} if moments.time_column is None else {"time": moments.time_column},
        task="forecast",
        times=even.times,
        interval_s=even.interval_s,
        split_rows=options.split_rows,
        filled=even.filled,
    )


def _file(path: Path) -> Path:
    kinds = " or ".join(SEPARATORS)
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix.lower() in SEPARATORS)
        if len(found) != 1:
            several = f"several ({found[0].name}, {found[1].name})" if found else "none"
            raise DataError(f"{path}: a forecast needs one {kinds} file, the folder holds {several}; name it")
        return found[0]
    if path.suffix.lower() not in SEPARATORS:
        raise DataError(f"{path}: a forecast is made from a {kinds} file with a line for each moment")
    return path


def _read(path: Path, options: DataOptions) -> tuple[Moments, str]:
    """What the file says, and its sha256."""
    lines_read, times_us, values = array("q"), array("q"), array("f")
    with path.open("rb") as file:
        lines = Lines(file, path)
        records = csv_records(lines, SEPARATORS[path.suffix.lower()])
        header = [cell.strip() for cell in next(records, (1, []))[1]]
        columns = _columns(header, options, path)
        for line, cells in records:
            values.extend(columns.values(cells, line))
            times_us.append(columns.time_us(cells, line))
            lines_read.append(line)
    if not lines_read:
        raise DataError(f"{path}: there is no line under its header; write one for each moment")
    channels = tuple(columns.header[place] for place in columns.channels)
    found = Moments(
        path,
        channels,
        np.array(lines_read, np.int64),
        np.array(values, np.float32).reshape(len(lines_read), len(channels)),
        None if columns.time is None else columns.header[columns.time],
        None if columns.time is None else np.array(times_us, np.int64),
    )
    return found, lines.sha256


def _columns(header: Sequence[str], options: DataOptions, path: Path) -> Columns:
    if _names_nothing(header):
        raise DataError(f"{path}: line 1 holds numbers or times, no names; put a header above it")
    check_header(header, path, SEPARATORS[path.suffix.lower()])
    if "" in header:
        raise DataError(f"{path}: line 1: a column has no name; each one must have one")
    dropped = options.drop_columns or ()
    for name in dropped:
        if name not in header:
            raise DataError(f"{path}: line 1: {unknown('--drop-column', name, header)}")
    kept = [name for name in header if name not in dropped]
    time = find_columns(kept, {"time": TIME}, (), options, path).get("time")
    channels = tuple(header.index(name) for name in kept if name != time)
    if not channels:
        advice = "leave fewer out with --drop-column" if dropped else "give it a column of readings"
        raise DataError(f"{path}: line 1: the header leaves no column as a channel; {advice}")
    place = None if time is None else header.index(time)
    return Columns(path, tuple(header), place, TimeCells(time or ""), channels)


def _names_nothing(header: Sequence[str]) -> bool:
    """Whether a first line is a moment already."""
    return any(header) and all(
        not cell or TimeCells("").microseconds(cell) is not None or is_number(cell) for cell in header
    )


def _no_time(moments: Moments) -> str:
    looked_for = ", ".join(TIME)
    return (
        f"{moments.path}: no column says the time (looked for {looked_for}): lines count as evenly spaced;"
        " name it with --time-column where there is one"
    )
