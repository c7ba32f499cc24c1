"""Which token comes next: the laws of temperature, top-k, top-p and seed."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.sampling import FIRST, Sampling, drawer

PROBABILITIES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
LOGITS = np.concatenate([[9.0] * FIRST, np.log(PROBABILITIES) + 3]).astype(np.float32)
"""Padding and the unknown token would be the most probable ones."""
DRAWS = 4000


def shares(sampling: Sampling) -> list[float]:
    """How often each token that stands for text was drawn."""
    draw = drawer(sampling, len(LOGITS))
    counts = Counter(draw(LOGITS)[0] for _ in range(DRAWS))
    assert min(counts) >= FIRST
    return [counts[FIRST + place] / DRAWS for place in range(len(PROBABILITIES))]


def test_temperature_0_takes_the_most_probable_token_of_those_that_stand_for_text() -> None:
    assert shares(Sampling(0)) == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_their_probability_at_that_temperature(temperature: float) -> None:
    expected = PROBABILITIES ** (1 / temperature)
    assert shares(Sampling(temperature, seed=1)) == pytest.approx(expected / expected.sum(), abs=0.03)


@pytest.mark.parametrize("temperature", [1e-300, 1e-9])
def test_a_temperature_near_0_takes_the_most_probable_token(temperature: float) -> None:
    assert shares(Sampling(temperature, seed=1))[0] == 1


@pytest.mark.parametrize("top_k", [1, 2, 4, 5, 1000])
def test_top_k_draws_from_the_k_most_probable_tokens_in_their_ratio(top_k: int) -> None:
    expected = np.where(np.arange(5) < top_k, PROBABILITIES, 0)
    assert shares(Sampling(1.0, top_k, seed=2)) == pytest.approx(expected / expected.sum(), abs=0.03)


@pytest.mark.parametrize(
    ("top_p", "count"), [(0.01, 1), (0.39, 1), (0.41, 2), (0.69, 2), (0.71, 3), (0.96, 5), (1.0, 5)]
)
def test_top_p_draws_from_the_fewest_tokens_that_have_that_probability(top_p: float, count: int) -> None:
    expected = np.where(np.arange(5) < count, PROBABILITIES, 0)
    assert shares(Sampling(1.0, None, top_p, 3)) == pytest.approx(expected / expected.sum(), abs=0.03)


def test_top_p_counts_what_top_k_leaves() -> None:
    assert shares(Sampling(1.0, 2, 0.5, 4)) == [1, 0, 0, 0, 0]  # 0.4 of 0.7 is more than a half
    assert shares(Sampling(1.0, 2, 0.6, 4))[1] > 0


def test_the_nucleus_is_the_same_in_whatever_order_the_tokens_stand() -> None:
    shuffled = LOGITS.copy()
    shuffled[FIRST:] = LOGITS[FIRST:][[3, 0, 4, 2, 1]]
    draw = drawer(Sampling(1.0, 4, 0.8, 5), len(LOGITS))
    assert {draw(shuffled)[0] - FIRST for _ in range(200)} == {1, 4, 3}


def test_a_token_of_no_probability_is_never_drawn() -> None:
    logits = np.array([0, 0, 5, -np.inf, -2000, 5], np.float32)
    for sampling in (Sampling(1.0, seed=6), Sampling(1.0, 4, 1.0, 6), Sampling(2.0, None, 0.9999, 6)):
        draw = drawer(sampling, len(logits))
        assert {draw(logits)[0] for _ in range(300)} == {2, 5}


def test_the_same_seed_draws_the_same_tokens_and_another_one_others() -> None:
    generator = np.random.default_rng(0)
    steps = generator.standard_normal((60, 40)).astype(np.float32)

    def tokens(seed: int | None) -> list[int]:
        draw = drawer(Sampling(1.0, seed=seed), 40)
        return [draw(logits)[0] for logits in steps]

    assert tokens(7) == tokens(7) != tokens(8)
    assert tokens(None) != tokens(None)


@pytest.mark.parametrize("sampling", [Sampling(0), Sampling(0.3, seed=1), Sampling(2.0, 3, 0.9, 1)])
def test_the_log_probability_is_the_models_own_at_temperature_1(sampling: Sampling) -> None:
    token, log_probability = drawer(sampling, len(LOGITS))(LOGITS)
    assert log_probability == pytest.approx(math.log(PROBABILITIES[token - FIRST]), abs=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(DataError, match="logits hold NaN or infinity"):
        drawer(Sampling(0), 4)(np.array([0, 0, 1, bad], np.float32))


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": 0}, "top-k is 0; give at least 1"),
        ({"top_p": 0.0}, "top-p is 0"),
        ({"top_p": 1.01}, "top-p is 1.01"),
        ({"seed": -1}, "seed is -1"),
        ({"temperature": 0, "top_k": 4}, "leave top-k and top-p out"),
        ({"temperature": 0, "top_p": 0.5}, "leave top-k and top-p out"),
    ],
)
def test_settings_that_draw_nothing_or_contradict_are_refused(settings: dict[str, float], cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        Sampling(**settings)  # type: ignore[arg-type]
