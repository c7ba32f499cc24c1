"""What `edgeseq run` is given, as raw inputs of a model's kind."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from edgeseq.data import DataOptions
from edgeseq.inputs import Input, read_inputs
from edgeseq_device.errors import DataError


def never_asked() -> DataOptions:
    raise AssertionError("how the training data was read does not matter here")


def read(word: str | Path, kind: str, stdin: bytes = b"") -> list[Input]:
    return read_inputs([str(word)], kind, 2, never_asked, io.BytesIO(stdin))


def written(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def test_a_table_of_the_channels_is_one_recording_with_every_moment(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "\ufeffax,ay\r\n1,2\r\n3,-4e1\r\n")
    (only,) = read(path, "series")
    assert only.raw.tolist() == [[1, 2], [3, -40]]
    assert (only.name, only.sample_rate_hz) == (str(path), None)


@pytest.mark.parametrize("first", ["1,2", "1e-3,-4", "nan,0.5"])
def test_a_table_without_a_header_is_refused_and_loses_no_moment(tmp_path: Path, first: str) -> None:
    path = written(tmp_path / "a.csv", f"{first}\n3,4\n5,6\n")
    with pytest.raises(DataError, match=rf"a\.csv: line 1 is no header, it holds numbers \({first[0]}"):
        read(path, "series")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("x,y\n", "there is no line under its header"),
        ("x,y\n1,2\n3\n", "line 3: 1 fields where the header has 2"),
        ("x,y\n1,2\n\n3,\n", 'line 4, column "y": the cell is empty'),
        ("x,y\n1,inf\n", 'line 2, column "y": inf is NaN, infinity or too large'),
        ("x,x\n1,2\n", 'the column "x" is there twice'),
    ],
)
def test_a_faulty_table_is_refused_by_line(tmp_path: Path, content: str, cause: str) -> None:
    with pytest.raises(DataError, match=rf"a\.csv: .*{cause}"):
        read(written(tmp_path / "a.csv", content), "series")


def test_lines_of_texts_are_those_that_training_reads_from_a_file() -> None:
    """Without their ends, with the spaces around them; a byte order mark is no part of a text."""
    found = read("-", "text", b"\xef\xbb\xbfturn it up \r\n down\nlast")
    assert [(each.name, each.raw) for each in found] == [
        (text, text) for text in ("turn it up ", " down", "last")
    ]


def test_a_word_is_a_text_as_it_is() -> None:
    assert [each.raw for each in read("turn it up", "text")] == ["turn it up"]
