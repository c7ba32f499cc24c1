"""Times as the cells of a column say them."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseq.data.times import TimeCells, time_text


def read(name: str, *cells: str) -> list[int | None]:
    column = TimeCells(name)
    return [column.microseconds(cell) for cell in cells]


@pytest.mark.parametrize(
    ("name", "cells", "expected_us"),
    [
        ("time_ms", ["0", "20", "40"], [0, 20_000, 40_000]),
        ("Time_MS", ["99999999999", "100000000000"], [99_999_999_999_000, 100_000_000_000_000]),
        ("time_s", ["0", "1.5"], [0, 1_500_000]),
        ("seconds", ["2"], [2_000_000]),
        ("t", ["99999999999", "100000000000"], [99_999_999_999_000_000, None]),
        ("timestamp", ["100000000000", "7"], [100_000_000_000_000, 7_000]),
    ],
)
def test_the_unit_of_numbers_is_one_for_the_column(
    name: str, cells: list[str], expected_us: list[int | None]
) -> None:
    assert read(name, *cells) == expected_us


@pytest.mark.parametrize("name", ["date", "DateTime", "ds"])
def test_eight_digits_of_a_date_are_year_month_and_day(name: str) -> None:
    day = 86_400_000_000
    assert read(name, "19700101", "1970-01-02", "19700103") == [0, day, 2 * day]
    assert read(name, "1467331200", "19701332", "2016", "0.5") == [None] * 4
    assert "20160701, or call a column of numbers time_s or time_ms" in TimeCells(name).advice


def test_advice_names_the_unit_that_the_column_has() -> None:
    assert "in milliseconds since 1970" in TimeCells("time_ms").advice
    assert "in seconds or milliseconds since 1970" in TimeCells("when").advice
    assert read("when", "nan", "inf", "1e30", "soon") == [None] * 4


def test_a_time_is_said_with_a_fraction_where_it_has_one() -> None:
    assert time_text(np.datetime64("2016-07-01T00:00", "us")) == "2016-07-01 00:00:00"
    assert time_text(np.datetime64("2016-07-01T00:00:00.5", "us")) == "2016-07-01 00:00:00.500000"
