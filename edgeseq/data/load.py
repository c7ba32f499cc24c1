"""A reference -> a data set: which reader reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgeseq.data.audio import read_audio
from edgeseq.data.catalogue import CATALOGUE, DATA_DIR_VARIABLE, NamedSet, cache_folder, required
from edgeseq.data.columns import usual_column
from edgeseq.data.corpus import read_corpus
from edgeseq.data.dataset import DataOptions, Dataset, set_aside
from edgeseq.data.gestures import read_gestures
from edgeseq.data.series_csv import USUAL_NAMES as OF_SERIES
from edgeseq.data.series_csv import is_number, read_csv
from edgeseq.data.series_npz import read_npz
from edgeseq.data.series_ts import read_ts, ts_files
from edgeseq.data.text import TEXT, read_text
from edgeseq.data.text_clinc import read_clinc
from edgeseq.data.text_rows import csv_rows
from edgeseq.names import unknown
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.tasks import Task


class OtherTaskError(DataError):
    """A file of data for another task. `what` leaves out the option for it, which not every command has."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}; {advice}")
        self.what = what


def _read_table(path: Path, options: DataOptions, name: str) -> Dataset:
    """Texts or series: a `.csv` file may hold either."""
    if _holds_texts(path, options):
        return read_text(path, options, name)
    if _holds_one_series(path, options):
        raise OtherTaskError(
            f"{path}: no column says which recording a line has, the others hold times and numbers",
            "add --task forecast to forecast them, or name the recordings' column with --recording-column",
        )
    return read_csv(path, options, name)


def _holds_texts(path: Path, options: DataOptions) -> bool:
    """Whether the options name a text column, or none of a series' and the header or the cells say so."""
    if options.text_column is not None:
        return True
    if options.recording_column is not None or options.time_column is not None:
        return False
    header, *rows = csv_rows(path, 1 + ROWS_LOOKED_AT) or [()]
    return usual_column(header, TEXT) is not None or _has_words_alone(header, rows, options)


def _holds_one_series(path: Path, options: DataOptions) -> bool:
    """Whether no column is that of recordings, one that of times, and all others hold numbers."""
    if options.recording_column is not None:
        return False
    from edgeseq.data.timeline import TIME  # noqa: PLC0415

    header, *rows = csv_rows(path, 1 + ROWS_LOOKED_AT) or [()]
    time = options.time_column or usual_column(header, TIME)
    if time is None or usual_column(header, OF_SERIES["recording"]) is not None:
        return False
    cells = [cell for row in rows for name, cell in zip(header, row, strict=False) if name != time and cell]
    return bool(cells) and all(map(is_number, cells))


def _has_words_alone(header: Sequence[str], rows: Sequence[Sequence[str]], options: DataOptions) -> bool:
    """Whether no column could be a series' channel: apart from those with a role, none holds a number."""
    roles = {
        getattr(options, f"{role}_column") or usual_column(header, OF_SERIES[role]) for role in OF_SERIES
    }
    others = [place for place, name in enumerate(header) if name and name not in roles]
    cells = [row[place] for place in others for row in rows if place < len(row) and row[place]]
    return bool(cells) and not any(map(is_number, cells))


ROWS_LOOKED_AT = 5
READERS = {
    ".zip": read_audio,
    ".ts": read_ts,
    ".npz": read_npz,
    ".csv": _read_table,
    ".tsv": read_text,
    ".jsonl": read_text,
    ".json": read_clinc,
}
ONE_FILE = (".ts", ".npz", ".csv", ".tsv", ".jsonl")  # what a folder may hold one of


def load(reference: str, options: DataOptions | None = None) -> Dataset:
    """The data set that a reference names: one of the catalogue, or a path.

    A path is a folder or zip of WAV files, a `.ts`, `.npz`, `.csv`, `.tsv`, `.jsonl` or CLINC150's `.json`
    file, or a folder that holds one such file or one `.ts` pair. A name of the catalogue wins over a path;
    write `./gestures` for the folder. For a language model it is a `.txt` file, a folder of them or a table
    of texts; for a forecaster a `.csv` of one series. Raises UsageError for a reference that is neither,
    DataError for data that is refused.
    """
    options = options or DataOptions()
    dataset = _loaded(reference, options)
    label = options.out_of_scope_label
    return dataset if label is None else set_aside(dataset, label)


def _loaded(reference: str, options: DataOptions) -> Dataset:
    if reference in CATALOGUE:
        return _load_named(CATALOGUE[reference], options)
    path = Path(reference).expanduser()
    if not path.exists():
        looks_like_path = "/" in reference or path.suffix.lower() in (*READERS, ".txt")
        raise UsageError(
            f"{reference}: no such file or folder"
            if looks_like_path
            else f"{unknown('data set', reference, CATALOGUE)}; nor is there a file or folder of that name"
        )
    return load_path(path, options)


def load_path(path: Path, options: DataOptions, name: str | None = None) -> Dataset:
    """The data set at a path that exists. Raises DataError for data that is refused."""
    name = name or str(path)
    if options.task == "lm":
        return read_corpus(path, options, name)
    if options.task == "forecast":
        from edgeseq.data.timeline import read_timeline  # noqa: PLC0415

        return read_timeline(path, options, name)
    if path.is_dir():
        return _load_folder(path, options, name)
    reader = READERS.get(path.suffix.lower())
    if path.suffix.lower() == ".txt":
        raise OtherTaskError(
            f"{path}: a text without labels", "add --task lm to train a language model on it"
        )
    if reader is None:
        raise DataError(f"{path}: no reader for this kind of file; known: a folder, {', '.join(READERS)}")
    return reader(path, options, name)


def _load_folder(path: Path, options: DataOptions, name: str) -> Dataset:
    if any(file.suffix.lower() == ".wav" for file in path.rglob("*")):
        return read_audio(path, options, name)
    # A .json beside a data file usually describes it.
    found = _with_suffix(path, *ONE_FILE) or _with_suffix(path, ".json")
    if not found:
        raise DataError(f"{path}: the folder holds no .wav, {', '.join(ONE_FILE)} or .json file")
    files = {file for file, _ in ts_files(found[0])} if found[0].suffix.lower() == ".ts" else {found[0]}
    if others := [file.name for file in found if file not in files]:
        raise DataError(f"{path}: several data files ({found[0].name}, {others[0]}); name the one to read")
    return load_path(found[0], options, name)


def _with_suffix(folder: Path, *suffixes: str) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in suffixes)


def _load_named(known: NamedSet, options: DataOptions) -> Dataset:
    """A catalogued set; its content must be the catalogue's."""
    _check_task(known, options.task)
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


def _check_task(known: NamedSet, task: Task) -> None:
    """Raises UsageError where the set is for another task, or for this one and it was not said."""
    wanted = known.options.task
    if task != wanted:
        advice = f"give --task {wanted} in its place" if task != "classify" else f"add --task {wanted}"
        advice = "leave --task out" if wanted == "classify" else advice
        raise UsageError(f"{known.name} is a data set for the task {wanted}, not {task}; {advice}")
