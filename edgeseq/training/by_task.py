"""What training is by task: what is learned, what the best weights are chosen by, what a run reaches."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from edgeseq.features import Prepared
from edgeseq.training.judge import Judge
from edgeseq.training.lesson import Lesson
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Recipe
from edgeseq_device.tasks import Task

if TYPE_CHECKING:
    from edgeseq.training.fit import TrainingProgress

_MODULES: Mapping[Task, str] = {
    "classify": "edgeseq.training.classify",
    "lm": "edgeseq.training.lm",
    "forecast": "edgeseq.training.forecast",
}


class OfTask(Protocol):
    """What each task's module has."""

    def lesson(self, recipe: Recipe, prepared: Prepared) -> Lesson:
        """Learning from the data alone. Raises DataError where there is too little of it to train on."""

    def judge(self, prepared: Prepared) -> Judge:
        """What a forward reaches on the validation split."""

    def metrics(self, forward: Forward, prepared: Prepared) -> dict[str, Any]:
        """By split that holds something what a forward reaches on it, in evaluation mode: as in run.json."""

    def doubts(self, recipe: Recipe, prepared: Prepared, metrics: dict[str, Any]) -> list[str]:
        """Warnings about a finished run. metrics: as in run.json."""

    def baseline(
        self, recipe: Recipe, prepared: Prepared, folder: Path, watcher: TrainingProgress
    ) -> dict[str, Any]:
        """What the linear model that a forecaster is held against reaches, by split; none of other models.

        It is trained here, and its weights are kept in the run's folder.
        """


def by_task(task: Task) -> OfTask:
    """The task's module. Imported on use: it needs what this one gives."""
    return cast(OfTask, importlib.import_module(_MODULES[task]))
