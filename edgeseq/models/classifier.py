"""What every model family is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from edgeseq_export.spec import SeqSpec


class SequenceClassifier(nn.Module, ABC):
    """A torch module for training that can also describe itself in numpy for export."""

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features: [B, T, I] float32; lengths: [B] int64, each in 1..T. Returns logits [B, C] float32.

        What stands after a recording's true length changes no answer.
        """

    @abstractmethod
    def to_spec(self) -> SeqSpec:
        """The same model with its present weights, as float32 copies."""
