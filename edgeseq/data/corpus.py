"""The texts that a language model learns: a `.txt` file, a folder of them, or a table with a column of texts.

A text is read in Unicode's composed form, as every tokenizer brings it to; its lines end as in the file.
"""

from __future__ import annotations

from pathlib import Path

from edgeseq.data.dataset import DataOptions, Dataset, Recording
from edgeseq.data.lineage import Digest, content_hash, sha256_of
from edgeseq.data.lines import BOM, decoded
from edgeseq.data.text import read_texts
from edgeseq.data.text_rows import TABLES
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.normalisation import normalised

LARGEST_BYTES = 1 << 30  # of a file of text: all of it is held in memory, several times over


def read_corpus(path: Path, options: DataOptions, name: str) -> Dataset:
    """The documents at a path, in the order of their names, or of the rows of a table.

    Raises DataError for a file that is empty or not UTF-8, a folder without a `.txt` file and another kind of
    file, UsageError for options that do not concern texts.
    """
    options.only("text_column", reference=str(path))
    if options.out_of_scope_label is not None:
        raise UsageError(f"{path}: --out-of-scope-label is about classes; a language model has none")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".txt":
        if options.text_column is not None:
            raise UsageError(f"{path}: --text-column is about a table; it is left out for .txt files")
        documents, digests = _documents(path)
    elif suffix in TABLES:
        texts = read_texts(path, options.text_column)
        documents = [Recording(f"text {number}", text, "") for number, text in enumerate(texts, 1)]
        digests = [(path.name, sha256_of(path.read_bytes()))]
    else:
        known = ", ".join((".txt", *TABLES))
        raise DataError(f"{path}: no reader for this kind of text; known: a folder of .txt, {known}")
    composed = tuple(Recording(each.name, normalised(str(each.samples), False), "") for each in documents)
    first = str(composed[0].samples)[0]
    if all(str(each.samples).strip(first) == "" for each in composed):
        raise DataError(f"{path}: a text of one character, {first!r}, cannot be learned from; give another")
    return Dataset(name, "text", composed, (), ("text",), None, content_hash(digests), task="lm")


def _documents(path: Path) -> tuple[list[Recording], list[Digest]]:
    """What is in a `.txt` file, or in all of a folder and of those in it; hidden ones are left out."""
    files = [path] if path.is_file() else _text_files(path)
    if not files:
        raise DataError(f"{path}: the folder holds no .txt file; name a folder of texts, or one file")
    documents, digests = [], []
    for file in files:
        name = file.name if file == path else file.relative_to(path).as_posix()
        size = file.stat().st_size
        if size > LARGEST_BYTES:
            raise DataError(f"{file}: {size:,} bytes of text; at most {LARGEST_BYTES:,} are read, cut it")
        content = file.read_bytes()
        text = decoded(content.removeprefix(BOM), file)
        if not text.strip():
            raise DataError(f"{file}: there is no text in it; fill the file or leave it out")
        documents.append(Recording(name, text, ""))
        digests.append((name, sha256_of(content)))
    return documents, digests


def _text_files(folder: Path) -> list[Path]:
    inside = (file for file in folder.rglob("*") if file.is_file() and file.suffix.lower() == ".txt")
    visible = [
        file for file in inside if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]
    return sorted(visible, key=lambda file: file.relative_to(folder).as_posix())
