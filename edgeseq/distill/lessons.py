"""What the distilled student and the student from scratch are taught: the same examples, other objectives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from edgeseq.distill.answers import Answers
from edgeseq.distill.examples import TransferExamples
from edgeseq.distill.objectives import Imitation, MixedLabels, SoftTargets
from edgeseq.distill.teachers import Teacher
from edgeseq.distill.transfer import TransferSet
from edgeseq.features import Prepared
from edgeseq.models.classify.transformer import TransformerClassifier
from edgeseq.models.model import SequenceModel
from edgeseq.settings import require
from edgeseq.training.lesson import Lesson
from edgeseq.training.recipe import DistillConfig, Phase, Recipe
from edgeseq_device.errors import UsageError


@dataclass(frozen=True, eq=False)
class Lessons:
    """scratch: of the student from scratch; student: of the one that is distilled."""

    scratch: Lesson
    student: Lesson


def scratch_lesson(transfer: TransferSet) -> Lesson:
    """The labels of the same variants."""
    return Lesson(
        TransferExamples(transfer, None), lambda phase, _module: MixedLabels(phase.config.label_smoothing)
    )


def student_lesson(
    transfer: TransferSet, answers: Answers, teachers: Sequence[Teacher], config: DistillConfig
) -> Lesson:
    """The teachers' answers; in fp32 the inside of the one teacher too, where the config asks for it."""

    def objective(phase: Phase, module: SequenceModel) -> nn.Module:
        soft = SoftTargets(config.temperature, config.hard_weight, phase.config.label_smoothing)
        if phase.name == "qat" or not config.looks_inside:
            return soft
        return Imitation(soft, _transformer(module), _transformer(teachers[0].module), config)

    return Lesson(TransferExamples(transfer, answers), objective)


def check_inside(recipe: Recipe, prepared: Prepared, teachers: Sequence[Teacher]) -> None:
    """Raises UsageError where losses on the inside of a teacher cannot be: before anything is trained."""
    config = recipe.distill
    if config is None or not config.looks_inside:
        return
    what = "--relation-weight and --hidden-weight look inside a teacher"
    require(len(teachers) == 1, f"{what}, and {len(teachers)} have no one inside; give one --teacher")
    (teacher,) = teachers
    name, student = teacher.source.reference, recipe.model
    if teacher.run is None or {teacher.run.recipe.model.family, student.family} != {"transformer"}:
        raise UsageError(
            f"{what}: it and the student must be runs of a transformer; {name} with a {student.family} is not"
            " that"
        )
    require(
        teacher.run.front_end == prepared.front_end,
        f"{what}, which must read what the student reads: give the student the same options about features"
        f" and tokens as {name} has",
    )
    its = teacher.run.recipe.model
    require(
        (its.pooling == "cls") == (student.pooling == "cls"),
        f"{what}, row by row, and pooling cls has a row more: {name} has pooling {its.pooling}, the student"
        f" {student.pooling}; give --pooling {its.pooling}",
    )
    for model in (its, student):
        heads = config.relation_heads or its.heads
        fits = not config.relation_weight or model.hidden % heads == 0
        require(fits, f"{heads} relation heads do not divide hidden {model.hidden}; give --relation-heads")


def _transformer(module: SequenceModel | None) -> TransformerClassifier:
    if not isinstance(module, TransformerClassifier):
        raise UsageError("only transformers have an inside to compare; take them for teacher and student")
    return module
