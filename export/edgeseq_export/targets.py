"""The kinds of boards that a plan is chosen for."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseq_export.crossovers import Core
from edgeseq_export.forms import Format


@dataclass(frozen=True)
class Target:
    """A kind of board: the column of the crossovers that counts there, and the formats its runtimes read."""

    name: str
    core: Core
    formats: tuple[Format, ...] = ("onnx", "tflite")

    @property
    def is_legacy(self) -> bool:
        """Whether its runtime is tflite-runtime 2.14, where per-channel int8 products are garbage."""
        return self.core == "legacy"


TARGETS = {
    each.name: each
    for each in (
        Target("generic", "plain"),
        Target("x86", "x86"),
        Target("pi3", "plain"),
        Target("pi4", "plain"),
        Target("pi5", "dotprod"),
        Target("zero2", "plain"),
        Target("armv7", "legacy", ("tflite",)),
    )
}
"""generic is right on every 64-bit board and chosen as for the weakest of their cores."""


def target_for(name: str, model_format: Format) -> Target:
    """By name. Raises ValueError where it is not known or has no runtime for the format."""
    if name not in TARGETS:
        raise ValueError(f"unknown target {name!r}; known: {', '.join(TARGETS)}")
    if model_format not in TARGETS[name].formats:
        raise ValueError(f"{name}: no runtime for {model_format}; it has one for {TARGETS[name].formats[0]}")
    return TARGETS[name]
