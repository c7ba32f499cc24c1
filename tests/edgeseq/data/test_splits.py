"""Train, validation and test are disjoint, complete, stratified and repeatable."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseq.data import Dataset, Recording, SplitOptions, Splits, load, split
from edgeseq.data.dataset import assembled
from edgeseq_device.errors import DataError, UsageError

SAMPLES = np.zeros((1, 1), np.float32)


def dataset_of(rows: list[tuple[str, str | None, str | None]]) -> Dataset:
    """Rows of label, group, split."""
    recordings = [
        Recording(f"r{i}", SAMPLES, label, group, side)  # type: ignore[arg-type]
        for i, (label, group, side) in enumerate(rows)
    ]
    return assembled("set", "series", recordings, channels=("x",), sample_rate_hz=None, content_sha256="0")


def labels_of(dataset: Dataset, places: tuple[int, ...]) -> Counter[str]:
    return Counter(dataset.recordings[i].label for i in places)


def groups_of(dataset: Dataset, places: tuple[int, ...]) -> set[str | None]:
    return {dataset.recordings[i].group for i in places}


def check_partition(dataset: Dataset, splits: Splits) -> None:
    everything = splits.train + splits.validation + splits.test
    assert sorted(everything) == list(range(len(dataset.recordings)))
    assert splits.train
    assert splits.validation
    assert splits.test


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=5),
    fractions=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    seed=st.integers(0, 2**32),
)
def test_a_drawn_split_is_a_stratified_partition(
    counts: list[int], fractions: tuple[float, float], seed: int
) -> None:
    dataset = dataset_of([(f"c{i}", None, None) for i, count in enumerate(counts) for _ in range(count)])
    options = SplitOptions(fractions[0], fractions[1], seed=seed)
    try:
        splits = split(dataset, options)
    except DataError as refusal:
        assert "too few recordings to draw validation" in str(refusal)  # noqa: PT017 - the one refusal that may happen here
        return
    check_partition(dataset, splits)
    assert splits == split(dataset, options)
    test, rest = labels_of(dataset, splits.test), labels_of(dataset, splits.train + splits.validation)
    validation = labels_of(dataset, splits.validation)
    for i, count in enumerate(counts):
        label = f"c{i}"
        assert test[label] == min(max(1, round(fractions[1] * count)), count - 1)
        assert validation[label] == min(max(1, round(fractions[0] * rest[label])), rest[label] - 1)


@settings(max_examples=40, deadline=None)
@given(
    groups=st.integers(3, 9),
    per_cell=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    given_split=st.booleans(),
)
def test_no_group_is_in_two_splits(groups: int, per_cell: int, seed: int, given_split: bool) -> None:
    dataset = dataset_of(
        [
            (label, f"g{g}", ("test" if g == 0 else "train") if given_split else None)
            for g in range(groups)
            for label in ("a", "b")
            for _ in range(per_cell)
        ]
    )
    splits = split(dataset, SplitOptions(by_group=True, seed=seed))
    check_partition(dataset, splits)
    sides = [groups_of(dataset, places) for places in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == groups
    if given_split:
        assert sides[2] == {"g0"}


def test_seeds_differ() -> None:
    dataset = dataset_of([(label, None, None) for label in "ab" for _ in range(50)])
    drawn = {split(dataset, SplitOptions(seed=seed)).test for seed in range(5)}
    assert len(drawn) == 5


def test_validation_does_not_move_when_the_test_fraction_stays() -> None:
    dataset = dataset_of([(label, None, None) for label in "ab" for _ in range(50)])
    small = split(dataset, SplitOptions(validation_fraction=0.1))
    large = split(dataset, SplitOptions(validation_fraction=0.3))
    assert small.test == large.test
    assert set(small.validation) < set(large.validation)


def test_a_given_test_split_is_kept_and_validation_taken_from_training() -> None:
    dataset = dataset_of(
        [(label, None, side) for side in ("train", "test") for label in "ab" for _ in range(10)]
    )
    splits = split(dataset, SplitOptions(validation_fraction=0.2, test_fraction=0.9))
    check_partition(dataset, splits)
    assert {dataset.recordings[i].split for i in splits.test} == {"test"}
    assert len(splits.test) == 20
    assert labels_of(dataset, splits.validation) == {"a": 2, "b": 2}
    assert splits.origin == "test given by the data, validation drawn by class"


def in_three(*, groups: bool = False) -> Dataset:
    """24 recordings of each split and two classes; with `groups`, validation shares its own with training."""
    return dataset_of(
        [
            (label, f"{side == 'test'}{i}" if groups else None, side)
            for side in ("train", "validation", "test")
            for label in "ab"
            for i in range(12)
        ]
    )


def test_a_given_validation_split_is_kept() -> None:
    dataset = in_three()
    splits = split(dataset)
    check_partition(dataset, splits)
    assert {dataset.recordings[i].split for i in splits.validation} == {"validation"}
    assert {dataset.recordings[i].split for i in splits.train} == {"train"}
    assert splits.origin == "test given by the data, validation given by the data"
    assert splits == split(dataset, SplitOptions(seed=7))
    assert not splits.warnings


def test_a_validation_fraction_draws_from_training_and_the_given_validation() -> None:
    dataset = in_three()
    splits = split(dataset, SplitOptions(validation_fraction=0.25))
    check_partition(dataset, splits)
    assert {dataset.recordings[i].split for i in splits.test} == {"test"}
    assert labels_of(dataset, splits.validation) == {"a": 6, "b": 6}
    assert {dataset.recordings[i].split for i in splits.train} == {"train", "validation"}
    assert splits.origin == "test given by the data, validation drawn by class"
    assert "own validation split was put to training" in splits.warnings[0]
    assert "--validation-fraction 0.25" in splits.warnings[0]


def test_a_given_validation_split_that_shares_groups_is_redrawn_by_group() -> None:
    dataset = in_three(groups=True)
    splits = split(dataset, SplitOptions(by_group=True))
    check_partition(dataset, splits)
    assert {dataset.recordings[i].split for i in splits.test} == {"test"}
    assert not groups_of(dataset, splits.validation) & groups_of(dataset, splits.train)
    assert "it shares 12 groups with training (such as False0)" in splits.warnings[0]


@pytest.mark.parametrize("sides", [("train",), ("train", "validation")])
def test_data_with_splits_of_its_own_but_no_test_gets_one_from_training(sides: tuple[str, ...]) -> None:
    dataset = dataset_of([(label, None, side) for side in sides for label in "ab" for _ in range(10)])
    splits = split(dataset)
    check_partition(dataset, splits)
    assert {dataset.recordings[i].split for i in splits.test} == {"train"}
    assert labels_of(dataset, splits.test) == {"a": 2, "b": 2}
    assert splits.warnings == (
        "the data's own splits have no test: it was drawn from training, as --test-fraction says",
    )
    if "validation" in sides:
        assert {dataset.recordings[i].split for i in splits.validation} == {"validation"}
        assert splits.origin == "test drawn by class, validation given by the data"


def texts_of(*rows: tuple[str, str, str | None]) -> Dataset:
    recordings = [Recording(f"t{i}", text, label, None, side) for i, (text, label, side) in enumerate(rows)]  # type: ignore[arg-type]
    return assembled("set", "text", recordings, channels=("text",), sample_rate_hz=None, content_sha256="0")


def test_texts_that_are_held_out_and_in_training_are_counted() -> None:
    dataset = texts_of(
        *[("yes", "a", "train"), ("no", "b", "train"), ("yes", "a", "validation"), ("No", "b", "validation")],
        *[("no", "b", "test"), ("yes", "a", "test"), ("never", "b", "test")],
    )
    assert split(dataset).warnings == (
        "1 of 2 validation texts are in the training split, too",
        "2 of 3 test texts are in the training split, too",
    )


def test_a_given_split_that_shares_groups_is_redrawn_by_group_and_said() -> None:
    rows = [(label, f"g{g}", side) for side in ("train", "test") for label in "ab" for g in range(5)]
    dataset = dataset_of(rows)
    splits = split(dataset, SplitOptions(by_group=True))
    assert not groups_of(dataset, splits.test) & groups_of(dataset, splits.train + splits.validation)
    assert splits.origin == "test drawn by group, validation drawn by group"
    assert "shares 5 groups with training (such as g0)" in splits.warnings[0]


def test_groups_are_drawn_near_the_wanted_share_of_each_class() -> None:
    generator = np.random.default_rng(0)
    rows = [("ab"[int(generator.random() < 0.3)], f"g{g}", None) for g in range(20) for _ in range(20)]
    dataset = dataset_of(rows)
    splits = split(dataset, SplitOptions(by_group=True, test_fraction=0.2))
    whole = labels_of(dataset, tuple(range(400)))
    for label, count in labels_of(dataset, splits.test).items():
        assert abs(count - 0.2 * whole[label]) <= 0.04 * whole[label]


def test_groups_keep_every_class_in_training() -> None:
    """Class b is only in g0 and g1: one of them must stay, whatever the seed."""
    rows = [("a", f"g{g}", None) for g in range(6) for _ in range(5)]
    rows += [("b", f"g{g}", None) for g in range(2) for _ in range(5)]
    dataset = dataset_of(rows)
    for seed in range(10):
        splits = split(dataset, SplitOptions(by_group=True, seed=seed))
        assert labels_of(dataset, splits.train)["b"] > 0


@pytest.mark.parametrize(
    ("rows", "options", "error", "reason"),
    [
        (
            [("a", None, None)] * 5 + [("b", None, None)],
            SplitOptions(),
            DataError,
            r'and validation: the class "b" has 1 \(r5\); a class needs 3 or more: add .* or remove it',
        ),
        (
            [("a", None, None)] * 5 + [("b", None, None), ("c", None, None), ("c", None, None)],
            SplitOptions(),
            DataError,
            r'the classes "b" has 1 \(r5\), "c" has 2 \(r6, r7\); .* add recordings of them, or remove them',
        ),
        (
            [("a", None, "train")] * 5 + [("b", None, "train"), ("a", None, "test")],
            SplitOptions(),
            DataError,
            r'draw validation: the class "b" has 1 \(r5\); a class needs 2 or more',
        ),
        (
            [("a", None, None)] * 5 + [("b", None, None)] * 3,
            SplitOptions(test_fraction=0.9),
            DataError,
            'draw validation: the classes "a" has 1',
        ),
        ([("a", "g", None), ("b", "g", None)] * 5, SplitOptions(by_group=True), DataError, "only 1 group"),
        (
            [("a", "g", None), ("b", "h", None), ("a", "h", None)],
            SplitOptions(by_group=True),
            DataError,
            "only 1 group left when the validation",
        ),
        (
            [("a", "g", None), ("b", "h", None), ("b", "i", None)],
            SplitOptions(by_group=True),
            DataError,
            "is unknown to the training data .*; draw other groups with --split-seed",
        ),
        ([("a", None, None), ("b", "h", None)], SplitOptions(by_group=True), UsageError, "r0 has no group"),
        (
            [("a", None, None), ("b", None, None)],
            SplitOptions(test_fraction=1.0),
            UsageError,
            "--test-fraction 1.0 is not",
        ),
        ([("a", None, None), ("b", None, None)], SplitOptions(seed=-1), UsageError, "--split-seed -1"),
        ([("a", None, None), ("b", None, None)], SplitOptions(0.0), UsageError, "--validation-fraction 0.0"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    rows: list[tuple[str, str | None, str | None]], options: SplitOptions, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        split(dataset_of(rows), options)


def test_fsdd_validates_on_270_training_recordings(data_dir: object) -> None:
    splits = split(load("fsdd"))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (2430, 270, 300)


@pytest.mark.parametrize(
    ("sides", "labels", "reason"),
    [
        ((None, None), "aa", 'set: every recording has the label "a"; a classifier needs two classes'),
        (("train", None), "ab", "set: r1: has no split where others have one"),
        (("test", "test"), "ab", "every recording belongs to the test split; none is left to train on"),
        (("test", "validation"), "ab", "belongs to the test or validation split; none is left to train on"),
        (
            ("train", "train", "test", "validation"),
            "abac",
            r'r3: the label "c" is unknown to the training data \(.*\); move .*--out-of-scope-label c',
        ),
        (
            ("train",) * 4 + ("test",),
            "aabbc",
            r'r4: the label "c" is unknown to the training data \(known: a, b',
        ),
    ],
)
def test_recordings_that_cannot_be_trained_on_are_refused(
    sides: tuple[str | None, ...], labels: str, reason: str
) -> None:
    dataset = dataset_of([(label, None, side) for label, side in zip(labels, sides, strict=True)])
    with pytest.raises(DataError, match=reason):
        split(dataset)


@pytest.mark.parametrize(
    ("side", "reason"),
    [("train", "'zz' matches none of 4 recordings"), ("test", "'zz' matches all of 4 recordings")],
)
def test_a_test_pattern_that_tells_nothing_apart_is_refused(side: str, reason: str) -> None:
    dataset = replace(dataset_of([(label, None, side) for label in "abab"]), test_pattern="zz")
    with pytest.raises(DataError, match=f"set: --test-pattern {reason}"):
        split(dataset)


def test_a_split_by_test_pattern_is_said_to_be_one() -> None:
    rows = [(label, None, side) for side in ("train", "test") for label in "ab" for _ in range(4)]
    splits = split(replace(dataset_of(rows), test_pattern="x"))
    assert splits.origin == "test by --test-pattern, validation drawn by class"


@pytest.mark.parametrize(("each", "validation"), [(49, 10), (50, 5)])
def test_a_small_set_validates_on_a_fifth_of_its_training(each: int, validation: int) -> None:
    rows = [(label, None, "train") for label in "ab" for _ in range(each)] + [("a", None, "test")]
    dataset = dataset_of(rows)
    assert len(split(dataset).validation) == 2 * validation
    assert len(split(dataset, SplitOptions(validation_fraction=0.1)).validation) == 10


def test_the_hash_of_splits_changes_with_a_recordings_side() -> None:
    dataset = dataset_of([(label, None, None) for label in "ab" for _ in range(20)])
    one, other = (split(dataset, SplitOptions(seed=seed)) for seed in (0, 1))
    assert one.sha256 == split(dataset, SplitOptions(seed=0)).sha256
    assert one.sha256 != other.sha256
