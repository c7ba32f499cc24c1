"""Accuracy of a classifier on labelled recordings, in torch or as an exported file; what it rejects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from edgeseq.batches import logits_of
from edgeseq.features import FeatureArray, FloatArray, LabelledFeatures
from edgeseq_device.artifact import Artifact
from edgeseq_device.classify import probabilities
from edgeseq_device.errors import DataError, EdgeseqError

IntArray = npt.NDArray[np.int64]
_DECIMALS = 6  # of a threshold


@dataclass(frozen=True, eq=False)
class Evaluation:
    """n recordings, `correct` of them classified rightly; predictions and labels: [n] int64 class numbers.

    confidences: [n] float64, the probability of each prediction.
    """

    n: int
    correct: int
    accuracy: float
    predictions: IntArray
    labels: IntArray
    confidences: npt.NDArray[np.float64]

    def confusion(self, classes: int) -> IntArray:
        """[classes, classes] int64: rows are the true class, columns the predicted one."""
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (self.labels, self.predictions), 1)
        return counts


@dataclass(frozen=True)
class Rejecting:
    """What a rejection threshold does on a split: answers below it count as none of the classes.

    n: recordings of the classes, of which the part `accuracy` is classified rightly and not rejected.
    outside: recordings of none of them, of which the part `recall` is rejected.
    """

    n: int
    accuracy: float
    outside: int
    recall: float


@dataclass(frozen=True)
class OutOfScope:
    """The rejection threshold of a model, chosen on validation, and what it does on each split."""

    threshold: float
    splits: Mapping[str, Rejecting]

    def to_dict(self) -> dict[str, Any]:
        """As JSON: "threshold", and a Rejecting under the name of each split."""
        return {"threshold": self.threshold, **{name: asdict(each) for name, each in self.splits.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OutOfScope:
        """What `to_dict` made, from a file of ours."""
        splits = {name: Rejecting(**each) for name, each in values.items() if name != "threshold"}
        return cls(float(values["threshold"]), splits)


def out_of_scope_metrics(
    inside: Mapping[str, Evaluation], outside: Mapping[str, Evaluation]
) -> OutOfScope | None:
    """By split: recordings of the classes and of none. None where validation has none of the latter."""
    if "validation" not in outside:
        return None
    threshold = choose_threshold(inside["validation"], outside["validation"])
    splits = {name: rejecting(threshold, inside[name], each) for name, each in outside.items()}
    return OutOfScope(threshold, splits)


def choose_threshold(inside: Evaluation, outside: Evaluation) -> float:
    """The threshold on the largest probability (Hendrycks and Gimpel 2017, arXiv 1610.02136, section 3) with
    the largest mean of the two parts that `Rejecting` has; of several alike the lowest.
    """
    found = np.unique(np.concatenate([inside.confidences, outside.confidences]))
    between = np.round((found[1:] + found[:-1]) / 2, _DECIMALS)
    candidates = np.concatenate([[0.0], between])
    kept = np.sort(inside.confidences[inside.predictions == inside.labels])
    accuracy = (len(kept) - np.searchsorted(kept, candidates)) / inside.n
    recall = np.searchsorted(np.sort(outside.confidences), candidates) / outside.n
    return float(candidates[np.argmax(accuracy + recall)])


def rejecting(threshold: float, inside: Evaluation, outside: Evaluation) -> Rejecting:
    """What `threshold` does to recordings of the classes and to others."""
    right = (inside.predictions == inside.labels) & (inside.confidences >= threshold)
    rejected = outside.confidences < threshold
    return Rejecting(inside.n, float(right.mean()), outside.n, float(rejected.mean()))


def evaluate_module(module: nn.Module, data: LabelledFeatures) -> Evaluation:
    """Accuracy of forward(features [B, T, F], lengths [B]) -> logits [B, C], in evaluation mode.

    Raises DataError where there are no recordings, EdgeseqError where an answer is NaN.
    """
    was_training = module.training
    module.eval()
    try:
        return evaluate_logits(logits_of(module, data.features) if len(data) else np.zeros((0, 1)), data)
    finally:
        module.train(was_training)


def evaluate_artifact(
    artifact: Artifact,
    format_name: str,
    data: LabelledFeatures,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Accuracy of one exported model file, recording by recording as a board would run it.

    `format_name` is onnx or tflite. `progress(done, n)` is called as it goes. Raises DataError where the
    artifact lacks that format.
    """
    from edgeseq_device import runtimes  # noqa: PLC0415 - a run is evaluated without any runtime installed

    loaded = runtimes.load(artifact.model(format_name).path, format_name)
    return evaluate_logits(one_by_one(loaded.run, data.features, progress), data)


def evaluate_logits(logits: npt.NDArray[np.floating], data: LabelledFeatures) -> Evaluation:
    """The evaluation of given answers; logits: [n, C].

    Raises DataError on no recordings, EdgeseqError on NaN or infinity.
    """
    if not len(data):
        raise DataError("there are no recordings to evaluate in that split; choose another --split")
    if not np.isfinite(logits).all():
        worst = data.names[int(np.argmin(np.isfinite(logits).all(axis=1)))]
        raise EdgeseqError(
            f"{worst}: the model answers NaN or infinity; train it again with a lower --learning-rate"
        )
    predictions = logits.argmax(axis=1).astype(np.int64)
    correct = int((predictions == data.labels).sum())
    confidences = probabilities(logits).max(axis=1)
    return Evaluation(len(data), correct, correct / len(data), predictions, data.labels, confidences)


def one_by_one(
    run: Callable[[FeatureArray], FloatArray],
    features: Sequence[FeatureArray],
    progress: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """[n, C] float32 logits of n recordings [T_i, F], each run on its own. `progress(done, n)` after each."""
    rows: list[FloatArray] = []
    for item in features:
        rows.append(np.asarray(run(item), np.float32).reshape(-1))
        if progress is not None:
            progress(len(rows), len(features))
    return np.stack(rows) if rows else np.zeros((0, 1), np.float32)
