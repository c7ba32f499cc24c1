"""What teachers and students are compared on: the validation and test split, and what is out of scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeseq.data import Recording
from edgeseq.distill.teachers import Asked
from edgeseq.evaluate import Evaluation, evaluate_logits, out_of_scope_metrics
from edgeseq.features import FeatureArray, FloatArray, LabelledFeatures, Prepared
from edgeseq.runs import Run

SPLITS = ("validation", "test")
TIMED = 16  # recordings that latency is taken on


@dataclass(frozen=True)
class Figures:
    """Accuracy by split; out_of_scope_recall: of the test recordings of none of the classes, the part that
    is rejected by the threshold that validation gives; in_scope_accuracy: of those of the classes, the part
    that is right and not rejected by it. None where the data has none.
    """

    validation: float
    test: float
    out_of_scope_recall: float | None
    in_scope_accuracy: float | None = None

    @property
    def scoped(self) -> bool:
        """Whether the data has recordings of none of the classes."""
        return self.out_of_scope_recall is not None


@dataclass(frozen=True, eq=False)
class Part:
    """Some recordings: as a teacher is asked, and as features of the student's. name: for people."""

    name: str
    asked: Asked
    data: LabelledFeatures


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The held-out recordings of a distillation's data."""

    prepared: Prepared

    @cached_property
    def inside(self) -> dict[str, Part]:
        """By split, the recordings of the classes."""
        prepared = self.prepared
        return {
            name: self._part(name, prepared.recordings(name), prepared.splits.named(name)) for name in SPLITS
        }

    @cached_property
    def outside(self) -> dict[str, Part]:
        """By split, the recordings of none of the classes, where there are any."""
        found = {}
        for name, data in self.prepared.splits.out_of_scope.items():
            recordings = [each for each in self.prepared.dataset.out_of_scope if each.split == name]
            found[name] = self._part(f"{name} out of scope", recordings, data)
        return found

    def timed(self) -> Asked:
        """A few recordings of the validation split, evenly from the shortest to the longest."""
        part = self.inside["validation"]
        lengths = [len(each) for each in part.data.features]
        order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
        places = np.linspace(0, len(order) - 1, min(TIMED, len(order))).round().astype(int)
        return [part.asked[order[place]] for place in places]

    def figures(self, answer: Callable[[Part], FloatArray]) -> Figures:
        """answer: gives the logits [n, C] to a part, in the order of the data's labels."""

        def judged(parts: dict[str, Part]) -> dict[str, Evaluation]:
            return {name: evaluate_logits(answer(part), part.data) for name, part in parts.items()}

        inside, outside = judged(self.inside), judged(self.outside)
        rejecting = out_of_scope_metrics(inside, outside)
        test = rejecting and rejecting.splits.get("test")
        return Figures(
            inside["validation"].accuracy,
            inside["test"].accuracy,
            test.recall if test else None,
            test.accuracy if test else None,
        )

    def _part(self, name: str, recordings: Sequence[Recording], data: LabelledFeatures) -> Part:
        is_text = self.prepared.dataset.kind == "text"
        asked: Sequence[str] | Sequence[FeatureArray]
        asked = [str(each.samples) for each in recordings] if is_text else data.features
        return Part(name, asked, data)


def figures_of(run: Run) -> Figures:
    """Those that training measured."""
    test = run.metrics.get("out_of_scope", {}).get("test", {})
    validation, accuracy = (float(run.metrics[name]["accuracy"]) for name in SPLITS)
    return Figures(validation, accuracy, test.get("recall"), test.get("accuracy"))
