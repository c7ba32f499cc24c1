"""Soft targets, mixed labels, imitation: their formulas, and whose parameters they train."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from edgeseq import models
from edgeseq.distill.examples import TransferBatch
from edgeseq.distill.objectives import Imitation, MixedLabels, SoftTargets
from edgeseq.models.classify.transformer import TransformerClassifier
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.recipe import DistillConfig, TeacherSource

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0]])
ANSWERS = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 3.0, 0.5]])


def batch(
    labels: tuple[int, ...] = (0, 1),
    others: tuple[int, ...] = (0, 2),
    shares: tuple[float, ...] = (1.0, 0.25),
    answers: Tensor | None = ANSWERS,
) -> TransferBatch:
    features = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))
    return TransferBatch(
        features,
        torch.tensor([4, 2]),
        torch.tensor(labels),
        others=torch.tensor(others),
        shares=torch.tensor(shares),
        targets=answers,
    )


def constant(_features: Tensor, _lengths: Tensor) -> Tensor:
    return LOGITS


def softmax(logits: Tensor, temperature: float) -> np.ndarray:
    powers = np.exp(logits.double().numpy() / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def test_soft_targets_are_hintons() -> None:
    T = 3.0
    loss, logits = SoftTargets(T, 0.0, 0.0)(constant, batch())
    p, q = softmax(ANSWERS, T), softmax(LOGITS, T)
    assert loss.item() == pytest.approx(T**2 * (p * np.log(p / q)).sum() / 2, rel=1e-5)
    assert logits is LOGITS


def test_a_student_that_answers_as_its_teacher_loses_nothing() -> None:
    assert SoftTargets(2.0, 0.0, 0.0)(constant, batch(answers=LOGITS))[0].item() == pytest.approx(0, abs=1e-6)


def test_mixed_labels_count_as_much_as_they_have_of_a_variant() -> None:
    logs = np.log(softmax(LOGITS, 1.0))
    expected = -(logs[0, 0] + 0.25 * logs[1, 1] + 0.75 * logs[1, 2]) / 2
    assert MixedLabels(0.0)(constant, batch())[0].item() == pytest.approx(expected, rel=1e-5)


def test_the_hard_weight_is_the_labels_part_of_the_loss() -> None:
    soft, hard = (SoftTargets(2.0, 0.0, 0.1)(constant, batch())[0], MixedLabels(0.1)(constant, batch())[0])
    both = SoftTargets(2.0, 0.3, 0.1)(constant, batch())[0]
    torch.testing.assert_close(both, 0.7 * soft + 0.3 * hard)


def test_examples_without_a_label_count_for_the_teacher_alone() -> None:
    known = batch(labels=(0, UNLABELLED), others=(0, UNLABELLED))
    expected = -np.log(softmax(LOGITS, 1.0))[0, 0]
    assert MixedLabels(0.0)(constant, known)[0].item() == pytest.approx(expected, rel=1e-5)
    nothing = batch(labels=(UNLABELLED,) * 2, others=(UNLABELLED,) * 2)
    assert MixedLabels(0.0)(constant, nothing)[0].item() == 0
    assert SoftTargets(2.0, 0.5, 0.0)(constant, nothing)[0].item() > 0


def test_imitation_trains_the_student_and_its_own_projections_alone() -> None:
    student, teacher = (
        models.build(ModelConfig("transformer", hidden=hidden, heads=2), Inputs(5), ("a", "b", "c"))
        for hidden in (4, 8)
    )
    assert isinstance(student, TransformerClassifier)
    assert isinstance(teacher, TransformerClassifier)
    source = TeacherSource("big", "run", "0" * 64)
    config = DistillConfig((source,), relation_weight=1.0, hidden_weight=1.0)
    soft = SoftTargets(2.0, 0.0, 0.0)
    objective = Imitation(soft, student, teacher.eval(), config)
    loss, logits = objective(student, batch())
    loss.backward()
    assert loss.item() > soft.loss(logits, batch()).item()
    assert {name for name, _ in objective.named_parameters()} == {
        "hidden.of_embeddings.weight",
        "hidden.of_layers.weight",
    }
    assert all(each.grad is not None for each in (*student.parameters(), *objective.parameters()))
    assert all(each.grad is None for each in teacher.parameters())
