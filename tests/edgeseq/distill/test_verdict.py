"""A distillation that was of no use says so."""

from __future__ import annotations

import pytest

from edgeseq.distill.comparison import Role, Row
from edgeseq.distill.exam import SplitFigures
from edgeseq.distill.held_out import Figures
from edgeseq.distill.verdict import verdict


def row(role: Role, figures: Figures | SplitFigures) -> Row:
    return Row(role, f"the-{role}", "onnx", "fp32", 1, 1, 1, figures)


def nats(value: float) -> SplitFigures:
    return {"validation": {"nats_per_token": value}}


def mse(value: float) -> SplitFigures:
    return {"validation": {"mse": 0.0}, "test": {"mse": value}}


def test_a_useful_distillation_is_not_warned_of() -> None:
    rows = [row("teacher", nats(1)), row("scratch", nats(3)), row("distilled", nats(2))]
    assert verdict(rows, "lm") == ()
    assert verdict([rows[0], rows[2]], "lm") == ()


def test_a_student_and_a_teacher_worse_than_training_from_scratch_are_warned_of() -> None:
    student, teacher = verdict(
        [row("teacher", mse(0.5)), row("scratch", mse(0.3)), row("distilled", mse(0.4))], "forecast"
    )
    words = "the distilled student is worse than the one from scratch: test MSE 0.4000 against 0.3000"
    assert student == f"{words}; take the-scratch"
    assert "the teacher is worse than the student from scratch: test MSE 0.5000 against 0.3000" in teacher


@pytest.mark.parametrize(("together", "count"), [(0.9, 0), (0.7, 1)])
def test_a_classifier_s_higher_accuracy_is_better_and_teachers_count_together(
    together: float, count: int
) -> None:
    reached = {"teacher": 0.6, "ensemble": together, "scratch": 0.8, "distilled": 0.85}
    rows = [row(role, Figures(0.5, each, None)) for role, each in reached.items()]  # type: ignore[arg-type]
    found = verdict(rows, "classify")
    assert len(found) == count
    assert all("teachers together are worse" in each and "70.00 % against 80.00 %" in each for each in found)
