"""From a raw input to an answer: what an application on a board calls.

classifier = load_classifier("gestures-gru-int8-pi4")
answer = classifier.classify(readings)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from edgeseq_device import runtimes
from edgeseq_device.frontend import Tokens
from edgeseq_device.opening import Opened, open_model
from edgeseq_device.tokenizer import UNKNOWN

Raw = Union[str, NDArray[Any]]
"""A text, or samples [n] or [n, channels]: of a sound float in [-1, 1], of a series its readings."""


@dataclass(frozen=True)
class Answer:
    """What a model says of one input.

    label: the class, None where its probability is below the model's rejection threshold: none of the
    classes. probability: of the nearest class, whether it is rejected or not. probabilities: of each class,
    in the order of the labels. warnings: what the answer does not rest on, such as tokens that were cut or
    that the model does not know.
    """

    label: str | None
    probability: float
    probabilities: dict[str, float]
    warnings: tuple[str, ...] = ()

    def nearest(self, count: int) -> list[tuple[str, float]]:
        """The `count` most probable classes with their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda each: -each[1])[:count]


class Classifier:
    """A verified model in memory with its front end. Not for several threads at once."""

    def __init__(self, opened: Opened, threads: int) -> None:
        file = opened.file
        self.labels = opened.artifact.labels
        self.format = file.format
        self.rejection_threshold = file.rejection_threshold
        self.front_end = opened.front_end
        self._model = runtimes.load(file.path, file.format, threads)

    def classify(self, raw: Raw, sample_rate_hz: int | None = None, *, reject: bool = True) -> Answer:
        """The answer to one input. sample_rate_hz: of `raw`, None where it is the one that was trained at.

        reject: whether the rejection threshold counts; without, the label is always the nearest class.
        Raises DataError for an input that is not of the model's kind, is empty or holds NaN or infinity.
        """
        found = probabilities(self._model.run(self.front_end.features(raw, sample_rate_hz)))
        best = int(found.argmax())
        threshold = self.rejection_threshold if reject else None
        rejected = threshold is not None and found[best] < threshold
        return Answer(
            label=None if rejected else self.labels[best],
            probability=float(found[best]),
            probabilities={label: float(each) for label, each in zip(self.labels, found)},
            warnings=self._warnings(raw),
        )

    def _warnings(self, raw: Raw) -> tuple[str, ...]:
        if not isinstance(self.front_end, Tokens) or not isinstance(raw, str):
            return ()
        every, most = self.front_end.reader.ids(raw), self.front_end.max_tokens
        ids, warnings = every[:most], []
        if len(every) > most:
            warnings.append(f"{len(every) - most} tokens were cut: the model reads the first {most}")
        unknown = ids.count(UNKNOWN)
        if unknown == len(ids):
            every_one = f"none of its {len(ids)} tokens is" if unknown > 1 else "its only token is not"
            warnings.append(f"{every_one} known to the model")
        elif 2 * unknown > len(ids):
            warnings.append(f"{unknown} of its {len(ids)} tokens are not known to the model")
        return tuple(warnings)


def load_classifier(folder: str | Path, model_format: str | None = None, threads: int = 1) -> Classifier:
    """Verify an artifact folder and load one of its models.

    model_format: "onnx" or "tflite"; then the files of other formats may be missing. None: the one that the
    manifest calls fastest, or another whose runtime is installed. Raises DataError where the artifact is not
    whole, DeviceError where no runtime for it is installed.
    """
    return Classifier(open_model(folder, "classify", model_format), threads)


def probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Softmax over the last axis of logits [.., C], in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    found: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return found
