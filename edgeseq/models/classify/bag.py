"""A bag of tokens and n-grams as a classifier (Joulin et al. 2016, arXiv 1607.01759), with a hidden layer.

Shapes: B texts, T tokens (padded), K ids of a token, D numbers of its row, H hidden units, C classes.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.embedding import TokenEmbedding
from edgeseq.models.model import Leaf, SequenceClassifier, array
from edgeseq_export.layers import Linear, Pool, PoolKind
from edgeseq_export.spec import SeqSpec


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> BagClassifier:
    """A new classifier, its weights drawn from torch's global generator."""
    return BagClassifier(config, inputs, labels)


class BagClassifier(SequenceClassifier):
    """ids [B, T, K] int64, lengths [B] int64 -> logits [B, C] float32. What order there is, n-grams hold."""

    embedding: TokenEmbedding

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.config = config
        self.input_features = inputs.features
        self.labels = labels
        self.embedding = TokenEmbedding(inputs.ids, config.embedding, config.embedding_dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(config.embedding, config.hidden)
        self.head = nn.Linear(config.hidden, len(labels))

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features: [B, T, K] int64 ids; lengths: [B] int64, each in 1..T. Returns logits [B, C]."""
        pooled = self.dropout(self._pool(self.embedding(features), lengths))
        middle = functional.relu(self.hidden(pooled))
        return cast(Tensor, self.head(self.dropout(middle)))

    def _pool(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, D] -> [B, D] over the true tokens."""
        inside = torch.arange(rows.shape[1], device=rows.device)[None, :, None] < lengths[:, None, None]
        if self.config.pooling == "mean":
            return (rows * inside).sum(dim=1) / lengths[:, None]
        return rows.masked_fill(~inside, -torch.inf).amax(dim=1)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model described: layers embedding, pool, hidden, head."""
        hidden = Linear("hidden", leaf(self.hidden.weight), leaf(self.hidden.bias), "relu")
        head = Linear("head", leaf(self.head.weight), leaf(self.head.bias))
        pool = Pool("pool", cast(PoolKind, self.config.pooling))  # the config refused the others
        layers = (self.embedding.to_spec("embedding", leaf), pool, hidden, head)
        return SeqSpec(self.input_features, self.labels, layers)
