"""Training defaults: small sets are seen more often, large ones less, large models step smaller."""

from __future__ import annotations

import math

import pytest

from edgeseq.models.config import ModelConfig
from edgeseq.models.shapes import model_config
from edgeseq.training.augment import AUDIO, SERIES, TEXT
from edgeseq.training.defaults import training_for


@pytest.mark.parametrize("recordings", [8, 36, 200, 828, 2430, 100_000])
def test_any_size_gets_enough_updates_and_not_too_many(recordings: int) -> None:
    config = training_for("audio", recordings, ModelConfig())
    steps = config.epochs * math.ceil(recordings / config.batch_size)
    assert config.epochs == 120 or 900 <= steps <= 32_000
    assert 10 <= config.epochs <= 120
    assert config.patience >= config.epochs // 2


def test_a_kind_gets_its_own_augmentation() -> None:
    assert training_for("audio", 500, ModelConfig()).augment == AUDIO
    assert training_for("series", 500, ModelConfig()).augment == SERIES
    assert training_for("text", 500, model_config("gru", {}, "text")).augment == TEXT


@pytest.mark.parametrize(
    ("recordings", "batch_size"), [(8, 8), (48, 8), (6000, 32), (15_000, 128), (500_000, 128)]
)
def test_texts_get_averaged_weights_and_enough_updates(recordings: int, batch_size: int) -> None:
    config = training_for("text", recordings, model_config("gru", {}, "text"))
    assert config.ema > 0
    assert config.batch_size == batch_size
    steps = config.epochs * math.ceil(recordings / config.batch_size)
    assert config.epochs == 120 or 900 <= steps <= 40_000


def test_a_large_model_steps_smaller_on_two_threads() -> None:
    small, large = (training_for("audio", 500, ModelConfig(hidden=hidden)) for hidden in (64, 512))
    assert (small.threads, large.threads) == (1, 2)
    assert large.learning_rate < small.learning_rate


def test_a_large_model_of_text_trains_on_one_thread() -> None:
    small, large = (
        training_for("text", 15_000, model_config("transformer", {}, "text", size))
        for size in ("small", "base")
    )
    assert (large.threads, large.learning_rate) == (1, small.learning_rate)


def test_a_transformer_takes_smaller_steps_than_a_gru_of_its_size() -> None:
    gru, transformer = (
        training_for("audio", 500, ModelConfig(family=name)) for name in ("gru", "transformer")
    )
    assert transformer.learning_rate == gru.learning_rate / 2
    assert transformer.epochs == gru.epochs
