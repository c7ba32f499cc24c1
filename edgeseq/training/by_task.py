"""What training is by task: what is learned, what the best weights are chosen by, what a run reaches.

Each task's module has lesson(recipe, prepared), judge(prepared), metrics(forward, prepared) and
doubts(recipe, prepared, metrics); that of forecasts also baseline(recipe, prepared, folder).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeseq.features import Prepared
from edgeseq.tasks import Task
from edgeseq.training.judge import Judge
from edgeseq.training.lesson import Lesson
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Recipe

_MODULES: Mapping[Task, str] = {
    "classify": "edgeseq.training.classify",
    "lm": "edgeseq.training.lm",
    "forecast": "edgeseq.training.forecast",
}


def lesson_of(recipe: Recipe, prepared: Prepared) -> Lesson:
    """Learning from the data alone. Raises DataError where there is too little of it to train on."""
    found: Lesson = _of(recipe.model.task).lesson(recipe, prepared)
    return found


def judge_of(task: Task, prepared: Prepared) -> Judge:
    """What a forward reaches on the validation split. Raises DataError where that is too small."""
    found: Judge = _of(task).judge(prepared)
    return found


def metrics_of(task: Task, forward: Forward, prepared: Prepared) -> dict[str, Any]:
    """By split that holds something what a forward reaches on it, in evaluation mode: as in run.json."""
    found: dict[str, Any] = _of(task).metrics(forward, prepared)
    return found


def doubts_of(recipe: Recipe, prepared: Prepared, metrics: dict[str, Any]) -> list[str]:
    """Warnings about a finished run. metrics: as in run.json."""
    found: list[str] = _of(recipe.model.task).doubts(recipe, prepared, metrics)
    return found


def baseline_of(recipe: Recipe, prepared: Prepared, folder: Path) -> dict[str, Any]:
    """What the linear model that a forecaster is held against reaches, by split; none of other models.

    It is trained here, and its weights are kept in the run's folder.
    """
    if recipe.model.task != "forecast" or recipe.model.family == "linear":
        return {}
    found: dict[str, Any] = _of("forecast").baseline(recipe, prepared, folder)
    return found


def _of(task: Task) -> Any:
    return importlib.import_module(_MODULES[task])
