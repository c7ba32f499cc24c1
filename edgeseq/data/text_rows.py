"""The rows of a file of texts: `.csv`, `.tsv` (tabs, no quoting) and `.jsonl` (an object on each line)."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeseq.data.columns import check_header
from edgeseq.data.lines import Lines
from edgeseq_device.errors import DataError

LONGEST_TEXT = 131_072  # characters; also what Python's csv reads in one cell
TABLES = (".csv", ".tsv", ".jsonl")
_FAULTS = {
    "field limit": f"a text of more than {LONGEST_TEXT} characters; at most so many are read, cut it",
    "end of data": "a double quote that opens in this row is never closed; close it (a quote within a text is"
    " written twice)",
    "expected after": "a cell goes on behind its closing double quote; write a quote within a text twice",
    "new-line character": "a line end (CR) within the line; save the file with LF or CRLF at line ends",
}
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of a pair that JSON can escape


@dataclass(frozen=True)
class Row:
    """One row: the line it begins on, and its values by column; those of `.jsonl` may be of any type."""

    path: Path
    line: int
    values: Mapping[str, object]

    @property
    def where(self) -> str:
        """The file and the line, for a message."""
        return f"{self.path}: line {self.line}"

    def word(self, column: str) -> str:
        """A label, a group or a split: text or a whole number, spaces around it left out.

        Raises DataError where the row lacks it, has another type or `checked_word` refuses it.
        """
        value = self._value(column)
        word = str(value) if type(value) is int else self._string(column, value)
        return checked_word(word, f'{self.where}, column "{column}"')

    def text(self, column: str) -> str:
        """The text as it is. Raises DataError for none, an empty one and one that `check_text` refuses."""
        value = self._value(column)
        text = self._string(column, value)
        check_text(text, f'{self.where}, column "{column}"')
        return text

    def _value(self, column: str) -> object:
        if column not in self.values:
            raise DataError(
                f'{self.where}: there is no "{column}" in it, but {", ".join(self.values) or "nothing"}'
            )
        return self.values[column]

    def _string(self, column: str, value: object) -> str:
        if not isinstance(value, str):
            raise DataError(f'{self.where}: "{column}" is {json.dumps(value):.40}, not a text in quotes')
        return value


@dataclass(frozen=True)
class Table:
    """The columns (those of the first row in `.jsonl`), and the rows, each read when it is asked for."""

    header: tuple[str, ...]
    rows: Iterator[Row]


def check_text(text: str, where: str) -> None:
    """Raises DataError for a text that is empty, too long or cannot be written in UTF-8."""
    if not text.strip():
        raise DataError(f"{where}: the text is empty; fill it or leave the line out")
    if len(text) > LONGEST_TEXT:
        raise DataError(f"{where}: a text of {len(text)} characters; at most {LONGEST_TEXT} are read")
    if found := _NO_CHARACTER.search(text):
        raise DataError(f"{where}: U+{ord(found.group()):04X} is no character of a text; leave it out")


def checked_word(word: str, where: str) -> str:
    """A label, a group or a split, without the spaces around it. Raises DataError where none is printable."""
    word = word.strip()
    if not word:
        raise DataError(f"{where}: the cell is empty; fill it or leave the line out")
    if not word.isprintable():
        raise DataError(f"{where}: {word[:40]!r} is not plain text on one line")
    return word


def open_table(lines: Lines) -> Table:
    """The table that a file's lines hold, by its ending. Raises DataError for a faulty header."""
    suffix = lines.path.suffix.lower()
    if suffix == ".jsonl":
        return _objects(lines)
    return _cells(lines, "\t" if suffix == ".tsv" else ",")


def csv_header(path: Path) -> tuple[str, ...]:
    """The columns of a `.csv` file; none in an empty one. Raises DataError for a faulty first line."""
    return next(iter(csv_rows(path, 1)), ())


def csv_rows(path: Path, count: int) -> list[tuple[str, ...]]:
    """The cells of a `.csv` file's first rows, the header's among them, without the spaces around them.

    Raises DataError for a faulty line among these.
    """
    with path.open("rb") as file:
        rows = [cells for _, cells in itertools.islice(csv_records(Lines(file, path)), count)]
    return [tuple(cell.strip() for cell in cells) for cells in rows]


def csv_records(lines: Lines, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The line that a record begins on, and its cells; empty lines are left out. Tabs know no quoting.

    Raises DataError, naming the line, for a malformed record.
    """
    quoting: Literal[0, 3] = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(lines, delimiter=separator, quoting=quoting, strict=True)
    while True:
        begin = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            fault = _fault(str(error), several_lines=lines.number > begin)
            raise DataError(f"{lines.path}: line {begin}: {fault}") from error
        if cells is None:
            return
        if cells:
            yield begin, cells


def _fault(said: str, *, several_lines: bool) -> str:
    """What Python's csv says of a malformed record, in plain words with a remedy."""
    if several_lines and "end of data" not in said:
        return "a double quote that opens in this row closes lines below, within a cell; is it left open?"
    for part, words in _FAULTS.items():
        if part in said:
            return words
    return said


def _cells(lines: Lines, separator: str) -> Table:
    records = csv_records(lines, separator)
    header = tuple(cell.strip() for cell in next(records, (1, []))[1])
    check_header(header, lines.path, separator)
    return Table(header, _cell_rows(lines.path, header, records))


def _cell_rows(path: Path, header: Sequence[str], records: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    for line, cells in records:
        if len(cells) != len(header):
            advice = "; put a text with commas in double quotes" if len(cells) > len(header) else ""
            raise DataError(
                f"{path}: line {line}: {len(cells)} fields where the header has {len(header)}{advice}"
            )
        yield Row(path, line, dict(zip(header, cells, strict=True)))


def _objects(lines: Lines) -> Table:
    rows = _object_rows(lines)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{lines.path}: the file is empty; each line must be a JSON object")
    return Table(tuple(first.values), _with_first(first, rows))


def _with_first(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _object_rows(lines: Lines) -> Iterator[Row]:
    for text in lines:
        if text.strip():
            yield Row(lines.path, lines.number, _object(text, lines.where))


def _object(text: str, where: str) -> dict[str, object]:
    try:
        value = json.loads(text.strip(), object_pairs_hook=lambda pairs: _distinct(pairs, where))
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: no JSON: {error.msg} at character {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: no JSON that can be read ({error})") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: each line must be a JSON object such as {{...}}, not {text.strip():.40}")
    return value


def _distinct(pairs: list[tuple[str, object]], where: str) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise DataError(f'{where}: the key "{next(k for k in keys if keys.count(k) > 1)}" is there twice')
    return found
