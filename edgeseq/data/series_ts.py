"""Series in the UEA archive's `.ts` format: one file, or a _TRAIN and _TEST pair that gives the split.

Format: Bagnall et al. 2018, arXiv 1811.00075, and the header keys of timeseriesclassification.com.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseq.data.dataset import DataOptions, Dataset, GivenSplit, Recording, assembled
from edgeseq.data.lineage import content_hash, sha256_of
from edgeseq.data.lines import BOM, decoded
from edgeseq_device.errors import DataError

PAIR: dict[str, GivenSplit] = {"_TRAIN": "train", "_TEST": "test"}


@dataclass(frozen=True)
class Header:
    """What the `@` lines claim; None where they are silent."""

    dimensions: int | None
    series_length: int | None
    equal_length: bool | None
    univariate: bool | None
    labels: tuple[str, ...]


def read_ts(path: Path, options: DataOptions, name: str) -> Dataset:
    """The recordings of a `.ts` file; of both files when `path` is one of an X_TRAIN.ts, X_TEST.ts pair.

    Raises DataError, naming file and line, for missing values, numbers that are none, and a header that
    contradicts the data (dimensions, seriesLength, equalLength, univariate, classLabel).
    """
    options.only("sample_rate_hz", reference=str(path))
    recordings: list[Recording] = []
    digests = []
    first: Header | None = None
    for file, given in ts_files(path):
        content = file.read_bytes()
        digests.append((file.name, sha256_of(content)))
        header, found = _parse(content, file, given)
        if first is not None and set(header.labels) != set(first.labels):
            raise DataError(f"{file}: @classLabel lists other classes than the training file does")
        first = header
        recordings += found
    count = np.shape(recordings[0].samples)[1]
    return assembled(
        name,
        "series",
        recordings,
        channels=[f"channel_{i}" for i in range(count)],
        sample_rate_hz=options.sample_rate_hz,
        content_sha256=content_hash(digests),
        warnings=_unused_labels(path, header.labels, recordings),
    )


def _unused_labels(path: Path, declared: Sequence[str], recordings: Sequence[Recording]) -> list[str]:
    unused = sorted(set(declared) - {recording.label for recording in recordings})
    if not unused:
        return []
    return [f"{path}: @classLabel declares {', '.join(unused)}, which no recording has; left out"]


def ts_files(path: Path) -> list[tuple[Path, GivenSplit | None]]:
    """The pair that `path` belongs to, training first, or the file alone without a split."""
    for ending in PAIR:
        if path.stem.endswith(ending):
            stem = path.stem.removesuffix(ending)
            pair = [path.with_name(f"{stem}{side}{path.suffix}") for side in PAIR]
            if all(file.is_file() for file in pair):
                return list(zip(pair, PAIR.values(), strict=True))
    return [(path, None)]


def _parse(content: bytes, file: Path, split: GivenSplit | None) -> tuple[Header, list[Recording]]:
    lines = _lines(content, file)
    header = _header(lines, file)
    recordings: list[Recording] = []
    for number, line in lines:
        *dimensions, label = line.split(":")
        where = f"{file}: line {number}"
        if not dimensions:
            raise DataError(f"{where}: holds no series and label (there is no colon)")
        columns = [_numbers(text, f"{where}, dimension {i + 1}") for i, text in enumerate(dimensions)]
        label = label.strip()
        _check_line(header, columns, label, where)
        recordings.append(
            Recording(f"{file.stem}_{len(recordings):04d}", np.stack(columns, axis=1), label, split=split)
        )
    if not recordings:
        raise DataError(f"{file}: there is no series after @data")
    _check_together(header, recordings, file)
    return header, recordings


def _lines(content: bytes, file: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines, without comments and empty ones."""
    text = decoded(content.removeprefix(BOM), file)
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith(("#", "%")):
            yield number, line.strip()


def _header(lines: Iterator[tuple[int, str]], file: Path) -> Header:
    """Reads up to and including `@data`."""
    found: dict[str, list[str]] = {}
    for number, line in lines:
        key, *words = line.split()
        if not key.startswith("@"):
            raise DataError(f"{file}: line {number}: data before the @data line")
        if key.lower() == "@data":
            break
        found[key.lower()] = words
    else:
        raise DataError(f"{file}: there is no @data line; is this a .ts file?")
    for key, reason in (("@timestamps", "time stamps"), ("@missing", "missing values")):
        if _flag(found, key, file):
            raise DataError(
                f"{file}: {key} true: series with {reason} are not read; fill or resample them first"
            )
    labels = found.get("@classlabel", ["false"])
    if labels[0].lower() != "true" or len(labels) < 2:
        raise DataError(f"{file}: @classLabel lists no classes; a classifier needs them")
    return Header(
        _count(found, "@dimensions", file) or _count(found, "@dimension", file),
        _count(found, "@serieslength", file),
        _flag(found, "@equallength", file),
        _flag(found, "@univariate", file),
        tuple(labels[1:]),
    )


def _flag(found: dict[str, list[str]], key: str, file: Path) -> bool | None:
    if key not in found:
        return None
    word = " ".join(found[key]).lower()
    if word not in ("true", "false"):
        raise DataError(f'{file}: {key} is "{word}", neither true nor false')
    return word == "true"


def _count(found: dict[str, list[str]], key: str, file: Path) -> int | None:
    if key not in found:
        return None
    word = " ".join(found[key])
    if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) == 0:
        raise DataError(f'{file}: {key} is "{word:.40}", not a whole number from 1 to 999999999')
    return int(word)


def _numbers(text: str, where: str) -> NDArray[np.float32]:
    """[n] float32 from `0.1,0.2,...`."""
    words = [word.strip() for word in text.split(",")]
    if words == [""]:
        raise DataError(f"{where}: the series has zero samples")
    if "?" in words:
        raise DataError(
            f"{where}: missing value (?) at sample {words.index('?')}; fill or leave out the series"
        )
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    with np.errstate(over="ignore"):
        series = values.astype(np.float32)
    if not np.isfinite(series).all():
        raise DataError(f"{where}: NaN or infinity at sample {int(np.argmin(np.isfinite(series)))}")
    return series


def _check_line(header: Header, columns: Sequence[NDArray[np.float32]], label: str, where: str) -> None:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise DataError(f"{where}: dimensions of {min(lengths)} and {max(lengths)} samples in one series")
    if header.dimensions is not None and len(columns) != header.dimensions:
        raise DataError(
            f"{where}: {len(columns)} dimensions, the header says @dimensions {header.dimensions}"
        )
    if header.univariate and len(columns) != 1:
        raise DataError(f"{where}: {len(columns)} dimensions, the header says @univariate true")
    if header.equal_length is not False and header.series_length not in (None, lengths[0]):
        raise DataError(
            f"{where}: {lengths[0]} samples, the header says @seriesLength {header.series_length}"
        )
    if label not in header.labels:
        raise DataError(
            f'{where}: the label "{label}" is not in the header\'s @classLabel {" ".join(header.labels)}'
        )


def _check_together(header: Header, recordings: Sequence[Recording], file: Path) -> None:
    shapes = [np.shape(recording.samples) for recording in recordings]
    if header.univariate is False and header.dimensions is None and {shape[1] for shape in shapes} == {1}:
        raise DataError(f"{file}: the header says @univariate false, the series have one dimension")
    if header.equal_length and len({shape[0] for shape in shapes}) > 1:
        raise DataError(f"{file}: series of different lengths, the header says @equalLength true")
