"""A file's lines of text, decoded one at a time: a file of any size is refused at its first fault."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edgeseq_device.errors import DataError

LONGEST_LINE_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"  # what some programs write in front of UTF-8


class Lines(Iterator[str]):
    """The lines of an open file with their line ends, a byte order mark left out.

    `number` is the line that was read last, from 1; `sha256` is of the bytes read so far. Raises DataError,
    naming file and line, for a line of more than `LONGEST_LINE_BYTES`, one that is not UTF-8 and a NUL.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.path = path
        self.number = 0
        self._file = file
        self._digest = hashlib.sha256()

    def __next__(self) -> str:
        raw = self._file.readline(LONGEST_LINE_BYTES + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        if len(raw) > LONGEST_LINE_BYTES:
            raise DataError(f"{self.where}: the line is longer than {LONGEST_LINE_BYTES} bytes; cut it")
        self._digest.update(raw)
        return decoded(raw.removeprefix(BOM) if self.number == 1 else raw, self.path, self.number)

    @property
    def where(self) -> str:
        """The file and the line, for a message."""
        return f"{self.path}: line {self.number}"

    @property
    def sha256(self) -> str:
        """Hexadecimal sha256."""
        return self._digest.hexdigest()


def decoded(content: bytes, path: Path, first_line: int = 1) -> str:
    """The text of UTF-8 bytes that begin on `first_line` of the file.

    Raises DataError naming the line, and the byte in it from 1, where it is not UTF-8 or a NUL.
    """
    at = content.find(b"\0")
    if at >= 0:
        raise DataError(f"{_place(content, at, path, first_line)} is a NUL; is this UTF-16? Save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        where = _place(content, error.start, path, first_line)
        raise DataError(
            f"{where} (0x{content[error.start]:02x}) is not UTF-8: {error.reason}; save the file as UTF-8"
        ) from error


def _place(content: bytes, at: int, path: Path, first_line: int) -> str:
    line, before = first_line + content.count(b"\n", 0, at), content.rfind(b"\n", 0, at)
    return f"{path}: line {line}: byte {at - before}"
