"""What every model family is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from edgeseq_export.spec import SeqSpec

if TYPE_CHECKING:
    from edgeseq.models.embedding import TokenEmbedding

Leaf = Callable[[Tensor], Any]
"""What a spec holds of a parameter: `array` for export; the parameter itself where gradients shall flow."""


def array(parameter: Tensor) -> npt.NDArray[np.float32]:
    """A float32 copy that later training steps do not change."""
    return parameter.detach().cpu().numpy().astype(np.float32, copy=True)


class SequenceClassifier(nn.Module, ABC):
    """A torch module for training that can also describe itself for export.

    embedding: the layer that reads ids, None where the features are readings.
    """

    embedding: TokenEmbedding | None

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features: [B, T, I] float32, or int64 ids; lengths: [B] int64, each in 1..T. Returns logits [B, C].

        What stands after a recording's true length changes no answer.
        """

    @abstractmethod
    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model with its present weights, each as `leaf` gives it: by default a float32 copy."""
