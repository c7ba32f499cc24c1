"""What a distillation is by task: who may teach, what is learned, what is compared."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from edgeseq.distill.distillation import Distillation
from edgeseq.distill.exam import Exam
from edgeseq.distill.lessons import Lessons
from edgeseq.distill.teachers import Watched
from edgeseq.features import Prepared
from edgeseq.runs import Run
from edgeseq_device.tasks import Task

_MODULES: Mapping[Task, str] = {
    "classify": "edgeseq.distill.classify",
    "lm": "edgeseq.distill.lm",
    "forecast": "edgeseq.distill.forecast",
}


class OfTask(Protocol):
    """What each task's module has."""

    def check(self, distillation: Distillation) -> None:
        """Raises DataError or UsageError where these teachers cannot teach this student."""

    def lessons(self, distillation: Distillation, watch: Watched) -> Lessons:
        """What both students are taught. What takes a while before is told to `watch`."""

    def exam(self, prepared: Prepared) -> Exam:
        """What all models are compared by."""

    def warnings(self, distillation: Distillation, student: Run) -> tuple[str, ...]:
        """What a reader of the comparison should know of the teachers and what they were asked, or of the
        student.
        """


def by_task(task: Task) -> OfTask:
    """The task's module. Imported on use: it needs what this one gives."""
    return cast(OfTask, importlib.import_module(_MODULES[task]))
