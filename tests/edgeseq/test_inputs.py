"""What `edgeseq run` is given, as raw inputs of a model's kind."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from edgeseq.data import DataOptions
from edgeseq.inputs import Input, check_files, read_inputs
from edgeseq_device.errors import DataError, UsageError


def never_asked() -> DataOptions:
    raise AssertionError("how the training data was read does not matter here")


def read(word: str | Path, kind: str, stdin: bytes = b"") -> list[Input]:
    found, warnings = read_inputs([str(word)], kind, 2, never_asked, io.BytesIO(stdin))
    assert not warnings
    return found


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


@pytest.mark.parametrize(
    ("stdin", "warning"),
    [
        (b"up\n\ndown\n", "stdin: 1 blank line was left out"),
        (b"\n \t\nup\r\n\r\n", "stdin: 3 blank lines were left out"),
    ],
)
def test_blank_lines_are_left_out_and_counted(stdin: bytes, warning: str) -> None:
    found, warnings = read_inputs(["-"], "text", 1, never_asked, io.BytesIO(stdin))
    assert [each.raw for each in found] == [text for text in ("up", "down") if text.encode() in stdin]
    assert warnings == [warning]


@pytest.mark.parametrize("stdin", [b"", b"\n\n"])
def test_stdin_without_a_text_is_refused(stdin: bytes) -> None:
    with pytest.raises(DataError, match="stdin: there is no text in it"):
        read("-", "text", stdin)


def test_an_argument_that_is_not_utf_8_is_refused_as_what_it_is() -> None:
    with pytest.raises(DataError, match=r'"bad\\xff": character 4 of this INPUT is not UTF-8'):
        read(os.fsdecode(b"bad\xff"), "text")


def test_a_text_that_is_a_file_s_name_is_warned_about(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "text\nup\n")
    (only,), (warning,) = read_inputs([str(path)], "text", 1, never_asked, io.BytesIO())
    assert only.raw == str(path)
    assert warning == f'"{path}" is a file; its name was taken for a text, and it was not read'


def test_a_word_longer_than_a_file_s_name_is_no_file() -> None:
    with pytest.raises(UsageError, match="no such file; this model takes WAV files"):
        read("a" * 300, "audio")


@pytest.mark.parametrize(
    ("header", "names", "advice"),
    [
        (
            "time,ax,ay",
            ("ax", "ay"),
            "takes 2 channels: ax, ay; this file has 3 columns: .*; leave out: time$",
        ),
        ("ax", ("ax", "ay"), "takes 2 channels: ax, ay; this file has 1 column: ax; missing: ay$"),
        ("t,x,y", (), "takes 2 channels, as in .*; this file has 3 columns: t, x, y; leave out: t$"),
        (
            "x,y,z",
            (),
            "takes 2 channels, as in .*; this file has 3 columns: x, y, z; give one .*, and no other$",
        ),
    ],
)
def test_a_table_of_other_columns_is_told_the_channels(
    tmp_path: Path, header: str, names: tuple[str, ...], advice: str
) -> None:
    path = written(tmp_path / "a.csv", f"{header}\n1,2,3\n")
    with pytest.raises(DataError, match=rf"a\.csv: line 1: the model {advice}"):
        read_inputs([str(path)], "series", 2, DataOptions, io.BytesIO(), lambda: names)


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_no_refusal_names_an_option_that_run_does_not_have(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, "id,a,b,c\n1,2,3,4\n")
    for options in (DataOptions(), DataOptions(recording_column="id", label_column="what")):
        with pytest.raises(DataError) as refused:
            read_inputs([str(path)], "series", 2, lambda given=options: given, io.BytesIO())
        assert "--" not in str(refused.value)


@pytest.mark.parametrize(
    ("word", "newest", "cause"),
    [
        (
            "nowhere",
            Path("artifacts/x"),
            "nowhere: no artifact and no file there; the newest artifact, artif",
        ),
        (
            "a.wav",
            Path("artifacts/x"),
            "a.wav: no such file; the newest artifact, artifacts/x, would take WAV",
        ),
        ("plain", Path("artifacts/x"), "plain: a folder without manifest.json is no artifact; the newest"),
        ("nowhere", None, "nowhere: no such file; this model takes WAV files"),
    ],
)
def test_a_word_that_is_no_file_is_told_as_what_it_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, newest: Path | None, cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain").mkdir()
    with pytest.raises(UsageError, match=f"^{cause}"):
        check_files([word], "audio", newest)
