"""What a training teaches: its examples, and the objective of each phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from edgeseq.features import Prepared
from edgeseq.models.model import SequenceModel
from edgeseq.training.examples import Augmented, AugmentedTexts, Examples
from edgeseq.training.objective import CrossEntropy
from edgeseq.training.recipe import Phase, Recipe, TrainConfig
from edgeseq_device.tokens import Tokens


@dataclass(frozen=True, eq=False)
class Lesson:
    """examples: of every epoch. objective: makes a phase's objective (`edgeseq.training.objective`) anew.

    An objective may draw first weights of its own: torch's generator is seeded before it is called.
    """

    examples: Examples
    objective: Callable[[Phase, SequenceModel], nn.Module]


def lesson_of(recipe: Recipe, prepared: Prepared) -> Lesson:
    """Learning from labels alone: the training split, augmented, cross-entropy."""
    return Lesson(
        _examples(recipe.training, prepared),
        lambda phase, _module: CrossEntropy(phase.config.label_smoothing),
    )


def _examples(training: TrainConfig, prepared: Prepared) -> Examples:
    data, front_end = prepared.splits.train, prepared.front_end
    if isinstance(front_end, Tokens):
        return AugmentedTexts(data, front_end, training.augment, training.seed)
    return Augmented(data, training.augment, training.seed)
