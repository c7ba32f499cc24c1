"""The lines of a distillation: what goes on, and how much of what."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgeseq.cli.distill_progress import DistillDisplay
from edgeseq.data.dataset import Kind
from edgeseq_device.tasks import Task


@pytest.mark.parametrize(
    ("kind", "task", "unit"),
    [
        ("text", "classify", "texts"),
        ("audio", "classify", "recordings"),
        ("series", "classify", "recordings"),
        ("text", "lm", "tokens"),
        ("series", "forecast", "windows"),
    ],
)
def test_what_begins_is_said_once_with_its_unit(kind: Kind, task: Task, unit: str) -> None:
    written = io.StringIO()
    with DistillDisplay(Console(file=written, width=100), kind, task) as display:
        for done in range(3):
            display.step("teacher big answers test", done, 1560)
        display.step("latency of 6 models, in turns, 3 rounds", 1, 39)
    assert written.getvalue().splitlines() == [
        f"teacher big answers test: 1,560 {unit}",
        f"latency of 6 models, in turns, 3 rounds: 39 {unit}",
    ]


OF_TEXT = "divergence from the teachers and 0.1 of the text's; validation loss: nats per token"
OF_SERIES = "squared error to the teachers' forecast; validation loss: mean squared error to what came"


@pytest.mark.parametrize(("task", "weight", "losses"), [("lm", 0.1, OF_TEXT), ("forecast", 0.0, OF_SERIES)])
def test_what_the_distilled_student_s_losses_are_is_said(task: Task, weight: float, losses: str) -> None:
    for run, shown in (("a", True), ("a-scratch", False)):
        written = io.StringIO()
        with (
            DistillDisplay(Console(file=written, width=80), "text", task, weight) as display,
            display.training(run) as training,
        ):
            training.began(2, ())
        assert (f"training loss: {losses}" in written.getvalue().splitlines()) is shown
        assert ("losses are" in written.getvalue()) is not shown
