"""What a distillation is: a recipe, its data, its teachers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from edgeseq.distill.teachers import Teacher
from edgeseq.distill.transfer import TransferSet, transfer_set
from edgeseq.features import Prepared
from edgeseq.runs import Run
from edgeseq.training.recipe import DistillConfig, Recipe
from edgeseq_device.tasks import Task


@dataclass(frozen=True, eq=False)
class Distillation:
    """A recipe with its data and its teachers, checked. unlabelled: further texts."""

    recipe: Recipe
    prepared: Prepared
    teachers: tuple[Teacher, ...]
    unlabelled: tuple[str, ...] = ()

    @property
    def config(self) -> DistillConfig:
        """The recipe's."""
        assert self.recipe.distill is not None  # noqa: S101 - it is a distillation's
        return self.recipe.distill

    @property
    def task(self) -> Task:
        """What teachers and student are for."""
        return self.recipe.model.task

    @cached_property
    def transfer(self) -> TransferSet:
        """What teachers are asked and both students are given, of classifiers."""
        return transfer_set(self.recipe, self.prepared, self.further_texts)

    @cached_property
    def further_texts(self) -> tuple[str, ...]:
        """The unlabelled texts but for those that students are judged by."""
        if not self.unlabelled:
            return ()
        judged = [*self.prepared.recordings("validation"), *self.prepared.recordings("test")]
        held_out = {str(each.samples) for each in (*judged, *self.prepared.dataset.out_of_scope)}
        return tuple(text for text in self.unlabelled if text not in held_out)

    @property
    def scratch_recipe(self) -> Recipe | None:
        """That of the student from scratch: the same but for what it learns from and its dropout."""
        if self.config.twin is None:
            return None
        config = replace(self.config, targets="labels", twin=None)
        return replace(self.recipe, model=self.config.twin, distill=config)

    def found_by(self, student: Run) -> tuple[str, ...]:
        """What its training warned of beside what is known of the data."""
        return tuple(each for each in student.warnings if each not in self.prepared.warnings)
