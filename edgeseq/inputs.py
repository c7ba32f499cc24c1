"""What `edgeseq run` is given -> raw inputs of the kind that a model takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgeseq.artifacts import is_file, nearest_artifact
from edgeseq.data import DataOptions, Dataset
from edgeseq.data.columns import MissingColumnError, NoSuchColumnError, usual_column
from edgeseq.data.lines import Lines
from edgeseq.data.load import OtherTaskError, load_path
from edgeseq.data.series_csv import USUAL_NAMES, read_moments
from edgeseq.data.text_rows import check_text, csv_header
from edgeseq.data.wav import decode_wav
from edgeseq.names import counted, some
from edgeseq_device.classify import Raw
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.manifest import MANIFEST_FILE

STDIN = "-"
_FILES = {
    "audio": "WAV files",
    "series": "recordings as .csv, .npz or .ts files",
    "forecast": "a .csv with a line for each moment",
}
_SUFFIXES = (".csv", ".tsv", ".npz", ".ts", ".wav")


@dataclass(frozen=True, eq=False)
class Input:
    """One input. name: a text itself, else its file or its place in one; sample_rate_hz: None = unknown."""

    name: str
    raw: Raw
    sample_rate_hz: int | None = None


def check_files(words: Sequence[str], kind: str, newest: Path | None) -> None:
    """Raises UsageError for a word that is no file, of a model that takes files.

    kind: audio, series or forecast. newest: the artifact that was taken because the first word names none;
    None where it names one.
    """
    for number, word in enumerate(words):
        if is_file(Path(word)):
            continue
        if number or newest is None:
            raise UsageError(f"{word}: no such file; this model takes {_FILES[kind]}")
        if near := nearest_artifact(Path(word).name):
            raise UsageError(f'unknown artifact "{word}"; did you mean "{near}"?')
        what = "no artifact and no file there"
        if os.path.isdir(word):  # noqa: PTH112 - pathlib's own raises where a name is too long for a file's
            what = f"a folder without {MANIFEST_FILE} is no artifact"
        elif Path(word).suffix.lower() in _SUFFIXES:
            what = "no such file"
        raise UsageError(f"{word}: {what}; the newest artifact, {newest}, would take {_FILES[kind]}")


def read_inputs(
    words: Sequence[str],
    kind: str,
    channels: int,
    reading: Callable[[], DataOptions],
    stdin: BinaryIO,
    names: Callable[[], Sequence[str]] = tuple,
) -> tuple[list[Input], list[str]]:
    """The inputs that the words of a call name, for a model of data of a kind; and warnings about them.

    Texts are the words themselves, `-` stands for the lines of `stdin` that are not blank. Of series, a .csv
    file whose columns are the `channels` is one recording; other files are read as the training data was,
    which `reading` is asked for, and each of their recordings is an input. names: what those channels are
    called, where that is known; asked for a refusal alone. Raises UsageError for no such file, DataError for
    one that is refused.
    """
    found: list[Input] = []
    warnings: list[str] = []
    for word in words:
        if kind != "text":
            found += _read(_file(word, kind), kind, channels, reading, names)
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


def _read(
    path: Path,
    kind: str,
    channels: int,
    reading: Callable[[], DataOptions],
    names: Callable[[], Sequence[str]],
) -> list[Input]:
    if kind == "audio":
        audio = decode_wav(path.read_bytes(), str(path))
        return [Input(str(path), audio.samples, audio.sample_rate_hz)]
    header = csv_header(path) if path.suffix.lower() == ".csv" else ()
    if len(header) == channels:
        return [Input(str(path), read_moments(path))]
    options = reading()
    recording = options.recording_column or usual_column(header, USUAL_NAMES["recording"])
    if header and recording not in header:
        raise DataError(f"{path}: line 1: {_other_channels(header, channels, names())}")
    dataset = _as_in_training(path, options)
    return [
        Input(f"{path}: {each.name}", each.samples, dataset.sample_rate_hz) for each in dataset.recordings
    ]


def _other_channels(header: Sequence[str], channels: int, names: Sequence[str]) -> str:
    """What a header lacks and has beside, with advice. names: of the channels; empty where not known."""
    wanted = f": {some(names)}" if names else ", as in its training data"
    found = f"this file has {counted(len(header), 'column')}: {some(header)}"
    named = bool({*names} & {*header})  # else the names are others, and which is which is not known
    missing = [name for name in names if named and name not in header]
    time = usual_column(header, USUAL_NAMES["time"])
    others = [name for name in header if (name not in names if named else name == time)]
    parts = [f"missing: {some(missing)}"] * bool(missing) + [f"leave out: {some(others)}"] * bool(others)
    advice = "; ".join(parts) or "give one column for each channel, and no other"
    return f"the model takes {counted(channels, 'channel')}{wanted}; {found}; {advice}"


def _as_in_training(path: Path, options: DataOptions) -> Dataset:
    """The recordings of a file. A refusal names no option of training: `edgeseq run` has none."""
    try:
        return load_path(path, options)
    except OtherTaskError as error:
        raise DataError(f"{error.what}; this model takes {_FILES['series']}") from error
    except MissingColumnError as error:
        raise DataError(
            f"{error.what}; a file with several recordings has its columns as in training"
        ) from error
    except NoSuchColumnError as error:
        name = getattr(options, f"{error.role}_column")
        raise DataError(
            f'{path}: line 1: there is no column "{name}", which is the {error.role} in the training data'
        ) from error
