"""Distillation of forecasters: squared errors to the teachers' mean forecast and to what came.

Shapes: B windows, L moments of context, H of the horizon, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.distill.distillation import Distillation
from edgeseq.distill.exam import Exam, SplitFigures, Timed, Written
from edgeseq.distill.lessons import Lessons
from edgeseq.distill.teachers import Teacher, Watched, check_prepared
from edgeseq.evaluate.windows import (
    WindowsEvaluation,
    evaluate_forecaster,
    evaluate_forecasts,
)
from edgeseq.features import Prepared
from edgeseq.models.model import Forecaster
from edgeseq.runs import Run
from edgeseq.training.examples import Batch
from edgeseq.training.forecast import SquaredError, lesson
from edgeseq.training.lesson import Lesson
from edgeseq.training.qat import Forward
from edgeseq_device.errors import DataError

TIMED_WINDOWS = 16


def check(distillation: Distillation) -> None:
    """As `OfTask.check`. Teachers must read and say what the student does."""
    prepared, student = distillation.prepared, distillation.recipe.model
    for teacher in distillation.teachers:
        assert teacher.run is not None  # noqa: S101 - a forecaster is a run
        name, its = teacher.source.reference, teacher.run.recipe.model
        if teacher.labels != prepared.labels:
            raise DataError(
                f"{name}: this teacher forecasts {', '.join(teacher.labels)}, the student"
                f" {', '.join(prepared.labels)}; both need the same channels: leave --drop-column out to take"
                " the first teacher's, or train a teacher on these"
            )
        if (its.context, its.horizon) != (student.context, student.horizon):
            raise DataError(
                f"{name}: this teacher forecasts {its.horizon} moments from {its.context}, the student"
                f" {student.horizon} from {student.context}; leave --context and --horizon out to take the"
                " first teacher's, or train a teacher with these"
            )
        check_prepared(teacher, prepared)


def lessons(distillation: Distillation, watch: Watched) -> Lessons:  # noqa: ARG001
    """The same windows twice: with what came alone, and with what teachers say of it."""
    scratch = lesson(distillation.recipe, distillation.prepared)
    teachers, hard_weight = together(distillation.teachers), distillation.config.hard_weight
    return Lessons(
        scratch, Lesson(scratch.examples, lambda _phase, _module: MixedError(teachers, hard_weight))
    )


def exam(prepared: Prepared) -> Exam:
    """MSE and MAE over every window that was held out."""
    return _Windows(prepared)


def warnings(distillation: Distillation, student: Run) -> tuple[str, ...]:
    """As `OfTask.warnings`: what the student's training found."""
    return distillation.found_by(student)


class MixedError(nn.Module):
    """(1 - w) times the mean squared error to the teachers' forecast, w times that to what came.

    Saputra et al. 2019 (arXiv 1908.00858), section 4, "imitation loss as an additional loss".
    """

    def __init__(self, teachers: Forward, hard_weight: float) -> None:
        super().__init__()
        self.truth, self.hard_weight = SquaredError(), hard_weight
        self._answer = teachers

    def forward(self, forward: Forward, batch: Batch) -> tuple[Tensor, Tensor]:
        """(loss, answers [B, H * C])."""
        hard, answers = self.truth(forward, batch)
        with torch.no_grad():
            targets = self._answer(batch.features, batch.lengths)
        soft = functional.mse_loss(answers, targets)
        return (1 - self.hard_weight) * soft + self.hard_weight * hard, answers


def together(teachers: Sequence[Teacher]) -> Forward:
    """forward(features [B, L, C], lengths [B]) -> [B, H * C]: the mean of their forecasts."""
    modules = [teacher.module for teacher in teachers]

    def mean(features: Tensor, lengths: Tensor) -> Tensor:
        return torch.stack([_forecaster(module)(features, lengths) for module in modules]).mean(dim=0)

    return mean


class _Windows(Exam):
    @property
    def timed_inputs(self) -> int:
        return min(TIMED_WINDOWS, len(self.prepared.splits.validation))

    def of_run(self, run: Run) -> SplitFigures:
        return {split: run.metrics[split] for split in self.prepared.splits.held_out}

    def of_teachers(self, teachers: Sequence[Teacher], watch: Watched) -> SplitFigures:
        told = partial(watch, f"{len(teachers)} teachers answer together")
        return self._figures(partial(evaluate_forecaster, together(teachers), progress=told))

    def of_file(self, written: Written, run: Run, watch: Watched) -> SplitFigures:  # noqa: ARG002
        told = partial(watch, f"{written.what} forecasts what was held out")
        return self._figures(partial(evaluate_forecasts, written.loaded.run, progress=told))

    def timed(self, written: Written, run: Run) -> Timed:  # noqa: ARG002
        """A forecast."""
        windows = self.prepared.splits.validation.features
        places = np.linspace(0, len(windows) - 1, self.timed_inputs).round().astype(int)
        features = [np.ascontiguousarray(windows[place]) for place in places]
        return lambda number: written.loaded.run(features[number])

    def _figures(self, evaluate: Callable[..., WindowsEvaluation]) -> SplitFigures:
        splits = self.prepared.splits
        return {split: evaluate(splits.named(split)).to_dict() for split in splits.held_out}


def _forecaster(module: object) -> Forecaster:
    if not isinstance(module, Forecaster):
        raise TypeError(f"{type(module).__name__} is no forecaster")
    return module
