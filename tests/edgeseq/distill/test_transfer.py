"""What students are given in an epoch: the version of its number, as tokens or as features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseq import data
from edgeseq.distill.answers import Answers
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.examples import TransferBatch, TransferExamples
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
    assert transfer_set(recipe, texts_to_gru.prepared).versions == 2 + 3


def test_further_texts_are_asked_without_a_label(texts: VariedTexts) -> None:
    assert texts.asked(0)[-2:] == ("sing along", "be quiet")
    assert (texts.labels[-2:] == UNLABELLED).all()
    assert (texts.labels[:-2] != UNLABELLED).all()


def test_words_are_made_unknown_anew_in_each_epoch(texts: VariedTexts) -> None:
    chosen = np.arange(48)
    plain = texts.features(2, chosen)
    texts = replace(texts, augment=AugmentConfig(token_unknown=0.5))
    first, again, later = (texts.features(epoch, chosen) for epoch in (2, 2, 2 + texts.versions))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, later, strict=True))
    assert [len(each) for each in first] == [len(each) for each in plain]


def test_a_batch_has_the_answers_of_its_version(texts: VariedTexts, texts_to_gru: Distillation) -> None:
    answers = Answers(texts_to_gru.teachers, texts, texts_to_gru.prepared.dataset.labels)
    for epoch, version in ((2, 1), (3, 0)):
        batch = TransferExamples(texts, answers).batch(np.array([4, 0]), epoch)
        assert batch.targets is not None
        np.testing.assert_array_equal(batch.targets.numpy(), answers.of(version)[[4, 0]])
        assert batch.labels.tolist() == texts.labels[[4, 0]].tolist()
        np.testing.assert_array_equal(batch.shares, texts.mixed(version).shares[[4, 0]])
    assert TransferExamples(texts, None).batch(np.array([4, 0]), epoch=3).targets is None


def test_accuracy_in_training_takes_the_class_with_the_larger_share_for_right() -> None:
    batch = TransferBatch(
        torch.zeros(5, 1, 1),
        torch.ones(5, dtype=torch.int64),
        torch.tensor([0, 0, 0, 0, UNLABELLED]),
        others=torch.tensor([1, 1, 1, 0, UNLABELLED]),
        shares=torch.tensor([0.75, 0.25, 0.5, 0.5, 1.0]),
        targets=None,
    )
    assert batch.judged.tolist() == [0, 1, UNLABELLED, 0, UNLABELLED]


def test_series_vary_as_features_and_teachers_are_asked_what_students_are_given(
    tiny_series: Path, train_quickly: Callable[..., RunTeacher]
) -> None:
    teacher = train_quickly(tiny_series)
    trained = replace(teacher.run.recipe.training, epochs=3)
    distill = DistillConfig((teacher.source,), versions=3)
    recipe = replace(teacher.run.recipe, training=trained, distill=distill)
    prepared = prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model)
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
