"""The families of models by name, and the shape that a model can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeseq.names import unknown
from edgeseq.settings import require
from edgeseq_device.errors import UsageError

# The module that builds each family. Imported on use, because each one needs torch.
FAMILIES = {"gru": "edgeseq.models.recurrent", "lstm": "edgeseq.models.recurrent"}


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model. Raises UsageError on a value that makes no model."""

    family: str = "gru"
    hidden: int = 64
    layers: int = 1
    bidirectional: bool = False
    pooling: Literal["last", "mean", "max"] = "last"
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_family(self.family)
        require(self.hidden >= 1, f"hidden is {self.hidden}; give at least 1 unit")
        require(self.layers >= 1, f"layers is {self.layers}; give at least 1")
        require(self.pooling in ("last", "mean", "max"), f"pooling {self.pooling!r} is not last, mean or max")
        require(0 <= self.dropout < 1, f"dropout is {self.dropout}; it must be at least 0 and below 1")


def check_family(name: str) -> None:
    """Raises UsageError, naming the nearest family, when `name` is none."""
    if name not in FAMILIES:
        raise UsageError(unknown("model", name, FAMILIES))
