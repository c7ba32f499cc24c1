"""What every model is: a torch module for training that describes itself for export."""

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

State = tuple[Tensor, ...]
"""Tensors [..., B, ...] that a language model carries from one chunk of a stream to the next."""
Leaf = Callable[[Tensor], Any]
"""What a spec holds of a parameter: `array` for export; the parameter itself where gradients shall flow."""


def array(parameter: Tensor) -> npt.NDArray[np.float32]:
    """A float32 copy that later training steps do not change."""
    return parameter.detach().cpu().numpy().astype(np.float32, copy=True)


class SequenceModel(nn.Module, ABC):
    """A torch module for training that can also describe itself for export.

    embedding: the layer that reads ids, None where the features are readings.
    """

    embedding: TokenEmbedding | None

    @abstractmethod
    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model with its present weights, each as `leaf` gives it: by default a float32 copy."""


class SequenceClassifier(SequenceModel):
    """A recording in, a logit for each class out."""

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features: [B, T, I] float32, or int64 ids; lengths: [B] int64, each in 1..T. Returns logits [B, C].

        What stands after a recording's true length changes no answer.
        """


class LanguageModel(SequenceModel):
    """Tokens in, the logits of each next one out; V tokens in the vocabulary."""

    embedding: TokenEmbedding

    @abstractmethod
    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """ids: [B, T, 1] int64; state: what the tokens before have left, None before the first one.

        Returns logits [B, T, V] of the token behind each, and the state behind the last. Chunk by chunk with
        the state carried, a stream gets the answers that it gets as a whole.
        """


class Forecaster(SequenceModel):
    """The last L moments of C channels in, the next H out."""

    embedding: None

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features: [B, L, C] float32; lengths: [B], all L.

        Returns [B, H * C] in the units of `features`: moment by moment, all channels of one together.
        """
