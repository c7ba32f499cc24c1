"""Text augmentation works on tokens, hashes n-grams after it, and draws the same for the same epoch."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseq.data import FrontEndOptions
from edgeseq.tokenizer_training import trained_tokens
from edgeseq.training.augment import OFF, TEXT, AugmentConfig
from edgeseq.training.augment_text import augmented_texts
from edgeseq_device.errors import UsageError
from edgeseq_device.tokenizer import UNKNOWN
from edgeseq_device.tokens import Tokens

TEXTS = (
    "turn the lamp off now",
    "play",
    "turn the radio on",
    "set an alarm for seven",
    "play the radio",
) * 20


@pytest.fixture(scope="module")
def front_end() -> Tokens:
    return trained_tokens(TEXTS, FrontEndOptions(ngrams=3, subwords=4, buckets=512))


def features(front_end: Tokens) -> list[np.ndarray]:
    return [front_end.features(text) for text in TEXTS]


def varied(front_end: Tokens, seed: int = 0, epoch: int = 1, **settings: float) -> list[np.ndarray]:
    config = AugmentConfig(**settings)  # type: ignore[arg-type]
    return augmented_texts(features(front_end), front_end, config, seed=seed, epoch=epoch)


def test_n_grams_are_those_of_the_tokens_that_are_left(front_end: Tokens) -> None:
    found = varied(front_end, token_dropout=0.5, token_replacement=0.3, token_unknown=0.3)
    assert len(found) == len(TEXTS)
    for text in found:
        again = front_end.with_ngrams(front_end.without_ngrams(text))
        np.testing.assert_array_equal(text, again)
        assert text.dtype == np.int32


def test_a_lost_token_leaves_the_others_in_their_order(front_end: Tokens) -> None:
    found = varied(front_end, token_dropout=0.3)
    for text, original in zip(found, features(front_end), strict=True):
        rest = iter(original[:, 0].tolist())
        assert all(token in rest for token in text[:, 0].tolist())
    left = sum(map(len, found)) / sum(map(len, features(front_end)))
    assert 0.6 < left < 0.85


def test_a_text_that_would_lose_all_tokens_keeps_them(front_end: Tokens) -> None:
    lengths = {len(text) for text in varied(front_end, token_dropout=0.9)}
    assert min(lengths) == 1
    assert max(lengths) == 5


def test_a_replaced_token_is_another_one_of_the_texts_with_its_own_subwords(front_end: Tokens) -> None:
    rows = {tuple(row) for text in features(front_end) for row in front_end.without_ngrams(text).tolist()}
    found = varied(front_end, token_replacement=0.5)
    changed = 0
    for text, original in zip(found, features(front_end), strict=True):
        assert {tuple(row) for row in front_end.without_ngrams(text).tolist()} <= rows
        changed += int((text[:, 0] != original[:, 0]).sum())
    assert 0.3 * sum(map(len, found)) < changed < 0.6 * sum(map(len, found))


def test_an_unknown_token_keeps_its_subwords(front_end: Tokens) -> None:
    found = varied(front_end, token_unknown=1.0)
    for text, original in zip(found, features(front_end), strict=True):
        assert (text[:, 0] == UNKNOWN).all()
        np.testing.assert_array_equal(text[:, 3:], original[:, 3:])


def test_the_same_seed_and_epoch_draw_the_same(front_end: Tokens) -> None:
    once = varied(front_end, 1, 2, token_dropout=0.3)
    for text, again in zip(once, varied(front_end, 1, 2, token_dropout=0.3), strict=True):
        np.testing.assert_array_equal(text, again)
    for other in ({"seed": 2, "epoch": 2}, {"seed": 1, "epoch": 3}):
        found = varied(front_end, token_dropout=0.3, **other)  # type: ignore[arg-type]
        assert [len(text) for text in found] != [len(text) for text in once]


def test_the_texts_themselves_are_left_as_they_are(front_end: Tokens) -> None:
    originals = features(front_end)
    augmented_texts(originals, front_end, TEXT, seed=0, epoch=1)
    for text, original in zip(originals, features(front_end), strict=True):
        np.testing.assert_array_equal(text, original)
    assert augmented_texts(originals, front_end, OFF, seed=0, epoch=1) == originals


def test_tokens_without_hashed_columns_vary_too() -> None:
    front_end = trained_tokens(TEXTS, FrontEndOptions(tokenizer="char"))
    found = augmented_texts(features(front_end), front_end, TEXT, seed=0, epoch=1)
    assert {text.shape[1] for text in found} == {1}
    assert sum(map(len, found)) < sum(map(len, features(front_end)))


def test_settings_that_would_leave_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match=r"token_dropout is 1.0; give 0 to 0.9"):
        AugmentConfig(token_dropout=1.0)
