"""What models of a task are compared by: figures on held-out data, and what latency is taken on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgeseq.distill.held_out import Figures
from edgeseq.distill.teachers import Teacher, Watched
from edgeseq.features import Prepared
from edgeseq.runs import Run
from edgeseq_device.runtimes import LoadedModel
from edgeseq_device.stepping import LoadedStep
from edgeseq_export import Format

SplitFigures = Mapping[str, Mapping[str, float]]
"""By held-out split what a language model or a forecaster reaches: as in run.json's metrics."""
Timed = Callable[[int], object]
"""Answers the timed input of a number."""


@dataclass(frozen=True, eq=False)
class Written:
    """A model as an export would write it. bytes: of all that a board needs, model_bytes: of the model file.

    what: it, for people. step: the step form of a language model.
    """

    what: str
    form: Format
    bytes: int
    model_bytes: int
    loaded: LoadedModel
    step: LoadedStep | None


class Exam(ABC):
    """The held-out data of a task."""

    int8_teachers = True
    """Whether teachers have rows in int8, too."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared

    @property
    @abstractmethod
    def timed_inputs(self) -> int:
        """How many inputs latency is taken on."""

    @abstractmethod
    def of_run(self, run: Run) -> Figures | SplitFigures:
        """Of its trained module."""

    @abstractmethod
    def of_teachers(self, teachers: Sequence[Teacher], watch: Watched) -> Figures | SplitFigures:
        """Of what they answer together."""

    @abstractmethod
    def of_file(self, written: Written, run: Run, watch: Watched) -> Figures | SplitFigures:
        """Of a file, in the runtime that a board uses. run: whose it is."""

    @abstractmethod
    def timed(self, written: Written, run: Run) -> Timed:
        """A file that answers one of the inputs, whose features are ready."""

    def timed_teacher(self, teacher: Teacher) -> Timed:
        """A teacher that is no run, and so has no file."""
        raise TypeError(f"{teacher.source.reference} is no run")
