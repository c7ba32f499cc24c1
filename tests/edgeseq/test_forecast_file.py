"""From a file of a series to a forecast: which moments are read, which are said, what came."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgeseq.data import DataOptions
from edgeseq.forecast_file import Forecast, forecast_file
from edgeseq_device.errors import DataError, EdgeseqError, UsageError
from edgeseq_device.forecast import Forecaster, load_forecaster

OPTIONS = DataOptions(task="forecast")
VALUES = np.random.default_rng(2).normal((10, -1), (2, 0.5), (12, 2)).round(3).astype(np.float32)


@pytest.fixture(scope="module")
def forecaster(forecaster_folder: Path) -> Forecaster:
    return load_forecaster(forecaster_folder, "tflite")


def write(path: Path, header: str = "date,load,heat", minutes: int = 60) -> Path:
    """Twelve moments from 2024-02-28 18:00 on; a header of other names may have its columns in any order."""
    times = np.datetime64("2024-02-28T18:00") + np.arange(12) * np.timedelta64(minutes, "m")
    known = {"date": [str(each).replace("T", " ") for each in times]}
    known |= {"load": VALUES[:, 0].tolist(), "heat": VALUES[:, 1].tolist(), "note": ["x"] * 12}
    lines = [",".join(str(known[name][at]) for name in header.split(",")) for at in range(12)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def found(forecaster: Forecaster, path: Path, origin: str | None = None) -> Forecast:
    return forecast_file(forecaster, path, OPTIONS, origin)


def test_the_moments_behind_the_file_are_said_and_their_times_go_on(
    forecaster: Forecaster, tmp_path: Path
) -> None:
    forecast = found(forecaster, write(tmp_path / "a.csv"))
    assert forecast.values == pytest.approx(np.tile(VALUES[6:].mean(axis=0), (4, 1)), abs=0.03)
    assert forecast.moments == [f"2024-02-29 {hour:02}:00:00" for hour in (6, 7, 8, 9)]
    assert (forecast.first, forecast.time_column, len(forecast.actual)) == (13, "date", 0)
    assert (forecast.mse, forecast.warnings) == (None, ())
    assert forecast.times is not None
    assert len(forecast.times) == 6 + 4


@pytest.mark.parametrize("origin", ["8", "-5", "2024-02-29 01:00", "2024-02-29T01:00:00Z"])
def test_an_earlier_moment_is_named_by_its_row_or_its_time_and_what_came_is_measured(
    forecaster: Forecaster, tmp_path: Path, origin: str
) -> None:
    forecast = found(forecaster, write(tmp_path / "a.csv"), origin)
    assert forecast.first == 8
    assert forecast.context.tolist() == VALUES[1:7].tolist()
    assert forecast.actual.tolist() == VALUES[7:11].tolist()
    assert forecast.moments[0] == "2024-02-29 01:00:00"
    errors = (forecast.values - VALUES[7:11]) / (2.0, 0.5)
    assert forecast.mse == pytest.approx(np.square(errors).mean())
    assert forecast.mae == pytest.approx(np.abs(errors).mean())


def test_what_came_is_measured_as_far_as_the_file_has_it(forecaster: Forecaster, tmp_path: Path) -> None:
    forecast = found(forecaster, write(tmp_path / "a.csv"), "-1")
    assert len(forecast.actual) == 1
    assert len(forecast.values) == 4
    assert forecast.mse == pytest.approx(np.square((forecast.values[0] - VALUES[-1]) / (2.0, 0.5)).mean())


def filled(forecaster: Forecaster, path: Path, without: slice, origin: str | None) -> Forecast:
    """From a file that lacks those moments of the twelve."""
    header, *lines = write(path).read_text().splitlines()
    del lines[without]
    path.write_text("\n".join([header, *lines]) + "\n")
    return forecast_file(forecaster, path, dataclasses.replace(OPTIONS, fill="previous"), origin)


def test_a_context_that_was_filled_is_counted_and_warned_about(
    forecaster: Forecaster, tmp_path: Path
) -> None:
    forecast = filled(forecaster, tmp_path / "a.csv", slice(3, 6), "8")
    assert forecast.filled is not None
    assert forecast.filled.all(axis=1).tolist() == [False, False, True, True, True, False, *[False] * 4]
    assert "the context of this forecast has 6 filled cells of 12" in forecast.warnings[-1]
    assert (forecast.counted, forecast.first) == ("moment", 8)
    with pytest.raises(UsageError, match="the file has the moments 1 to 12, filled ones counted; -12"):
        filled(forecaster, tmp_path / "a.csv", slice(3, 6), "14")
    with pytest.raises(UsageError, match="the first one that it can say is moment 7"):
        filled(forecaster, tmp_path / "a.csv", slice(3, 6), "6")


def test_where_all_that_came_was_filled_nothing_is_compared_and_it_is_said(
    forecaster: Forecaster, tmp_path: Path
) -> None:
    forecast = filled(forecaster, tmp_path / "a.csv", slice(6, 11), "8")
    assert (len(forecast.actual), forecast.mse) == (4, None)
    assert "all 8 cells that the file could be compared by were filled" in forecast.warnings[-1]
    assert forecast.channel_mae(forecast.actual) == [None, None]


def test_columns_stand_in_any_order_and_others_are_left_out(forecaster: Forecaster, tmp_path: Path) -> None:
    usual = found(forecaster, write(tmp_path / "a.csv"))
    other = found(forecaster, write(tmp_path / "b.csv", "heat,note,date,load"))
    assert other.values.tolist() == usual.values.tolist()
    assert other.moments == usual.moments


def test_without_times_moments_are_rows(forecaster: Forecaster, tmp_path: Path) -> None:
    forecast = found(forecaster, write(tmp_path / "a.csv", "load,heat"))
    assert forecast.moments == ["13", "14", "15", "16"]
    assert forecast.times is None
    assert "no column says the time" in forecast.warnings[0]


def test_a_time_column_that_training_left_out_is_left_out_here(
    forecaster: Forecaster, tmp_path: Path
) -> None:
    options = dataclasses.replace(OPTIONS, drop_columns=("date", "gone"))
    assert forecast_file(forecaster, write(tmp_path / "a.csv"), options, None).times is None


def test_moments_that_are_further_apart_than_in_training_are_warned_about(
    forecaster: Forecaster, tmp_path: Path
) -> None:
    warnings = found(forecaster, write(tmp_path / "a.csv", minutes=30)).warnings
    apart = "its moments are 1800 s apart, those that the model was trained on 3600 s"
    assert warnings == (f"a.csv: {apart}; the forecast is likely wrong",)


@pytest.mark.parametrize(
    ("origin", "cause"),
    [
        ("6", "5 moments come before that one, the model needs 6; the first one that it can say is row 7"),
        ("0", "the file has the rows 1 to 12"),
        ("14", "the file has the rows 1 to 12"),
        ("-13", "-12 counts from its end"),
        ("2024-02-29 01:20", "no such moment; the nearest is 2024-02-29 01:00:00"),
        ("2023-12-31", "no such moment; its first is 2024-02-28 18:00:00, its last 2024-02-29 05:00:00"),
        (
            "2024-02-29 05:30",
            "no such moment; its first is 2024-02-28 18:00:00, its last 2024-02-29 05:00:00",
        ),
        ("noon", 'neither a row nor a time; write it as "2024-02-29 06:00:00"'),
    ],
)
def test_an_origin_that_cannot_be_is_refused(
    forecaster: Forecaster, tmp_path: Path, origin: str, cause: str
) -> None:
    with pytest.raises(UsageError, match=cause):
        found(forecaster, write(tmp_path / "a.csv"), origin)


@pytest.mark.parametrize(
    ("name", "content", "error", "cause"),
    [
        ("a.csv", None, UsageError, "a.csv: no such file"),
        ("a.npz", "", UsageError, "a forecaster takes a .csv or .tsv file"),
        ("a.csv", "", DataError, "channels of the model are missing: load, heat"),
        ("a.csv", "date,heat\n", DataError, "line 1: channels of the model are missing: load; give a file"),
        ("a.csv", "load,heat\n1,2\n", DataError, "holds 1 moments, the model needs 6"),
        ("a.csv", "load,heat\n1,2\n3,\n5,6\n", DataError, 'line 3, column "heat": the cell is empty'),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    forecaster: Forecaster,
    tmp_path: Path,
    name: str,
    content: str | None,
    error: type[EdgeseqError],
    cause: str,
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=cause):
        found(forecaster, tmp_path / name)
