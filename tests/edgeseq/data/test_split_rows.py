"""The rows of a series in the order of time: train, validation, test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeseq.data import Dataset, Recording, SplitOptions, split
from edgeseq_device.errors import DataError, UsageError


def series(rows: int, counts: tuple[int, ...] | None = None) -> Dataset:
    recording = Recording("x", np.zeros((rows, 1), np.float32), "")
    found = Dataset("x", "series", (recording,), (), ("a",), None, "0")
    return replace(found, task="forecast", split_rows=counts)


def test_without_numbers_seventy_ten_and_twenty_in_a_hundred_in_the_order_of_time() -> None:
    splits = split(series(1000))
    assert (splits.train, splits.validation, splits.test) == (range(700), range(700, 800), range(800, 1000))
    halves = split(series(1000), SplitOptions(validation_fraction=0.25, test_fraction=0.25))
    assert (halves.train, halves.test) == (range(500), range(750, 1000))


def test_numbers_of_rows_leave_the_rest_out_and_say_so() -> None:
    splits = split(series(1000, (600, 200, 100)))
    assert (splits.train, splits.validation, splits.test) == (range(600), range(600, 800), range(800, 900))
    assert "the last 100 are left out" in splits.origin
    assert not split(series(1000, (600, 400, 0))).test


def test_other_numbers_make_another_hash() -> None:
    assert split(series(1000, (600, 200, 100))).sha256 != split(series(1000, (600, 100, 200))).sha256


@pytest.mark.parametrize("counts", [(600, 400), (0, 500, 500), (600, 0, 400), (700, 400, -100)])
def test_numbers_that_are_no_splits_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="the rows of train, validation and test"):
        split(series(1000, counts))


def test_what_the_data_does_not_have_is_refused() -> None:
    with pytest.raises(DataError, match="it has 1000 rows, --split-rows 800,200,100 are 1100"):
        split(series(1000, (800, 200, 100)))
    with pytest.raises(UsageError, match="leave --test-fraction out"):
        split(series(1000, (600, 200, 100)), SplitOptions(test_fraction=0.1))
    with pytest.raises(UsageError, match="--by-group"):
        split(series(1000), SplitOptions(by_group=True))
    with pytest.raises(UsageError, match="leave some to train on"):
        split(series(1000), SplitOptions(validation_fraction=0.5, test_fraction=0.5))


def test_fractions_that_leave_no_row_to_train_on_are_named_as_the_fault() -> None:
    with pytest.raises(UsageError, match=r"validation \(0.85\) and test \(0.2\) .* --validation-fraction or"):
        split(series(1000), SplitOptions(validation_fraction=0.85))
    with pytest.raises(
        DataError, match="of its 3 rows, 2 rows for validation, 1 for test leave none to train"
    ):
        split(series(3), SplitOptions(validation_fraction=0.6, test_fraction=0.3))
