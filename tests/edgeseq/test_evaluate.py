"""Accuracy and confusion of answers on labelled recordings."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from edgeseq.evaluate import evaluate_logits, evaluate_module, one_by_one
from edgeseq.features import LabelledFeatures
from edgeseq_device.errors import DataError, EdgeseqError


def recordings() -> LabelledFeatures:
    """Four recordings whose first value is their class, the last one mislabelled."""
    features = tuple(
        np.full((frames, 1), label, np.float32) for frames, label in ((3, 0), (1, 1), (7, 2), (2, 0))
    )
    return LabelledFeatures(("a", "b", "c", "d"), features, np.array([0, 1, 2, 1], np.int64))


class FirstValue(nn.Module):
    """Answers the class that a recording's first value names; wrongly while it is in training mode."""

    def forward(self, features: Tensor, _lengths: Tensor) -> Tensor:
        answers = nn.functional.one_hot(features[:, 0, 0].long(), 3).float()
        return -answers if self.training else answers


def test_a_module_is_evaluated_in_evaluation_mode_and_left_in_its_own() -> None:
    module = FirstValue().train()
    evaluation = evaluate_module(module, recordings())
    assert (evaluation.n, evaluation.correct, evaluation.accuracy) == (4, 3, 0.75)
    assert evaluation.predictions.tolist() == [0, 1, 2, 0]
    assert module.training


def test_confusion_has_true_classes_as_rows() -> None:
    assert evaluate_module(FirstValue(), recordings()).confusion(3).tolist() == [
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 1],
    ]


def test_recordings_one_by_one_keep_their_order_and_tell_of_progress() -> None:
    told: list[tuple[int, int]] = []
    answers = one_by_one(
        lambda item: np.array([item[0, 0], len(item)]), recordings().features, lambda *step: told.append(step)
    )
    assert answers.tolist() == [[0, 3], [1, 1], [2, 7], [0, 2]]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_answer_that_is_no_number_names_the_recording() -> None:
    logits = np.zeros((4, 3), np.float32)
    logits[2, 1] = np.nan
    with pytest.raises(EdgeseqError, match="c: the model answers NaN") as refusal:
        evaluate_logits(logits, recordings())
    assert refusal.value.exit_code == 1  # the data is not to blame


def test_no_recordings_have_no_accuracy() -> None:
    with pytest.raises(DataError, match="no recordings"):
        evaluate_module(FirstValue(), LabelledFeatures((), (), np.zeros(0, np.int64)))
