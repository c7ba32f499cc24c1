"""Series to forecast, in CSV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseq.data import DataOptions, Dataset
from edgeseq.data.timeline import read_timeline
from edgeseq_device.errors import DataError, UsageError

LINES = [
    "date,load,oil",
    "2016-07-01 00:00:00,1,5",
    "2016-07-01 01:00:00,2,6.5",
    "2016-07-01 02:00:00,-3e1,7",
]


def read(folder: Path, lines: list[str], name: str = "a.csv", **options: object) -> Dataset:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return read_timeline(path, DataOptions(task="forecast", **options), name)  # type: ignore[arg-type]


def test_every_column_but_the_time_is_a_channel_and_the_file_is_one_recording(tmp_path: Path) -> None:
    dataset = read(tmp_path, LINES)
    assert (dataset.task, dataset.kind, dataset.labels) == ("forecast", "series", ())
    assert (dataset.channels, dataset.columns) == (("load", "oil"), {"time": "date"})
    (recording,) = dataset.recordings
    assert isinstance(recording.samples, np.ndarray)
    assert recording.samples.dtype == np.float32
    assert recording.samples.tolist() == [[1, 5], [2, 6.5], [-30, 7]]
    assert dataset.interval_s == 3600
    assert dataset.times is not None
    assert str(dataset.times[-1]) == "2016-07-01T02:00:00.000000"
    assert dataset.warnings == ()


@pytest.mark.parametrize(
    ("header", "times", "interval_s"),
    [
        ("Timestamp", ["2016-07-01T00:00", "2016-07-01T00:15", "2016-07-01T00:30"], 900),
        ("time", ["1467331200", "1467331201.5", "1467331203"], 1.5),
        ("time_ms", ["1467331200000", "1467331200020", "1467331200040"], 0.02),
        ("time_ms", ["0", "20", "40"], 0.02),
        ("date", ["20160630", "20160701", "20160702"], 86400),
        ("ds", ["2016-07-01", "2016-07-02", "2016-07-03"], 86400),
        ("t", ["2016-07-01T00:00:00Z", "2016-07-01T02:00:00+01:00", "2016-07-01T02:00:00+00:00"], 3600),
        ("t", ["0.0", "0.0333", "0.0667"], 0.0333),
    ],
)
def test_times_are_iso_8601_or_seconds_or_milliseconds(
    tmp_path: Path, header: str, times: list[str], interval_s: float
) -> None:
    dataset = read(tmp_path, [f"{header},x", *(f"{time},{n}" for n, time in enumerate(times))])
    assert dataset.interval_s == interval_s
    assert dataset.times is not None


def test_a_table_without_times_is_taken_row_by_row_with_a_warning(tmp_path: Path) -> None:
    dataset = read(tmp_path, ["load", "1", "2", "4"])
    assert (dataset.channels, dataset.times, dataset.interval_s) == (("load",), None, None)
    assert "lines count as evenly spaced" in dataset.warnings[0]
    assert "--time-column" in dataset.warnings[0]


def test_a_column_can_be_left_out_even_that_of_the_time(tmp_path: Path) -> None:
    assert read(tmp_path, LINES, drop_columns=("oil",)).channels == ("load",)
    assert read(tmp_path, LINES, drop_columns=("date",)).times is None
    assert (
        read(tmp_path, [line.replace("date", "when") for line in LINES], time_column="when").times is not None
    )


def test_tabs_and_a_folder_with_one_file_are_read(tmp_path: Path) -> None:
    read(tmp_path, [line.replace(",", "\t") for line in LINES], "a.tsv")
    assert read_timeline(tmp_path, DataOptions(task="forecast"), "folder").channels == ("load", "oil")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "2016-07-01 03:00:00,north,1",
            ['line 5, column "load": "north" is not a number; mend the cell, or', "--drop-column load"],
        ),
        (
            "2016-07-01 03:00:00,inf,1",
            ['line 5, column "load": inf is infinity', "mend the cell, or leave", "--drop-column load"],
        ),
        ("2016-07-01 03:00:00,1e99,1", ["1e99 is infinity or too large"]),
        (
            "2016-07-01 03:00:00,1",
            ["line 5: 2 fields where the header has 3; give it one cell for each column"],
        ),
        ("soon,1,2", ['line 5, column "date": "soon" is no time', "ISO 8601"]),
    ],
)
def test_a_cell_that_is_no_number_and_no_time_is_refused_with_its_place(
    tmp_path: Path, line: str, words: list[str]
) -> None:
    with pytest.raises(DataError) as refusal:
        read(tmp_path, [*LINES, line], fill="linear")
    for word in words:
        assert word in str(refusal.value)


def test_text_where_no_column_is_known_as_the_time_advises_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--drop-column Datum, or, where it says the time, name it with"):
        read(tmp_path, ["Datum,load,oil", *LINES[1:]])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "the file is empty"),
        (["date,x"], "no line under its header; write one for each moment"),
        (["date"], "leaves no column as a channel; give it a column of readings"),
        (["date;x"], "looks like a semicolon; .* a comma between cells and a point for decimals"),
        (["date\tx"], "looks like a tab; .* or, where it is no series to classify, call it a.tsv"),
        (["1,2.5", "2,3"], "line 1 holds numbers or times, no names; put a header above it"),
        (["2016-07-01 00:00:00,1", "2016-07-01 01:00:00,2"], "line 1 holds numbers or times"),
        (["1,1", "2,3"], "line 1 holds numbers or times"),
        (["date,x,x"], "there twice"),
        (["date,,x"], "a column has no name"),
    ],
)
def test_a_file_that_is_no_series_is_refused(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read(tmp_path, lines)


def test_all_columns_left_out_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leaves no column as a channel; leave fewer out with --drop-column"):
        read(tmp_path, LINES, drop_columns=("load", "oil"))


def test_names_that_the_header_lacks_are_refused_naming_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='did you mean "load"'):
        read(tmp_path, LINES, drop_columns=("lode",))
    with pytest.raises(DataError, match='did you mean "date"'):
        read(tmp_path, LINES, time_column="dat")


def test_options_and_files_of_other_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--label-column does not concern"):
        read(tmp_path, LINES, label_column="oil")
    with pytest.raises(UsageError, match="--out-of-scope-label"):
        read(tmp_path, LINES, out_of_scope_label="x")
    with pytest.raises(DataError, match=r"a \.csv or \.tsv file"):
        read_timeline(tmp_path / "a.npz", DataOptions(task="forecast"), "a")
    read(tmp_path, LINES)
    read(tmp_path, LINES, "b.csv")
    with pytest.raises(DataError, match="the folder holds several"):
        read_timeline(tmp_path, DataOptions(task="forecast"), "folder")
