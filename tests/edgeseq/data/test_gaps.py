"""Series with gaps: refused with their place, or filled when asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseq.data.gaps import Fill, Moments, evened
from edgeseq_device.errors import DataError

NAN = float("nan")
HOUR_US = 3_600_000_000


def moments(values: list[list[float]], hours: list[float] | None = None) -> Moments:
    """Lines 2, 3, ... of a file; hours: of each line since 1970."""
    count = len(values)
    channels = tuple("ab"[: len(values[0])])
    times = None if hours is None else np.array([round(hour * HOUR_US) for hour in hours], np.int64)
    return Moments(
        Path("x.csv"),
        channels,
        np.arange(2, 2 + count),
        np.array(values, np.float32),
        None if hours is None else "date",
        times,
    )


def one_channel(*values: float) -> list[list[float]]:
    return [[value] for value in values]


def refusal(given: Moments, fill: Fill | None = None) -> str:
    with pytest.raises(DataError) as found:
        evened(given, fill)
    return str(found.value)


def test_a_series_without_a_gap_stays_as_it_is() -> None:
    even = evened(moments([[1, 2], [3, 4]], [0, 1]), None)
    assert even.values.tolist() == [[1, 2], [3, 4]]
    assert (even.interval_s, even.warnings) == (3600, ())


def test_times_that_do_not_increase_are_refused_with_both_and_their_lines() -> None:
    repeated = refusal(moments(one_channel(1, 2, 3), [0, 1, 1]), "linear")
    assert "x.csv: line 4: its time, 1970-01-01 01:00:00, is that of line 3" in repeated
    assert "leave one of the two out" in repeated
    unsorted = refusal(moments(one_channel(1, 2, 3, 4), [0, 2, 1, 0.5]))
    assert (
        "line 4: its time, 1970-01-01 01:00:00, comes before that of line 3, 1970-01-01 02:00:00" in unsorted
    )
    assert "2 such lines" in unsorted
    assert "sort the lines" in unsorted


def test_the_first_gap_is_named_with_how_many_there_are_and_what_to_do() -> None:
    message = refusal(moments(one_channel(*range(7)), [0, 1, 2, 5, 6, 7, 9]))
    assert "line 5: its time, 1970-01-01 05:00:00, is 3:00:00 after that of line 4" in message
    assert "usual are 1:00:00 (2 such gaps in all)" in message
    assert "--fill linear or --fill previous" in message
    assert "--drop-column date" in message


@pytest.mark.parametrize(
    ("fill", "filled"), [("linear", [0, 1, 2, 3, 4, 5, 6]), ("previous", [0, 1, 1, 1, 4, 5, 6])]
)
def test_missing_moments_are_filled_when_asked(fill: Fill, filled: list[float]) -> None:
    even = evened(moments(one_channel(0, 1, 4, 5, 6), [0, 1, 4, 5, 6]), fill)
    assert even.values[:, 0].tolist() == filled
    assert even.times is not None
    assert np.unique(np.diff(even.times)).tolist() == [np.timedelta64(HOUR_US, "us")]
    assert even.warnings[0] == f"filled 2 missing moments (--fill {fill})"


def test_an_empty_cell_is_refused_with_its_place() -> None:
    message = refusal(moments([[1, 2], [1, NAN], [NAN, NAN], [3, 4]]))
    assert 'line 3, column "b": the cell is empty or NaN (3 such cells in all)' in message
    assert "--fill linear or --fill previous" in message
    assert "--drop-column b" in message


def test_empty_cells_are_filled_channel_by_channel() -> None:
    given = moments([[1, 10], [NAN, NAN], [NAN, 30], [4, 40]])
    assert evened(given, "linear").values.tolist() == [[1, 10], [2, 20], [3, 30], [4, 40]]
    even = evened(given, "previous")
    assert even.values.tolist() == [[1, 10], [1, 10], [1, 30], [4, 40]]
    assert even.values.flags.c_contiguous
    assert even.warnings == ("filled 3 empty cells (--fill previous)",)


def test_what_has_no_neighbour_cannot_be_filled() -> None:
    leading = moments([[NAN, 1], [NAN, 2], [3, 3]])
    for fill in ("previous", "linear"):
        message = refusal(leading, fill)
        assert 'line 2, column "a": the cell is empty and nothing stands before it' in message
        assert "leave out the first 2 moments of the file, or the column with --drop-column a" in message
    trailing = moments([[1, 1], [2, 2], [3, NAN]])
    assert 'line 4, column "b"' in refusal(trailing, "linear")
    assert "leave out the last moment of the file" in refusal(trailing, "linear")
    assert evened(trailing, "previous").values[:, 1].tolist() == [1, 2, 2]


def test_a_fill_that_would_be_refused_is_not_advised() -> None:
    message = refusal(moments([[1, 1], [2, 2], [3, NAN]]))
    assert "(1 such cell in all); fill what is missing with --fill previous, or leave" in message
    message = refusal(moments([[NAN, 1], [2, 2]]))
    assert "(1 such cell in all); leave out the first moment of the file, or the column" in message
    message = refusal(moments(one_channel(NAN, 1, 2, 3), [0, 1, 2, 4]))
    assert "(1 such gap in all); take the lines as evenly spaced with --drop-column date" in message


def test_a_column_without_a_number_is_refused_by_name() -> None:
    assert 'the column "b" holds no number; leave it out with --drop-column b' in refusal(
        moments([[1, NAN], [2, NAN]]), "linear"
    )


def test_gaps_of_no_whole_intervals_cannot_be_filled() -> None:
    message = refusal(moments(one_channel(*range(5)), [0, 1, 2, 3.4, 4.4]), "linear")
    assert "line 5" in message
    assert "no --fill mends that" in message


def test_a_series_that_is_mostly_gaps_is_not_filled() -> None:
    assert "too much to fill" in refusal(moments(one_channel(0, 1, 2, 3), [0, 1, 2, 9000]), "linear")


def test_clocks_may_be_off_by_a_part_of_a_hundred() -> None:
    thirds = moments(one_channel(1, 2, 3, 4), [0, 0.3333, 0.6667, 1])
    assert evened(thirds, None).interval_s == pytest.approx(1200, rel=0.01)


def test_what_was_filled_is_kept_and_that_a_line_looks_ahead_is_said() -> None:
    given = moments([[1, 2], [NAN, 3], [4, 5]], [0, 1, 3])
    even = evened(given, "linear")
    assert even.filled is not None
    assert even.filled.tolist() == [[False, False], [True, False], [True, True], [False, False]]
    assert even.warnings[0] == "filled 1 empty cell and 1 missing moment (--fill linear)"
    assert "looks ahead" in even.warnings[1]
    assert len(evened(given, "previous").warnings) == 1
    assert evened(moments([[1, 2], [3, 4]]), "linear").filled is None
