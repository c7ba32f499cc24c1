"""A distillation from opened teachers to a compared student: runs/NAME, and runs/NAME-scratch beside it."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from edgeseq.data.text import read_texts
from edgeseq.distill.by_task import by_task
from edgeseq.distill.comparison import Row, compare
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.teachers import check_teacher, reopened
from edgeseq.distill.verdict import verdict
from edgeseq.features import Prepared, prepare
from edgeseq.files import atomic_write_json
from edgeseq.run_data import load_recorded
from edgeseq.runs import (
    RUNS,
    Run,
    RunFolder,
    check_new_name,
    discard,
    find_run_folder,
    new_run_folder,
    open_run,
    read_recipe,
)
from edgeseq.settings import require
from edgeseq.training.fit import TrainingProgress
from edgeseq.training.lesson import Lesson
from edgeseq.training.recipe import DistillConfig, Recipe
from edgeseq.training.train import default_name, resume
from edgeseq_device.artifact import sha256_of
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.tokenizer import has_token

RESULT_FILE = "distill.json"  # in the student's folder
RESULT_VERSION = 1
SCRATCH = "-scratch"
"""What the name of the student from scratch has behind that of the distilled one."""


class Watching(Protocol):
    """What a watcher of a distillation is told."""

    def step(self, what: str, done: int, of: int) -> None:
        """Something that takes a while: `done` of `of` are done."""

    def training(self, run: str) -> AbstractContextManager[TrainingProgress]:
        """Who watches the training of runs/RUN."""


@dataclass(frozen=True, eq=False)
class Distilled:
    """What came out. scratch: the student from scratch, where there is one."""

    student: Run
    scratch: Run | None
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The student's run.json with its recipe, and the comparison under "distillation"."""
        return {**self.student.to_dict(), "distillation": self.comparison()}

    def comparison(self) -> dict[str, Any]:
        """What distill.json holds."""
        return {
            "distill_version": RESULT_VERSION,
            "student": self.student.name,
            "scratch": self.scratch and self.scratch.name,
            "rows": [asdict(row) for row in self.rows],
            "latency": {"machine": platform.machine(), "threads": 1, "emulated": False},
            "warnings": list(self.warnings),
        }


def check(distillation: Distillation) -> None:
    """Raises DataError or UsageError where these teachers cannot teach this student on this data."""
    for teacher in distillation.teachers:
        check_teacher(teacher, distillation.prepared.dataset)
    by_task(distillation.task).check(distillation)


def read_unlabelled(config: DistillConfig, text_column: str | None) -> tuple[str, ...]:
    """The further texts that a config names.

    Raises DataError where the file is another now, or a text holds nothing that a model could read.
    """
    if config.unlabelled is None:
        return ()
    path = Path(config.unlabelled)
    if sha256_of(path) != config.unlabelled_sha256:
        raise DataError(f"{path}: its content changed since the distillation began; distill anew")
    texts = read_texts(path, text_column)
    for number, text in enumerate(texts, start=1):
        if not has_token(text):
            raise DataError(f"{path}: text {number}, {text!a}, holds no token; leave it out")
    return texts


def distill(distillation: Distillation, name: str | None, watching: Watching) -> Distilled:
    """Trains both students and compares them. name None: that of `default_name`, with a number where taken.

    What ends before a first epoch is over leaves no folder behind.
    """
    folder = new_run_folder(name or _free_name(distillation), "")
    try:
        atomic_write_json(folder.recipe, distillation.recipe.to_dict())
        return _finish(folder, distillation, watching)
    except BaseException:
        if not folder.checkpoint.exists() and not _scratch(folder).checkpoint.exists():
            discard(folder)
        raise


def prepare_resume(reference: str) -> tuple[RunFolder, Distillation]:
    """What `resume_distillation` needs, by the name of either student.

    Raises UsageError where that run is no distillation's or it is over, DataError where data or teachers
    changed.
    """
    folder = find_run_folder(reference)
    if _is_from_scratch(read_recipe(folder)):
        folder = find_run_folder(folder.path.with_name(folder.path.name.removesuffix(SCRATCH)))
    recipe = read_recipe(folder)
    if recipe.distill is None:
        raise UsageError(f"{folder.path}: it is no distillation; edgeseq train --resume {folder.path.name}")
    if _is_from_scratch(recipe):
        raise UsageError(f"{folder.path}: it is a student from scratch; --resume the distilled one beside it")
    if (folder.path / RESULT_FILE).is_file():
        raise UsageError(f"{folder.path}: its distillation is over already; there is nothing to resume")
    dataset = load_recorded(recipe, folder.path)
    teachers = tuple(reopened(source) for source in recipe.distill.teachers)
    prepared = prepare(dataset, recipe.splitting, recipe.front_end, recipe.model)
    texts = read_unlabelled(recipe.distill, recipe.reading.text_column)
    return folder, Distillation(recipe, prepared, teachers, texts)


def resume_distillation(folder: RunFolder, distillation: Distillation, watching: Watching) -> Distilled:
    """Goes on with whichever student is not trained yet, and ends as an unbroken distillation."""
    return _finish(folder, distillation, watching)


def check_new_names(name: str) -> None:
    """Raises UsageError where one of the two runs of a distillation cannot have its name."""
    require(
        not name.endswith(SCRATCH),
        f'--name "{name}": a name that ends in {SCRATCH} is that of a student from scratch; take another',
    )
    check_new_name(name, "distill")
    check_new_name(name + SCRATCH, "distill")


def _free_name(distillation: Distillation) -> str:
    default = default_name(distillation.recipe, distillation.prepared)
    number = 1
    while True:
        name = default if number == 1 else f"{default}-{number}"
        if not (RUNS / name).exists() and not (RUNS / (name + SCRATCH)).exists():
            return name
        number += 1


def _is_from_scratch(recipe: Recipe) -> bool:
    return recipe.distill is not None and recipe.distill.targets == "labels"


def _scratch(folder: RunFolder) -> RunFolder:
    return RunFolder(folder.path.with_name(folder.path.name + SCRATCH))


def _finish(folder: RunFolder, distillation: Distillation, watching: Watching) -> Distilled:
    """The student from scratch first: the distilled one is then the newest run, which other commands take."""
    recipe, prepared, of_task = distillation.recipe, distillation.prepared, by_task(distillation.task)
    lessons = of_task.lessons(distillation, watching.step)
    scratch = _from_scratch(folder, distillation, lessons.scratch, watching)
    student = _trained(folder, recipe, prepared, lessons.student, watching)
    rows = compare(distillation.teachers, scratch, student, of_task.exam(prepared), watching.step)
    warnings = (*of_task.warnings(distillation, student), *verdict(rows, distillation.task))
    distilled = Distilled(student, scratch, tuple(rows), warnings)
    atomic_write_json(folder.path / RESULT_FILE, distilled.comparison())
    return distilled


def _from_scratch(
    folder: RunFolder, distillation: Distillation, lesson: Lesson, watching: Watching
) -> Run | None:
    recipe = distillation.scratch_recipe
    if recipe is None:
        return None
    found = _scratch(folder)
    if not found.is_run:
        found = new_run_folder(found.path.name, "")
        atomic_write_json(found.recipe, recipe.to_dict())
    try:
        return _trained(found, recipe, distillation.prepared, lesson, watching)
    except BaseException:
        if not found.checkpoint.exists():
            discard(found)
        raise


def _trained(
    folder: RunFolder, recipe: Recipe, prepared: Prepared, lesson: Lesson, watching: Watching
) -> Run:
    """The run, trained or trained on as far as it is not."""
    if not folder.is_finished:
        with watching.training(folder.path.name) as progress:
            resume(folder, recipe, prepared, progress, lesson)
    return open_run(folder.path)
