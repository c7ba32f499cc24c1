"""A causal Transformer as a language model: each token sees the `window` tokens up to itself in every layer.

What a layer needs of the tokens before a chunk, their keys and values, is carried from chunk to chunk (Dai et
al. 2019, arXiv 1901.02860, section 3.2). Rotary positions tell distances alone: a stream may be endless.

Shapes: B streams, T tokens, P tokens carried, E numbers of a token, D hidden width, N heads, d = D / N, V
tokens in the vocabulary.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from edgeseq.models.block import Block, linear_spec, norm_spec, rotary_turn, turned
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.embedding import TokenEmbedding
from edgeseq.models.lm.head import TokenHead
from edgeseq.models.model import LanguageModel, Leaf, State, array
from edgeseq_export.layers import Layer, Pool
from edgeseq_export.spec import SeqSpec


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> TransformerLanguageModel:
    """A new model, its weights drawn from torch's global generator."""
    return TransformerLanguageModel(config, inputs, labels)


class TransformerLanguageModel(LanguageModel):
    """ids [B, T, 1] int64 -> logits [B, T, V]; the state is each layer's keys, not turned yet, and values
    [B, N, P, d] of the last P < window tokens.
    """

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.config, self.labels = config, labels
        self.embedding = TokenEmbedding(inputs.ids, config.embedding, config.embedding_dropout)
        as_wide = config.embedding == config.hidden
        self.input = None if as_wide else nn.Linear(config.embedding, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config, rotary=True, window=config.window) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.hidden)
        self.head = TokenHead(config.hidden, len(labels), tied=config.tied)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As `LanguageModel.forward`."""
        rows = self.embedding(ids)
        if self.input is not None:
            rows = self.input(rows)
        rows = self.dropout(rows)
        T, before = ids.shape[1], 0 if state is None else state[0].shape[2]
        mask = self._visible(before, T)
        turn = rotary_turn(before + T, self.config.hidden // self.config.heads, ids.device)
        carried: list[Tensor] = []
        for number, block in enumerate(cast("list[Block]", self.blocks)):
            queries, keys, values = block.project(rows)
            if state is not None:
                keys = torch.cat([state[2 * number], keys], dim=2)
                values = torch.cat([state[2 * number + 1], values], dim=2)
            rows = block(rows, (turned(queries, turn), turned(keys, turn), values), mask)
            kept = min(before + T, self.config.window - 1)
            carried += [each[:, :, before + T - kept :] for each in (keys, values)]
        return cast(Tensor, self.head(self.dropout(self.norm(rows)), self.embedding)), tuple(carried)

    def _visible(self, before: int, tokens: int) -> Tensor:
        """[T, P + T] bool: which of the tokens carried and of its own chunk each one sees."""
        number = torch.arange(before + tokens)
        age = number[before:, None] - number
        return (age >= 0) & (age < self.config.window)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model described: embedding, input (where the widths differ), blocks, norm, pool, head."""
        layers: list[Layer] = [self.embedding.to_spec("embedding", leaf)]
        if self.input is not None:
            layers.append(linear_spec("input", self.input, leaf))
        for number, block in enumerate(self.blocks):
            layers += cast(Block, block).to_spec(number, leaf)
        layers += [
            norm_spec("norm", self.norm, leaf),
            Pool("pool", "last"),
            self.head.to_spec(self.embedding, leaf),
        ]
        return SeqSpec(1, self.labels, tuple(layers), carries=True)
