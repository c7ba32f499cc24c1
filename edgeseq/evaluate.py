"""Accuracy of a model on labelled recordings, as a torch module or as an exported file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from edgeseq.batches import logits_of
from edgeseq.features import FloatArray, LabelledFeatures
from edgeseq_device.artifact import Artifact
from edgeseq_device.errors import DataError, EdgeseqError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """n recordings, `correct` of them classified rightly; predictions and labels: [n] int64 class numbers."""

    n: int
    correct: int
    accuracy: float
    predictions: IntArray
    labels: IntArray

    def confusion(self, classes: int) -> IntArray:
        """[classes, classes] int64: rows are the true class, columns the predicted one."""
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (self.labels, self.predictions), 1)
        return counts


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
    return Evaluation(len(data), correct, correct / len(data), predictions, data.labels)


def one_by_one(
    run: Callable[[FloatArray], FloatArray],
    features: Sequence[FloatArray],
    progress: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """[n, C] float32 logits of n recordings [T_i, F], each run on its own. `progress(done, n)` after each."""
    rows: list[FloatArray] = []
    for item in features:
        rows.append(np.asarray(run(item), np.float32).reshape(-1))
        if progress is not None:
            progress(len(rows), len(features))
    return np.stack(rows) if rows else np.zeros((0, 1), np.float32)
