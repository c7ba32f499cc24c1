"""Windows of a series: as many as there are, standardised, none of them a copy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeseq.data import Dataset, FrontEndOptions, Recording, SplitOptions
from edgeseq.features import Prepared, prepare
from edgeseq.features.forecast import windows, windows_by_split
from edgeseq.models.config import ModelConfig
from edgeseq.models.shapes import model_config
from edgeseq_device.errors import DataError

ROWS, CONTEXT, HORIZON = 100, 12, 6


def series(values: np.ndarray[Any, Any], counts: tuple[int, ...] | None = (60, 20, 15)) -> Dataset:
    channels = tuple("abcdef"[: values.shape[1]])
    recording = Recording("x", values.astype(np.float32), "")
    found = Dataset("x.csv", "series", (recording,), (), channels, None, "0")
    return replace(found, task="forecast", split_rows=counts)


def noise(channels: int = 3) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(5, 3, (ROWS, channels))


def model(family: str = "gru", context: int = CONTEXT, horizon: int = HORIZON) -> ModelConfig:
    return model_config(family, {"context": context, "horizon": horizon}, "series", task="forecast")


def prepared(dataset: Dataset, of: ModelConfig | None = None) -> Prepared:
    return prepare(dataset, SplitOptions(), FrontEndOptions(), of or model())


def test_the_windows_by_split_each_split_are_those_of_a_loop() -> None:
    values = noise()
    found = prepared(series(values))
    training = values[:60].astype(np.float32)
    even = (values.astype(np.float32) - training.mean(axis=0)) / training.std(axis=0)
    for split, rows in (("train", range(60)), ("validation", range(60, 80)), ("test", range(80, 95))):
        features, answers, names = [], [], []
        for row in rows:
            if row - CONTEXT >= 0 and row + HORIZON <= rows.stop:
                features.append(even[row - CONTEXT : row])
                answers.append(even[row : row + HORIZON].reshape(-1))
                names.append(f"row {row}")
        part = found.splits.named(split)
        assert part.names == tuple(names)
        assert np.allclose(np.stack(list(part.features)), np.stack(features), atol=1e-5)
        assert np.allclose(part.labels, np.stack(answers), atol=1e-5)
    assert found.splits.sizes() == {"train": 43, "validation": 15, "test": 10}
    assert found.labels == ("a", "b", "c")


def test_windows_are_float32_views_of_one_array() -> None:
    values = noise().astype(np.float32)
    part = windows(values, values, range(20, 50), model())
    assert all(np.shares_memory(each, values) for each in part.features)
    assert np.shares_memory(part.labels, values)
    assert part.features[0].shape == (CONTEXT, 3)
    assert part.features[0].dtype == part.labels.dtype == np.float32


def test_one_channel_is_enough_and_no_test_split_too() -> None:
    found = prepared(series(noise(1), (60, 40, 0)))
    assert found.splits.names == ("train", "validation")
    assert found.splits.train.labels.shape == (43, HORIZON)


def test_a_channel_that_is_constant_in_the_training_rows_is_refused_by_name() -> None:
    values = noise()
    values[:60, 1] = 7.5
    with pytest.raises(DataError, match="one row to train on is no series; give a file with more moments"):
        prepared(series(values[:1], None))
    with pytest.raises(DataError, match="nothing ever changes in b; leave that out with --drop-column b"):
        prepared(series(values))


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (
            model(context=50, horizon=20),
            "a horizon of 20 are longer than its 60 training rows; give --horizon 10",
        ),
        (model(context=12, horizon=18), "a horizon of 18 is longer than its 15 test rows; give --horizon 12"),
        (model(context=16, horizon=24), "a horizon of 24 is longer than its 15 test rows; give --horizon 8"),
        (model(context=336, horizon=96), "training rows; no horizon fits, give a smaller --context"),
    ],
)
def test_a_horizon_that_is_longer_than_a_split_is_refused_with_the_one_that_fits(
    of: ModelConfig, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        prepared(series(noise()), of)


def test_what_was_filled_is_read_but_is_no_truth() -> None:
    filled = np.zeros((ROWS, 3), np.bool_)
    filled[[5, 30, 65, 92], [0, 0, 1, 2]] = True
    found, whole = prepared(replace(series(noise()), filled=filled)), prepared(series(noise()))
    assert found.splits.sizes() == whole.splits.sizes()
    for split, rows in (("train", range(12, 60)), ("validation", range(60, 80)), ("test", range(80, 95))):
        mine, other = found.splits.named(split), whole.splits.named(split)
        assert np.array_equal(np.stack(list(mine.features)), np.stack(list(other.features)))
        for number, row in enumerate(rows[: 1 - HORIZON]):
            unknown = filled[row : row + HORIZON].reshape(-1)
            assert np.array_equal(np.isnan(mine.labels[number]), unknown)
            assert np.array_equal(mine.labels[number][~unknown], other.labels[number][~unknown])
    (warning,) = found.warnings
    assert warning.endswith(": 1 of 144 in train, 1 of 60 in validation, 1 of 45 in test")


def test_a_window_that_has_nothing_true_to_say_is_none() -> None:
    filled = np.zeros((ROWS, 3), np.bool_)
    filled[62:78] = True
    found, whole = prepared(replace(series(noise()), filled=filled)), prepared(series(noise()))
    kept = [row for row in range(60, 75) if not filled[row : row + HORIZON].all()]
    assert 0 < len(kept) < 15
    part, other = found.splits.validation, whole.splits.validation
    assert part.names == tuple(f"row {row}" for row in kept)
    assert np.array_equal(np.stack(list(part.features)), np.stack([other.features[row - 60] for row in kept]))
    assert len(part.labels) == len(kept)
    assert not np.isnan(part.labels).all(axis=1).any()


def test_a_split_in_which_nothing_is_true_is_refused() -> None:
    filled = np.zeros((ROWS, 3), np.bool_)
    filled[80:95] = True
    with pytest.raises(DataError, match="every cell that is to be forecast in test was filled"):
        prepared(replace(series(noise()), filled=filled))
    nothing, _ = windows_by_split(series(noise()), noise(), {"all": range(5)}, model())
    assert len(nothing["all"]) == 0
