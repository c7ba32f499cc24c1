"""What students are given in an epoch: the version of its number, as tokens or as features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseq import data
from edgeseq.distill.examples import TransferExamples
from edgeseq.distill.run import Distillation
from edgeseq.distill.teachers import RunTeacher
from edgeseq.distill.transfer import VariedFeatures, VariedTexts, transfer_set
from edgeseq.features import prepare
from edgeseq.training.augment import AugmentConfig, augmented
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.recipe import DistillConfig, QatConfig


@pytest.fixture
def texts(texts_to_gru: Distillation) -> VariedTexts:
    """Two versions of the tiny texts and of two without a label."""
    found = transfer_set(texts_to_gru.recipe, texts_to_gru.prepared, ("sing along", "be quiet"))
    assert isinstance(found, VariedTexts)
    return found


def test_an_epoch_has_the_version_of_its_number(texts: VariedTexts, texts_to_gru: Distillation) -> None:
    front_end = texts_to_gru.prepared.front_end
    for epoch, version in ((1, 0), (2, 1), (3, 0)):
        expected = [front_end.features(text) for text in texts.asked(version)]
        found = texts.features(epoch, np.arange(len(expected)))
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        assert texts.lengths(epoch).tolist() == [len(each) for each in expected]


def test_there_are_no_more_versions_than_epochs(texts_to_gru: Distillation) -> None:
    config = replace(texts_to_gru.config, versions=9)
    recipe = replace(texts_to_gru.recipe, distill=config, qat=QatConfig(epochs=3))
    assert len(transfer_set(recipe, texts_to_gru.prepared).labels) == 2 + 3


def test_further_texts_are_asked_without_a_label(texts: VariedTexts) -> None:
    assert texts.asked(0)[-2:] == ("sing along", "be quiet")
    assert (texts.labels[:, -2:] == UNLABELLED).all()
    assert (texts.labels[:, :-2] != UNLABELLED).all()


def test_words_are_made_unknown_anew_in_each_epoch_and_nothing_else_is(texts: VariedTexts) -> None:
    texts.augment = AugmentConfig(token_unknown=0.5, token_dropout=0.9)
    chosen = np.arange(48)
    first, again, later = (texts.features(epoch, chosen) for epoch in (2, 2, 2 + len(texts.variants.texts)))
    plain = texts._encoded(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, later, strict=True))
    assert [len(each) for each in first] == [len(plain[i]) for i in chosen]


def test_a_batch_has_the_answers_of_its_version(texts: VariedTexts) -> None:
    answers = np.arange(2 * 50 * 3, dtype=np.float16).reshape(2, 50, 3)
    batch = TransferExamples(texts, answers).batch(np.array([4, 0]), epoch=3)
    assert batch.targets is not None
    np.testing.assert_array_equal(batch.targets.numpy(), answers[0, [4, 0]])
    assert batch.labels.tolist() == texts.labels[0, [4, 0]].tolist()
    assert batch.shares.tolist() == [1.0, 1.0]
    assert TransferExamples(texts, None).batch(np.array([4, 0]), epoch=3).targets is None


def test_series_vary_as_features_and_teachers_are_asked_what_students_are_given(
    tiny_series: Path, train_quickly: Callable[..., RunTeacher]
) -> None:
    teacher = train_quickly(tiny_series)
    trained = replace(teacher.run.recipe.training, epochs=3)
    distill = DistillConfig((teacher.source,), versions=3)
    recipe = replace(teacher.run.recipe, training=trained, distill=distill)
    prepared = prepare(data.load(recipe.data), recipe.splitting, recipe.front_end)
    transfer = transfer_set(recipe, prepared)
    assert isinstance(transfer, VariedFeatures)
    own = prepared.splits.train.features
    everything = np.arange(len(own))
    assert all(np.array_equal(a, b) for a, b in zip(transfer.features(1, everything), own, strict=True))
    for epoch, version in ((2, 1), (3, 2), (5, 1)):
        given = transfer.features(epoch, everything)
        assert all(np.array_equal(a, b) for a, b in zip(given, transfer.asked(version), strict=True))
        expected = augmented(own[5], recipe.training.augment, seed=0, epoch=version, index=5)
        np.testing.assert_array_equal(given[5], expected)
    seeded = replace(recipe, training=replace(recipe.training, seed=7))
    assert np.array_equal(transfer_set(seeded, prepared).asked(1)[5], transfer.asked(1)[5])
