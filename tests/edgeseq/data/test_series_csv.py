"""Series in CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq.data import DataOptions, load
from edgeseq_device.errors import DataError

LINES = [
    "recording,label,time,ax,ay",
    "r1,walk,0.0,1,2",
    "r2,run,0.0,5,6",
    "r1,walk,0.1,3,4",
    "",
    "r2,run,0.1,7,8",
    "r2,run,0.2,9,-1e1",
]


def written(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def test_lines_are_gathered_by_recording_in_their_order(tmp_path: Path) -> None:
    dataset = load(str(written(tmp_path / "a.csv", LINES)), DataOptions(sample_rate_hz=10))
    assert (dataset.kind, dataset.labels, dataset.channels) == ("series", ("run", "walk"), ("ax", "ay"))
    assert dataset.sample_rate_hz == 10
    assert [(r.name, r.label, r.samples.tolist()) for r in dataset.recordings] == [
        ("r1", "walk", [[1, 2], [3, 4]]),
        ("r2", "run", [[5, 6], [7, 8], [9, -10]]),
    ]


@pytest.mark.parametrize("header", ["Series_ID,Class,t,ax,ay", "id,activity,Timestamp,ax,ay"])
def test_columns_are_known_by_their_usual_names(tmp_path: Path, header: str) -> None:
    dataset = load(str(written(tmp_path / "a.csv", [header, *LINES[1:]], "utf-8-sig")))
    assert dataset.channels == ("ax", "ay")
    assert dataset.labels == ("run", "walk")


def test_columns_can_be_named(tmp_path: Path) -> None:
    lines = ["n,kind,who,side,label", "1,a,p,train,5", "2,b,p,train,6", "3,a,q,test,7", "4,b,q,test,8"]
    options = DataOptions(recording_column="n", label_column="kind", group_column="who", split_column="side")
    dataset = load(str(written(tmp_path / "a.csv", lines)), options)
    assert (dataset.labels, dataset.channels) == (("a", "b"), ("label",))
    assert [(r.group, r.split) for r in dataset.recordings] == [("p", "train")] * 2 + [("q", "test")] * 2


def test_times_may_be_dates(tmp_path: Path) -> None:
    lines = ["id,label,time,x", "1,a,2024-05-01T10:00:00,1", "1,a,2024-05-01T10:00:01,2", "2,b,2024-05-01,1"]
    assert len(load(str(written(tmp_path / "a.csv", lines))).recordings) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("r1,walk,0.3,1", "line 8: 4 fields where the header has 5"),
        ("r1,walk,0.3,1,2,3", "line 8: 6 fields where the header has 5"),
        ("r1,walk,0.3,1,x", 'line 8, column "ay": "x" is not a number'),
        ("r1,walk,0.3,1,", 'line 8, column "ay": the cell is empty; fill it or leave the line out'),
        ("r1,walk,0.3,nan,1", 'line 8, column "ax": nan is NaN, infinity or too large'),
        ("r1,walk,0.3,1,-inf", "-inf is NaN, infinity or too large"),
        ("r1,walk,0.3,1,1e39", "1e39 is NaN, infinity or too large"),
        ("r1,walk,0.1,1,2", "the time 0.1 of recording r1 does not come after"),
        ("r1,walk,soon,1,2", 'column "time": "soon" is not a number'),
        ("r1,run,0.3,1,2", 'recording r1 has the label "run" here, "walk" on line 2'),
        ("r3,,0.3,1,2", "r3: the label is empty; give it one or leave it out"),
    ],
)
def test_a_faulty_line_is_refused_by_number(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"a\.csv: {reason}" if reason.startswith("line") else reason):
        load(str(written(tmp_path / "a.csv", [*LINES, line])))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "the file is empty"),
        (["id,x", "1,2"], "no column says which label .* --label-column"),
        (["x,label", "1,a"], "no column says which recording .* --recording-column"),
        (["id,label", "1,a"], "leaves no column as a channel"),
        (["id,label,x,x", "1,a,2,3"], "one name, of its own, for each column"),
        (["id,label,x", *LINES[:0]], "there is no recording in it"),
        (["id,label,split,x", "1,a,exam,2"], 'line 2: the split "exam"'),
        (["id,label,x", '1,"a,2'], "line 2: a double quote that opens in this row is never closed"),
    ],
)
def test_a_faulty_file_is_refused(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=rf"a\.csv.*{reason}"):
        load(str(written(tmp_path / "a.csv", lines)))


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='line 1: unknown --label-column "labels"; did you mean "label"'):
        load(str(written(tmp_path / "a.csv", LINES)), DataOptions(label_column="labels"))


@pytest.mark.parametrize(("mark", "name"), [(";", "a semicolon"), ("\t", "a tab")])
def test_another_separator_is_named(tmp_path: Path, mark: str, name: str) -> None:
    lines = [line.replace(",", mark) for line in LINES]
    with pytest.raises(DataError, match=f"line 1: its separator looks like {name}; save it with a comma"):
        load(str(written(tmp_path / "a.csv", lines)))


def test_a_renamed_file_is_the_same_data(tmp_path: Path) -> None:
    one, other = (load(str(written(tmp_path / name, LINES))) for name in ("a.csv", "moved.csv"))
    assert one.content_sha256 == other.content_sha256


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv: line 2: byte 1 \(0xe9\) is not UTF-8"):
        load(str(written(tmp_path / "a.csv", [LINES[0], "é,walk,0,1,2"], "latin-1")))
