"""What `edgeseq run` is given -> raw inputs of the kind that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edgeseq.data import DataOptions
from edgeseq.data.load import load_path
from edgeseq.data.text_lines import BOM, decoded
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
    words: Sequence[str], kind: str, channels: int, reading: DataOptions, stdin: BinaryIO
) -> list[Input]:
    """The inputs that the words of a call name, for a model of data of a kind.

    Texts are the words themselves, `-` stands for the lines of `stdin`. Of series, a .csv file whose columns
    are the `channels` is one recording; other files are read as the training data was (`reading`), and
    each of their recordings is an input. Raises UsageError for no such file, DataError for one that is
    refused.
    """
    found: list[Input] = []
    for word in words:
        if kind == "text":
            found += _lines(stdin) if word == STDIN else [Input(word, word)]
        else:
            found += _read(_file(word, kind), kind, channels, reading)
    return found


def _lines(stdin: BinaryIO) -> list[Input]:
    text = decoded(stdin.read().removeprefix(BOM), Path("stdin"))
    lines = [Input(line, line) for line in text.removesuffix("\n").split("\n")]
    blank = [number for number, line in enumerate(lines, 1) if not line.name.strip()]
    if blank:
        raise DataError(f"stdin: line {blank[0]} is empty; give one text on each line")
    return lines


def _file(word: str, kind: str) -> Path:
    path = Path(word)
    if not path.is_file():
        raise UsageError(f"{word}: no such file; this model takes {_FILES[kind]}")
    return path


def _read(path: Path, kind: str, channels: int, reading: DataOptions) -> list[Input]:
    if kind == "audio":
        audio = decode_wav(path.read_bytes(), str(path))
        return [Input(str(path), audio.samples, audio.sample_rate_hz)]
    if path.suffix.lower() == ".csv" and _columns(path) == channels:
        return [Input(str(path), _readings(path))]
    dataset = load_path(path, reading)
    return [
        Input(f"{path}: {each.name}", each.samples, dataset.sample_rate_hz) for each in dataset.recordings
    ]


def _columns(path: Path) -> int:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return len(stream.readline().split(","))


def _readings(path: Path) -> Raw:
    """[T, channels] float32 of a header and lines of numbers."""
    try:
        return np.loadtxt(
            path, np.float32, delimiter=",", skiprows=1, ndmin=2, comments=None, encoding="utf-8"
        )
    except ValueError as error:
        raise DataError(f"{path}: under its header: {error}; every cell must be a number") from error
