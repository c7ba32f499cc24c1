"""Parity: do two implementations of the same model give the same answers?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeseq_export.quantize import FloatArray

TOLERANCE = {"fp32": 1e-5, "int8": 1e-3}


@dataclass(frozen=True)
class Parity:
    """How far the answers of `subject` are from those of `against`, over n inputs.

    max_error: the largest max|a - b| / max(1, max|b|) of an input, and worst: that input's name;
    flips: inputs whose argmax differs although b's two largest logits are further apart than the tolerance.
    """

    subject: str
    against: str
    n: int
    max_error: float
    worst: str
    flips: int
    tolerance: float

    @property
    def passed(self) -> bool:
        """Within the tolerance, with every decision equal."""
        return self.max_error <= self.tolerance and not self.flips


def compare(
    subject: str,
    answers: FloatArray,
    against: str,
    expected: FloatArray,
    names: tuple[str, ...],
    tolerance: float,
) -> Parity:
    """Compare logits [n, C] float32. A NaN or infinity on either side is an infinite error.

    Raises ValueError where the shapes differ or n is 0.
    """
    if answers.shape != expected.shape or not len(answers):
        raise ValueError(f"{subject} answers {answers.shape}, {against} {expected.shape}")
    scale = np.maximum(1, np.abs(expected).max(axis=1))
    with np.errstate(invalid="ignore"):
        errors = np.abs(answers - expected).max(axis=1) / scale
    errors = np.where(np.isfinite(errors), errors, np.inf)
    largest = np.sort(expected, axis=1)
    decided = largest[:, -1] - largest[:, -2] > tolerance * scale
    flips = int((decided & (answers.argmax(axis=1) != expected.argmax(axis=1))).sum())
    worst = int(errors.argmax())
    return Parity(subject, against, len(answers), float(errors[worst]), names[worst], flips, tolerance)
