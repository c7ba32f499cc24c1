"""Texts in .csv, .tsv and .jsonl files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseq.data import DataOptions, load
from edgeseq.data.text import read_texts
from edgeseq.data.text_rows import LONGEST_TEXT
from edgeseq_device.errors import DataError, UsageError

ROWS = [
    ("turn it up", "louder"),
    ("plus fort, s\u2019il te pla\u00eet", "louder"),
    ("  LEISER \U0001f92b ", "softer"),
    ('say "hush"', "softer"),
]


def written(path: Path, *lines: str) -> str:
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return str(path)


def in_format(path: Path) -> str:
    """`ROWS` as the file's ending asks for."""
    if path.suffix == ".jsonl":
        return written(path, *(json.dumps({"text": text, "label": label}) for text, label in ROWS))
    if path.suffix == ".tsv":
        return written(path, "text\tlabel", *("\t".join(row) for row in ROWS))
    return written(
        path, "text,label", *('"{}",{}'.format(text.replace('"', '""'), label) for text, label in ROWS)
    )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_each_format_gives_the_same_texts_as_they_are(tmp_path: Path, name: str) -> None:
    dataset = load(in_format(tmp_path / name))
    assert (dataset.kind, dataset.labels, dataset.channels) == ("text", ("louder", "softer"), ("text",))
    assert [(each.samples, each.label) for each in dataset.recordings] == ROWS
    first = 1 if name == "a.jsonl" else 2
    assert [each.name for each in dataset.recordings] == [f"line {first + i}" for i in range(4)]
    assert (dataset.sample_rate_hz, dataset.warnings, dataset.out_of_scope) == (None, (), ())


def test_a_renamed_file_is_the_same_data_and_another_byte_is_not(tmp_path: Path) -> None:
    one, other = (load(in_format(tmp_path / name)).content_sha256 for name in ("a.csv", "moved.csv"))
    assert one == other
    assert load(written(tmp_path / "b.csv", "text,label", "a,b")).content_sha256 != one


def test_groups_and_splits_are_taken_and_other_columns_left_alone(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv",
        ",Sentence,Intent,speaker,split,note",
        "0,hi,greet,anna,Train,",
        "1,bye,part,bert,dev,x",
    )
    first, second = load(path).recordings
    assert (first.samples, first.label, first.group, first.split) == ("hi", "greet", "anna", "train")
    assert (second.samples, second.label, second.group, second.split) == ("bye", "part", "bert", "validation")


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tsv", "text\tsaid\tkind\twho", "x\thi\tgreet\tanna")
    options = DataOptions(text_column="said", label_column="kind", group_column="who")
    recording = load(path, options).recordings[0]
    assert (recording.samples, recording.label, recording.group) == ("hi", "greet", "anna")


def test_labels_of_jsonl_may_be_whole_numbers(tmp_path: Path) -> None:
    assert load(written(tmp_path / "a.jsonl", '{"text": "a", "label": 7}')).labels == ("7",)


def test_a_quoted_text_may_hold_line_ends_and_is_named_by_its_first(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "text,label\r", '"one\r\ntwo",a\r', "three,b\r", "\r", "four,b\r")
    dataset = load(path)
    assert [each.samples for each in dataset.recordings] == ["one\r\ntwo", "three", "four"]
    assert [each.name for each in dataset.recordings] == ["line 2", "line 4", "line 6"]


def test_tabs_alone_separate_a_tsv(tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "a.tsv", "text\tlabel", 'the 5" screen, please\tbuy', '"quoted"\tsay'))
    assert [each.samples for each in dataset.recordings] == ['the 5" screen, please', '"quoted"']


@pytest.mark.parametrize(
    ("name", "lines", "reason"),
    [
        ("a.csv", ["text,label", "a,b", ",b"], 'line 3, column "text": the text is empty'),
        ("a.csv", ["text,label", "a,b", '" \t",b'], 'line 3, column "text": the text is empty'),
        (
            "a.csv",
            ["text,label", "a, "],
            'line 2, column "label": the cell is empty; fill it or leave the line out',
        ),
        (
            "a.csv",
            ["text,label", 'a,"b\nc"'],
            "line 2, column \"label\": 'b.nc' is not plain text on one line",
        ),
        ("a.csv", ["text,label", "a,b,c"], "line 2: 3 fields where the header has 2; put a text with commas"),
        ("a.csv", ["text,label", "a"], "line 2: 1 fields where the header has 2$"),
        (
            "a.csv",
            ["text,label", "a,b", '"c,d', "e,f"],
            "line 3: a double quote that opens in this row is never closed; close it",
        ),
        (
            "a.csv",
            ["text,label", 'a,b"', '"c,d', 'e "f",g'],
            "line 3: .* opens .* closes lines below, within",
        ),
        ("a.csv", ["text,label", '"c,d', *["e,f"] * 40_000], "line 2: .* closes lines below, .* left open"),
        ("a.csv", ["text,label", '"a" b,c'], "line 2: a cell goes on behind its closing double quote; write"),
        ("a.csv", ["text,label", "a\rb,c"], r"line 2: a line end \(CR\) within the line; save the file with"),
        (
            "a.csv",
            ["text,label", "a" * 140_000 + ",b"],
            "line 2: a text of more than 131072 characters; at most so many are read, cut it",
        ),
        ("a.csv", ["text,label,split", "a,b,exam"], 'line 2: the split "exam" is none of'),
        ("a.csv", ["text,label,text", "a,b,c"], 'line 1: the column "text" is there twice'),
        ("a.csv", ["text,label"], "there is no recording in it"),
        (
            "a.csv",
            ["text;label", "a;b"],
            "its separator looks like a semicolon; save it with a comma between",
        ),
        (
            "a.csv",
            ["text,lable", "a,b"],
            'no column says which label .* did you mean "lable"; name it with --label-column',
        ),
        ("a.csv", ["text,kind", "a,b"], "the header has text, kind.; name it with --label-column$"),
        ("a.tsv", ["txet\tlabel", "a\tb"], 'line 1: no column says which text .* did you mean "txet"'),
        ("a.tsv", ["x\tlabel", "a\tb"], "the header has x, label.; name it with --text-column"),
        (
            "a.tsv",
            ["text,label", "a,b"],
            "its separator looks like a comma; save it with a tab between cells",
        ),
        ("a.tsv", [], "the file is empty"),
        ("a.tsv", ["text\tlabel", "a\tb\tc"], "line 2: 3 fields where the header has 2"),
        ("a.jsonl", [], "the file is empty; each line must be a JSON object"),
        (
            "a.jsonl",
            ['{"text": "a", "label": "b"}', '{"text": "a"'],
            "line 2: no JSON: Expecting ',' delimiter",
        ),
        ("a.jsonl", ['["a", "b"]'], "line 1: each line must be a JSON object"),
        ("a.jsonl", ["[" * 100_000], "line 1: no JSON that can be read"),
        ("a.jsonl", ['{"label": ' + "1" * 5000 + "}"], "line 1: no JSON that can be read"),
        ("a.jsonl", ['{"text": 5, "label": "b"}'], 'line 1: "text" is 5, not a text in quotes'),
        ("a.jsonl", ['{"text": null, "label": "b"}'], 'line 1: "text" is null, not a text'),
        ("a.jsonl", ['{"text": "a", "label": ["b"]}'], 'line 1: "label" is \\["b"\\], not a text'),
        ("a.jsonl", ['{"text": "a", "label": true}'], 'line 1: "label" is true, not a text'),
        (
            "a.jsonl",
            ['{"text": "a", "label": "b"}', '{"text": "a", "labl": "b"}'],
            'line 2: there is no "label" in it, but text, labl',
        ),
        ("a.jsonl", ['{"text": "a", "text": "b", "label": "c"}'], 'line 1: the key "text" is there twice'),
        (
            "a.jsonl",
            ['{"text": "a\\ud800", "label": "b"}'],
            r"line 1, column \"text\": U\+D800 is no character",
        ),
        (
            "a.jsonl",
            ['{"text": "a\\u0000", "label": "b"}'],
            r"line 1, column \"text\": U\+0000 is no character",
        ),
        (
            "a.jsonl",
            [json.dumps({"text": "a" * (LONGEST_TEXT + 1), "label": "b"})],
            "a text of 131073 characters",
        ),
    ],
)
def test_a_faulty_file_is_refused_by_line(tmp_path: Path, name: str, lines: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=rf"(?s)a\..*{reason}") as refusal:
        load(written(tmp_path / name, *lines))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_bytes_that_are_no_text_are_refused_by_line(tmp_path: Path, name: str) -> None:
    path = Path(in_format(tmp_path / name))
    path.write_bytes(path.read_bytes() + b"\nh\xe9,b\n")
    number = path.read_bytes().count(b"\n")
    with pytest.raises(DataError, match=rf"line {number}: byte 2 \(0xe9\) is not UTF-8"):
        load(str(path))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt"])
def test_a_line_of_10_megabytes_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    in_format(path)
    with path.open("ab") as file:
        file.write(b"\n" + b"a" * 10_000_000)
    number = path.read_bytes().count(b"\n") + 1
    with pytest.raises(DataError, match=f"line {number}: the line is longer than 1048576 bytes"):
        read_texts(path)


def test_a_column_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='line 1: unknown --text-column "txt"; did you mean "text"'):
        load(in_format(tmp_path / "a.csv"), DataOptions(text_column="txt"))


def test_options_of_other_kinds_of_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--label-pattern does not concern this data"):
        load(in_format(tmp_path / "a.tsv"), DataOptions(label_pattern="x"))


def test_one_text_with_several_labels_is_a_warning_with_the_count(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", "text,label", "up,a", "up,b", "up,a", "down,b", "down,c", "left,a", "left,a"
    )
    assert load(path).warnings == ("2 texts are there with several labels, such as 'up' (a, b)",)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_texts_without_labels_are_read_by_column(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    in_format(path)
    assert read_texts(path) == tuple(text for text, _ in ROWS)
    assert read_texts(path, "label") == tuple(label for _, label in ROWS)


def test_texts_without_labels_may_be_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone, two\r\n\r\n three \n")
    assert read_texts(path) == ("one, two", " three ")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"\n\n", r"a\.txt: there is no text in it"),
        ("a.txt", b"one\n  \n", r"a\.txt: line 2: the text is empty"),
        ("a.txt", b"one\n\xff\n", r"a\.txt: line 2: byte 1"),
        ("a.csv", b"words\nhi\n", "no column says which text"),
        ("a.json", b"{}", r"no reader for this kind of file; known: \.txt, \.csv, \.tsv, \.jsonl"),
    ],
)
def test_texts_without_labels_are_refused_alike(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_texts(tmp_path / name)
