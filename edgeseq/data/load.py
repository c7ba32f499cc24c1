"""A reference -> a data set: which reader reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeseq.data.audio import read_audio
from edgeseq.data.catalogue import CATALOGUE, DATA_DIR_VARIABLE, NamedSet, cache_folder, required
from edgeseq.data.dataset import DataOptions, Dataset
from edgeseq.data.gestures import read_gestures
from edgeseq.data.series_csv import read_csv
from edgeseq.data.series_npz import read_npz
from edgeseq.data.series_ts import read_ts, ts_files
from edgeseq.names import unknown
from edgeseq_device.errors import DataError, UsageError

READERS = {".zip": read_audio, ".ts": read_ts, ".npz": read_npz, ".csv": read_csv}


def load(reference: str, options: DataOptions | None = None) -> Dataset:
    """The data set that a reference names: one of the catalogue, or a path.

    A path is a folder or zip of WAV files, a `.ts`, `.npz` or `.csv` file, or a folder that holds one such
    file or one `.ts` pair. A name of the catalogue wins over a path; write `./gestures` for the folder.
    Raises UsageError for a reference that is neither, DataError for data that is refused.
    """
    options = options or DataOptions()
    if reference in CATALOGUE:
        return _load_named(CATALOGUE[reference], options)
    path = Path(reference).expanduser()
    if not path.exists():
        looks_like_path = "/" in reference or path.suffix.lower() in READERS
        raise UsageError(
            f"{reference}: no such file or folder"
            if looks_like_path
            else f"{unknown('data set', reference, CATALOGUE)}; nor is there a file or folder of that name"
        )
    return load_path(path, options)


def load_path(path: Path, options: DataOptions, name: str | None = None) -> Dataset:
    """The data set at a path that exists. Raises DataError for data that is refused."""
    name = name or str(path)
    if path.is_dir():
        return _load_folder(path, options, name)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: no reader for this kind of file; known: a folder, {', '.join(READERS)}")
    return reader(path, options, name)


def _load_folder(path: Path, options: DataOptions, name: str) -> Dataset:
    series = sorted(file for file in path.iterdir() if file.suffix.lower() in (".ts", ".npz", ".csv"))
    if any(file.suffix.lower() == ".wav" for file in path.rglob("*")):
        return read_audio(path, options, name)
    if not series:
        raise DataError(f"{path}: the folder holds no .wav, .ts, .npz or .csv file")
    files = {file for file, _ in ts_files(series[0])} if series[0].suffix.lower() == ".ts" else {series[0]}
    if others := [file.name for file in series if file not in files]:
        raise DataError(f"{path}: several data files ({series[0].name}, {others[0]}); name the one to read")
    return load_path(series[0], options, name)


def _load_named(known: NamedSet, options: DataOptions) -> Dataset:
    """A catalogued set; its content must be the catalogue's."""
    if known.built_in:
        options.only(reference=known.name)
        return read_gestures(known.name)
    path = required(known)
    dataset = load_path(path, options.over(known.options), known.name)
    if dataset.content_sha256 != known.content_sha256:
        fetched = path.parent == cache_folder()
        advice = (
            f"run `edgeseq data fetch {known.name} --force`"
            if fetched
            else f"{DATA_DIR_VARIABLE} is looked in first: mend {path.name} there or unset the variable"
        )
        raise DataError(
            f"{path}: its content ({dataset.content_sha256[:12]}) is not the published {known.name}"
            f" ({known.content_sha256[:12]}); {advice}, or give the path"
        )
    return replace(dataset, test_pattern=options.test_pattern)
