"""What a training teaches: its examples, and the objective of each phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from edgeseq.models.model import SequenceModel
from edgeseq.training.examples import Examples
from edgeseq.training.recipe import Phase


@dataclass(frozen=True, eq=False)
class Lesson:
    """examples: of every epoch. objective: makes a phase's objective (`edgeseq.training.objective`) anew.

    An objective may draw first weights of its own: torch's generator is seeded before it is called.
    """

    examples: Examples
    objective: Callable[[Phase, SequenceModel], nn.Module]
