"""Parity: do two implementations of the same model give the same answers?"""

from __future__ import annotations

from dataclasses import dataclass

from edgeseq_device.measuring.measure import compare_logits
from edgeseq_export.quantize import FloatArray

TOLERANCE = {"fp32": 1e-5, "int8": 1e-3}
BOARD_TOLERANCE = {"armv7": 1e-3}
"""On a target whose runtime computes less exactly than a host's: tflite-runtime 2.14 on 32-bit ARM gets tanh
and sigmoid right to 7.5e-6 (2e-7 on x86), and a GRU-16 in fp32 to 6.3e-5."""
WIDEST_TOLERANCE = 0.05
"""For a model in which a rounding that falls to the other side moves answers beyond int8's tolerance."""


@dataclass(frozen=True)
class Parity:
    """How far the answers of `subject` are from those of `against`, over n inputs.

    max_error: the largest max|a - b| / max(1, max|b|) of an input, None where an answer is no number;
    worst: that input's name; flips: inputs whose decision differs although b's was surer than the tolerance,
    None of forecasts, which decide nothing. noise_error: how far `against` itself moves when its activations
    change in the seventh digit; asked only where the usual tolerance was not kept.
    """

    subject: str
    against: str
    n: int
    max_error: float | None
    worst: str
    flips: int | None
    tolerance: float
    passed: bool
    noise_error: float | None = None


def compare(
    subject: str,
    answers: FloatArray,
    against: str,
    expected: FloatArray,
    names: tuple[str, ...],
    tolerance: float,
    *,
    decides: bool = True,
) -> Parity:
    """Compare logits [n, C] float32 of n named inputs. Raises ValueError where the shapes differ.

    decides: whether the largest number of an answer is a decision; else it is a forecast.
    """
    found = compare_logits(answers, expected, tolerance, decides=decides)
    worst, flips = names[found.worst], found.decisions_changed if decides else None
    return Parity(subject, against, len(answers), found.error, worst, flips, tolerance, found.ok)
