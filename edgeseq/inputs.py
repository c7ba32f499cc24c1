"""What `edgeseq run` is given -> raw inputs of the kind that a model takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgeseq.artifacts import is_file
from edgeseq.data import DataOptions
from edgeseq.data.lines import Lines
from edgeseq.data.load import load_path
from edgeseq.data.series_csv import read_moments
from edgeseq.data.text_rows import check_text, csv_header
from edgeseq.data.wav import decode_wav
from edgeseq_device.classify import Raw
from edgeseq_device.errors import DataError, UsageError

STDIN = "-"
_FILES = {"audio": "WAV files", "series": "recordings as .csv, .npz or .ts files"}


@dataclass(frozen=True, eq=False)
class Input:
    """One input. name: a text itself, else its file or its place in one; sample_rate_hz: None = unknown."""

    name: str
    raw: Raw
    sample_rate_hz: int | None = None


def read_inputs(
    words: Sequence[str], kind: str, channels: int, reading: Callable[[], DataOptions], stdin: BinaryIO
) -> tuple[list[Input], list[str]]:
    """The inputs that the words of a call name, for a model of data of a kind; and warnings about them.

    Texts are the words themselves, `-` stands for the lines of `stdin` that are not blank. Of series, a .csv
    file whose columns are the `channels` is one recording; other files are read as the training data was,
    which `reading` is asked for, and each of their recordings is an input. Raises UsageError for no such
    file, DataError for one that is refused.
    """
    found: list[Input] = []
    warnings: list[str] = []
    for word in words:
        if kind != "text":
            found += _read(_file(word, kind), kind, channels, reading)
        elif word == STDIN:
            found += _lines(stdin, warnings)
        else:
            found.append(_argument(word, warnings))
    return found, warnings


def _argument(word: str, warnings: list[str]) -> Input:
    """A word that is a text. Bytes of a call that are not UTF-8 reach Python as halves of surrogate pairs."""
    try:
        word.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(word).decode("utf-8", "backslashreplace")
        where = f'"{shown}": character {error.start + 1}'
        raise DataError(f"{where} of this INPUT is not UTF-8; give it in UTF-8") from error
    if is_file(Path(word)):
        warnings.append(f'"{word}" is a file; its name was taken for a text, and it was not read')
    return Input(word, word)


def _lines(stdin: BinaryIO, warnings: list[str]) -> list[Input]:
    lines, found = Lines(stdin, Path("stdin")), []
    for line in lines:
        text = line.rstrip("\r\n")
        if text.strip():
            check_text(text, lines.where)
            found.append(Input(text, text))
    if not found:
        raise DataError("stdin: there is no text in it; give one on each line")
    if blank := lines.number - len(found):
        warnings.append(f"stdin: {blank} {'blank lines were' if blank > 1 else 'blank line was'} left out")
    return found


def _file(word: str, kind: str) -> Path:
    path = Path(word)
    if not is_file(path):
        raise UsageError(f"{word}: no such file; this model takes {_FILES[kind]}")
    return path


def _read(path: Path, kind: str, channels: int, reading: Callable[[], DataOptions]) -> list[Input]:
    if kind == "audio":
        audio = decode_wav(path.read_bytes(), str(path))
        return [Input(str(path), audio.samples, audio.sample_rate_hz)]
    if path.suffix.lower() == ".csv" and len(csv_header(path)) == channels:
        return [Input(str(path), read_moments(path))]
    dataset = load_path(path, reading())
    return [
        Input(f"{path}: {each.name}", each.samples, dataset.sample_rate_hz) for each in dataset.recordings
    ]
