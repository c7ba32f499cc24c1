"""The first layer of a model of text: the ids of a token to one row of numbers."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.model import Leaf
from edgeseq_export.layers import Embedding

PADDING = 0  # the id whose row is zero and stays it
SPREAD = 0.1  # of the rows at first: K of them are added up, and torch's 1 would drown what is learned


class TokenEmbedding(nn.Module):
    """The sum of the rows of a table that a token's K ids name: the token's own, its n-grams', its subwords'.

    (Bojanowski et al. 2017, arXiv 1607.04606, section 3.2.) spread: of the table's numbers at first.
    """

    def __init__(self, ids: int, width: int, dropout: float, spread: float = SPREAD) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(ids, width, mode="sum", padding_idx=PADDING)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.table.weight.normal_(std=spread)
            self.table.weight[PADDING] = 0

    def forward(self, ids: Tensor) -> Tensor:
        """ids: [B, T, K] int64 -> [B, T, D] float32."""
        B, T, K = ids.shape
        return cast(Tensor, self.dropout(self.table(ids.reshape(B * T, K)).view(B, T, -1)))

    def to_spec(self, name: str, leaf: Leaf) -> Embedding:
        """The layer described, its table [R, D]."""
        return Embedding(name, leaf(self.table.weight))


def embedding_of(config: ModelConfig, inputs: Inputs) -> TokenEmbedding | None:
    """The layer that reads ids, None for a model of readings."""
    if not inputs.ids:
        return None
    return TokenEmbedding(inputs.ids, config.embedding, config.embedding_dropout)
