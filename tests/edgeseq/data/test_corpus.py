"""Texts for a language model: what is read, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.data import DataOptions, SplitOptions, load, split
from edgeseq.data.catalogue import CATALOGUE
from edgeseq.data.stretches import corpus_text
from edgeseq_device.errors import DataError, UsageError

LM = DataOptions(task="lm")


def written(path: Path, content: bytes | str) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_a_text_is_read_as_it_is_in_composed_form(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "a.txt", b"\xef\xbb\xbf  Two\r\n\n lines e\xcc\x81\t\n"), LM)
    assert corpus_text(dataset) == "  Two\r\n\n lines \u00e9\t\n"
    assert (dataset.task, dataset.kind, dataset.labels, len(dataset.recordings)) == ("lm", "text", (), 1)


def test_the_texts_of_a_folder_follow_each_other_by_name(tmp_path: Path) -> None:
    (tmp_path / "in" / "b").mkdir(parents=True)
    (tmp_path / "in" / ".hidden").mkdir()
    for name in ("b/1.txt", "c.TXT", "a.txt", ".hidden/x.txt", "notes.md"):
        written(tmp_path / "in" / name, name[0])
    dataset = load(str(tmp_path / "in"), LM)
    assert corpus_text(dataset) == "a\nb\nc"
    assert [each.name for each in dataset.recordings] == ["a.txt", "b/1.txt", "c.TXT"]
    (tmp_path / "in").rename(tmp_path / "moved")
    assert load(str(tmp_path / "moved"), LM).content_sha256 == dataset.content_sha256


def test_the_text_column_of_a_table_is_a_corpus_too(tmp_path: Path) -> None:
    table = written(tmp_path / "a.csv", 'label,text\nx,"one\ntwo"\ny,three\n')
    assert corpus_text(load(table, LM)) == "one\ntwo\nthree"
    other = written(tmp_path / "b.jsonl", '{"words": "one"}\n{"words": "two"}\n')
    assert corpus_text(load(other, DataOptions(task="lm", text_column="words"))) == "one\ntwo"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "a.txt: there is no text in it"),
        ("a.txt", " \n", "a.txt: there is no text in it"),
        ("a.txt", "aaaa", "a.txt: a text of one character, 'a', cannot be learned from"),
        ("a.txt", b"fine\nab\xff\n", r"a.txt: line 2: byte 3 \(0xff\) is not UTF-8"),
        ("a.txt", "a\0b", "a.txt: line 1: byte 2 is a NUL"),
        ("a.pdf", "x", "a.pdf: no reader for this kind of text"),
    ],
)
def test_a_file_that_holds_no_text_is_refused(
    tmp_path: Path, name: str, content: bytes | str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(written(tmp_path / name, content), LM)


def test_a_folder_without_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the folder holds no \.txt file"):
        load(str(tmp_path), LM)


def test_options_of_other_data_are_refused(tmp_path: Path) -> None:
    text = written(tmp_path / "a.txt", "text")
    for given in ({"label_pattern": "x"}, {"split_rows": (1, 2, 3)}):
        with pytest.raises(UsageError, match="does not concern this data"):
            load(text, DataOptions(task="lm", **given))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--text-column is about a table"):
        load(text, DataOptions(task="lm", text_column="x"))
    with pytest.raises(UsageError, match="--out-of-scope-label is about classes"):
        load(text, DataOptions(task="lm", out_of_scope_label="x"))


def test_a_text_that_is_to_be_classified_is_refused_with_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="add --task lm"):
        load(written(tmp_path / "a.txt", "text"))
    with pytest.raises(UsageError, match=r"tinyshakespeare is a data set for the task lm, .* add --task lm"):
        load("tinyshakespeare")
    with pytest.raises(UsageError, match=r"etth1 is .* not lm; give --task forecast in its place"):
        load("etth1", LM)
    with pytest.raises(UsageError, match=r"gestures is .* not lm; leave --task out"):
        load("gestures", LM)


def test_tiny_shakespeare_is_the_published_one_where_it_is_here() -> None:
    from edgeseq.data.catalogue import located

    if located(CATALOGUE["tinyshakespeare"]) is None:
        pytest.skip("EDGESEQ_DATA_DIR does not hold tinyshakespeare.txt")
    dataset = load("tinyshakespeare", LM)
    splits = split(dataset)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1_003_854, 111_540, 0)


def test_a_corpus_is_split_in_its_order(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "a.txt", "xy" * 500), LM)
    usual = split(dataset)
    assert (usual.train, usual.validation, usual.test) == (range(900), range(900, 1000), range(1000, 1000))
    three = split(dataset, SplitOptions(validation_fraction=0.25, test_fraction=0.25))
    assert (three.train, three.validation, three.test) == (range(500), range(500, 750), range(750, 1000))
    assert usual.sha256 != three.sha256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SplitOptions(validation_fraction=0.5, test_fraction=0.5), "take 1 of the data; leave some"),
        (SplitOptions(validation_fraction=1.0), "is not between 0 and 1"),
        (SplitOptions(by_group=True), "--by-group concerns recordings"),
        (SplitOptions(seed=3), "--split-seed concerns recordings"),
    ],
)
def test_options_that_split_no_text_are_refused(tmp_path: Path, options: SplitOptions, message: str) -> None:
    dataset = load(written(tmp_path / "a.txt", "xy" * 500), LM)
    with pytest.raises(UsageError, match=message):
        split(dataset, options)
