"""Accuracy and confusion of answers on labelled recordings."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from edgeseq.evaluate import (
    Evaluation,
    OutOfScope,
    Rejecting,
    choose_threshold,
    evaluate_logits,
    evaluate_module,
    one_by_one,
    out_of_scope_metrics,
    rejecting,
)
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


def sure(*confidences: float, right: int | None = None) -> Evaluation:
    """Answers of these probabilities, of which the first `right` are right (None: all)."""
    n = len(confidences)
    labels = np.zeros(n, np.int64)
    predictions = np.array([0 if right is None or i < right else 1 for i in range(n)], np.int64)
    correct = int((predictions == labels).sum())
    return Evaluation(n, correct, correct / n, predictions, labels, np.array(confidences))


def test_the_threshold_balances_what_is_kept_and_what_is_rejected() -> None:
    inside, outside = sure(0.9, 0.8, 0.7, 0.3), sure(0.6, 0.4, 0.2, 0.85, right=0)
    assert choose_threshold(inside, outside) == pytest.approx(0.65)  # 3 of 4 kept, 3 of 4 rejected
    assert rejecting(0.65, inside, outside) == Rejecting(4, 0.75, 4, 0.75)


def test_a_wrong_answer_is_not_worth_keeping() -> None:
    """Its probability draws no threshold down."""
    inside, outside = sure(0.9, 0.2, right=1), sure(0.5, right=0)
    assert choose_threshold(inside, outside) == pytest.approx(0.7)
    assert rejecting(0.7, inside, outside) == Rejecting(2, 0.5, 1, 1.0)


def test_nothing_is_rejected_where_that_is_best() -> None:
    assert choose_threshold(sure(0.5, 0.6), sure(0.9, right=0)) == 0
    assert choose_threshold(sure(0.5), sure(0.5, right=0)) == 0


def test_the_threshold_is_chosen_on_validation_and_measured_on_test() -> None:
    inside = {"train": sure(0.9), "validation": sure(0.9, 0.8), "test": sure(0.9, 0.1)}
    outside = {"validation": sure(0.5, right=0), "test": sure(0.2, 0.95, right=0)}
    found = out_of_scope_metrics(inside, outside)
    assert found is not None
    assert found.threshold == pytest.approx(0.65)
    assert found.splits == {"validation": Rejecting(2, 1.0, 1, 1.0), "test": Rejecting(2, 0.5, 2, 0.5)}
    assert OutOfScope.from_dict(found.to_dict()) == found


def test_without_such_recordings_in_validation_there_is_no_threshold() -> None:
    inside = {"validation": sure(0.9), "test": sure(0.9)}
    assert out_of_scope_metrics(inside, {"test": sure(0.2, right=0)}) is None


def test_an_evaluation_knows_how_sure_each_answer_is() -> None:
    evaluation = evaluate_logits(np.log([[3.0, 1.0, 1.0]] * 4), recordings())
    assert evaluation.confidences.tolist() == pytest.approx([0.6] * 4)
