"""Texts with labels, one a row, in `.csv`, `.tsv` and `.jsonl` files; texts without labels for distillation.

A text stays as it is in the file; what a model makes of it is the tokenizer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeseq.data.columns import ONCE, find_columns
from edgeseq.data.dataset import DataOptions, Dataset, Recording, assembled, given_split
from edgeseq.data.lineage import content_hash
from edgeseq.data.lines import Lines
from edgeseq.data.text_rows import TABLES, Row, check_text, open_table
from edgeseq_device.errors import DataError

TEXT = ("text", "utterance", "sentence", "query", "question", "message", "comment", "review", "tweet")
USUAL_NAMES: dict[str, tuple[str, ...]] = {"text": TEXT, **ONCE}


def read_text(path: Path, options: DataOptions, name: str) -> Dataset:
    """The texts of a file, in its order, as recordings named by their line.

    Raises DataError, naming file and line, for a missing column, a ragged or malformed line, an empty text,
    a value that is no text and what `Lines` refuses.
    """
    options.only(*(f"{role}_column" for role in USUAL_NAMES), reference=str(path))
    with path.open("rb") as file:
        lines = Lines(file, path)
        table = open_table(lines)
        columns = find_columns(table.header, USUAL_NAMES, ("text", "label"), options, path)
        recordings = [_recording(row, columns) for row in table.rows]
    return text_dataset(name, recordings, (), content_hash([(path.name, lines.sha256)]), columns)


def text_dataset(
    name: str,
    recordings: Sequence[Recording],
    out_of_scope: Sequence[Recording],
    content_sha256: str,
    columns: Mapping[str, str] | None = None,
) -> Dataset:
    """The data set of these texts, with a warning where one text has several labels."""
    return assembled(
        name,
        "text",
        recordings,
        channels=("text",),
        sample_rate_hz=None,
        content_sha256=content_sha256,
        warnings=_contradictions([*recordings, *out_of_scope]),
        out_of_scope=out_of_scope,
        columns=columns,
    )


def read_texts(path: Path, text_column: str | None = None) -> tuple[str, ...]:
    """Texts without labels: the lines of a `.txt` file, or the text column of a `.csv`, `.tsv` or `.jsonl`.

    Empty lines are left out. Raises DataError as `read_text` does, and for a file without a text.
    """
    suffix = path.suffix.lower()
    if suffix not in (".txt", *TABLES):
        raise DataError(f"{path}: no reader for this kind of file; known: .txt, {', '.join(TABLES)}")
    with path.open("rb") as file:
        lines = Lines(file, path)
        texts = _plain(lines) if suffix == ".txt" else _column(lines, text_column)
    if not texts:
        raise DataError(f"{path}: there is no text in it")
    return tuple(texts)


def _plain(lines: Lines) -> list[str]:
    texts = []
    for line in lines:
        if text := line.rstrip("\r\n"):
            check_text(text, lines.where)
            texts.append(text)
    return texts


def _column(lines: Lines, text_column: str | None) -> list[str]:
    table = open_table(lines)
    options = DataOptions(text_column=text_column)
    columns = find_columns(table.header, {"text": TEXT}, ("text",), options, lines.path)
    return [row.text(columns["text"]) for row in table.rows]


def _recording(row: Row, columns: Mapping[str, str]) -> Recording:
    return Recording(
        f"line {row.line}",
        row.text(columns["text"]),
        row.word(columns["label"]),
        row.word(columns["group"]) if "group" in columns else None,
        given_split(row.word(columns["split"]), row.where) if "split" in columns else None,
    )


def _contradictions(recordings: Sequence[Recording]) -> list[str]:
    labels: dict[str, set[str]] = {}
    for recording in recordings:
        labels.setdefault(str(recording.samples), set()).add(recording.label)
    several = [(text, sorted(found)) for text, found in labels.items() if len(found) > 1]
    if not several:
        return []
    text, found = several[0]
    return [f"{len(several)} texts are there with several labels, such as {text[:60]!r} ({', '.join(found)})"]
