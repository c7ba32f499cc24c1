"""Splits of what runs on: a text by its characters, a series by its rows, each split one stretch of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edgeseq.data.dataset import Dataset
from edgeseq.data.lineage import sha256_of
from edgeseq.data.splits import TEST_FRACTION, VALIDATION_FRACTION, SplitOptions, check_fractions
from edgeseq_device.errors import DataError, UsageError

BETWEEN_DOCUMENTS = "\n"
SMALLER = "give a smaller --validation-fraction or --test-fraction"


@dataclass(frozen=True)
class StretchSplits:
    """Where train, validation and test lie in a text or a series, in this order; test may be empty.

    origin says in words how they came about.
    """

    train: range
    validation: range
    test: range
    origin: str
    warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Over the ends of each split."""
        ends = [[each.start, each.stop] for each in (self.train, self.validation, self.test)]
        return sha256_of(json.dumps(ends).encode())


def corpus_text(dataset: Dataset) -> str:
    """All documents of a corpus, in their order."""
    return BETWEEN_DOCUMENTS.join(str(each.samples) for each in dataset.recordings)


def split_characters(dataset: Dataset, options: SplitOptions) -> StretchSplits:
    """The first part of a corpus trains, the next validates, the last tests where one is asked for.

    Raises UsageError for fractions that leave nothing to train on, and for options of other data.
    """
    validation, test = _fractions(options, usual_test=0.0)
    characters = len(corpus_text(dataset))
    first, second = int(characters * (1 - validation - test)), int(characters * (1 - test))
    words = "the first characters train, the next validate" + ", the last test" * bool(test)
    return StretchSplits(range(first), range(first, second), range(second, characters), words)


def split_rows(dataset: Dataset, options: SplitOptions) -> StretchSplits:
    """The first rows of a series train, the next validate, the last test: as many as `Dataset.split_rows`
    says, else by fractions of all of them.

    Raises UsageError for options that do not go together or concern other data, DataError for more rows than
    there are, or too few.
    """
    rows = len(dataset.recordings[0].samples)
    if dataset.split_rows is None:
        fractions = _fractions(options, usual_test=TEST_FRACTION)
        validation, test = (round(rows * fraction) for fraction in fractions)
        train = rows - validation - test
        if train <= 0:
            held_out = f"{validation} rows for validation, {test} for test"
            raise DataError(
                f"{dataset.name}: of its {rows} rows, {held_out} leave none to train on; {SMALLER}"
            )
        return _rows(train, validation, test, rows)
    _check_runs_on(options)
    for name in ("validation_fraction", "test_fraction"):
        if getattr(options, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{dataset.name}: it is split by numbers of rows; leave {flag} out")
    return _rows(*_checked_counts(dataset, rows), rows)


def _checked_counts(dataset: Dataset, rows: int) -> tuple[int, int, int]:
    counts = dataset.split_rows or ()
    words = f"--split-rows {','.join(map(str, counts))}"
    if len(counts) != 3 or min(counts) < 0 or 0 in counts[:2]:
        meaning = "the rows of train, validation and test, such as 8640,2880,2880 (test may be 0)"
        raise UsageError(f"{words}: give {meaning}")
    if sum(counts) > rows:
        raise DataError(f"{dataset.name}: it has {rows} rows, {words} are {sum(counts)}; give fewer")
    return counts[0], counts[1], counts[2]


def _rows(train: int, validation: int, test: int, rows: int) -> StretchSplits:
    second, third = train + validation, train + validation + test
    words = f"in the order of time: {train:,} rows train, {validation:,} validate"
    words += f", {test:,} test" * bool(test) + f", the last {rows - third:,} are left out" * (third < rows)
    return StretchSplits(range(train), range(train, second), range(second, third), words)


def _fractions(options: SplitOptions, *, usual_test: float) -> tuple[float, float]:
    """Of validation and of test. Raises UsageError for such that leave nothing to train on, and for options
    that concern recordings.
    """
    check_fractions(options)
    _check_runs_on(options)
    validation, test = options.validation_fraction or VALIDATION_FRACTION, options.test_fraction or usual_test
    if validation + test >= 1:
        raise UsageError(
            f"validation ({validation:g}) and test ({test:g}) take {validation + test:g} of the data; leave"
            f" some to train on: {SMALLER}"
        )
    return validation, test


def _check_runs_on(options: SplitOptions) -> None:
    for name, words in (("by_group", "--by-group"), ("seed", "--split-seed")):
        if getattr(options, name) != getattr(SplitOptions, name):
            raise UsageError(f"{words} concerns recordings; this data runs on, and is split in its order")
