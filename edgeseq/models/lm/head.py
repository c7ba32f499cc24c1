"""The last layer of a language model: rows to logits of the next token, by its own table or a tied one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.embedding import PADDING, TokenEmbedding
from edgeseq.models.model import Leaf
from edgeseq_export.layers import Linear


class TokenHead(nn.Module):
    """Rows [..., D] -> logits [..., V].

    tied: the table of the tokens that come in is that of the logits, too (Press and Wolf 2017, arXiv
    1608.05859); it is the embedding's parameter alone.
    """

    def __init__(self, width: int, tokens: int, *, tied: bool) -> None:
        super().__init__()
        own = nn.Linear(width, tokens)
        self.weight = None if tied else own.weight
        self.bias = own.bias

    def forward(self, rows: Tensor, embedding: TokenEmbedding) -> Tensor:
        """rows: [..., D] -> [..., V]."""
        return functional.linear(rows, self._weight(embedding), self.bias)

    def _weight(self, embedding: TokenEmbedding) -> Tensor:
        """[V, D]. Padding's row of a tied table stays zero: no gradient of the logits moves it."""
        if self.weight is not None:
            return self.weight
        table = embedding.table.weight
        return torch.cat([table[: PADDING + 1].detach(), table[PADDING + 1 :]])

    def to_spec(self, embedding: TokenEmbedding, leaf: Leaf) -> Linear:
        """The layer described, its weight [V, D]."""
        weight = embedding.table.weight if self.weight is None else self.weight
        return Linear("head", leaf(weight), leaf(self.bias))
