"""A pre-norm Transformer encoder as a classifier (Xiong et al. 2020, arXiv 2002.04745, figure 1b).

Shapes: B recordings, T rows (frames, padded, and the class token where there is one), I input features,
D hidden width, N heads, d = D / N, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.block import Block, Heads, Turn, linear_spec, norm_spec, rotary_turn, turned
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.embedding import embedding_of
from edgeseq.models.front import Front
from edgeseq.models.model import Leaf, SequenceClassifier, array
from edgeseq_device.errors import UsageError
from edgeseq_export.layers import ClassToken, Layer, Pool, Positions
from edgeseq_export.spec import SeqSpec

ROW_SPREAD = 0.02  # of the learned rows at first (Dosovitskiy et al. 2021, arXiv 2010.11929, appendix D.3)


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> TransformerClassifier:
    """A new classifier, its weights drawn from torch's global generator."""
    return TransformerClassifier(config, inputs, labels)


@dataclass(frozen=True, eq=False)
class Trace:
    """What a forward pass computed on its way.

    logits: [B, C]. hidden: [B, T, D] in front of the first block, then behind each one. queries, keys,
    values: [B, N, T, d] of the last block, turned where positions are rotary, before they are scaled.
    inside: [B, T], False for padding.
    """

    logits: Tensor
    hidden: tuple[Tensor, ...]
    queries: Tensor
    keys: Tensor
    values: Tensor
    inside: Tensor


class TransformerClassifier(SequenceClassifier):
    """features [B, T, I] float32, or int64 ids, lengths [B] int64 -> logits [B, C] float32.

    No true frame attends to padding, so that what stands after a recording's true length changes no answer.
    """

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.config = config
        self.input_features = inputs.features
        self.labels = labels
        width, token, learned = config.hidden, config.pooling == "cls", config.positions == "learned"
        self.embedding = embedding_of(config, inputs)
        self.front = Front(config.embedding or inputs.features, width, max(1, config.conv_kernel), "none")
        self.token = _learned_rows(1, width) if token else None
        self.table = _learned_rows(config.max_frames + token, width) if learned else None
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config, rotary=not learned, window=config.window if config.causal else None)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(labels))

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features: [B, T, I] float32 or int64 ids; lengths: [B] int64, each in 1..T. Returns logits [B, C].

        Raises UsageError on more frames than learned positions know.
        """
        return self.trace(features, lengths).logits

    def trace(self, features: Tensor, lengths: Tensor) -> Trace:
        """`forward`, and what it computed on its way."""
        inside = torch.arange(features.shape[1], device=features.device) < lengths[:, None]
        rows = features.masked_fill(~inside[:, :, None], 0)
        rows = self.front(rows if self.embedding is None else self.embedding(rows))
        if self.token is not None:
            rows = torch.cat([self.token.expand(len(rows), 1, -1), rows], dim=1)
            lengths = lengths + 1
            inside = functional.pad(inside, (1, 0), value=True)
        rows = self.dropout(self._with_positions(rows))
        mask, turn = self._visible(inside), self._turn(rows.shape[1])
        hidden, heads = [rows], (rows, rows, rows)
        for block in cast("list[Block]", self.blocks):
            heads = _with_turn(block.project(rows), turn)
            rows = block(rows, heads, mask)
            hidden.append(rows)
        logits = self.head(self.dropout(self._pool(self.norm(rows), lengths, inside)))
        return Trace(logits, tuple(hidden), *heads, inside)

    def _with_positions(self, rows: Tensor) -> Tensor:
        if self.table is None:
            return rows
        if rows.shape[1] > len(self.table):
            raise UsageError(
                f"a recording needs {rows.shape[1]} positions, {len(self.table)} are learned:"
                " train with more max frames, or with rotary positions"
            )
        return rows + self.table[: rows.shape[1]]

    def _visible(self, inside: Tensor) -> Tensor:
        """Which rows each row sees, as bool that broadcasts to [B, N, T, T].

        A causal model needs no padding mask: padding lies in the future of every true frame.
        """
        if not self.config.causal:
            return inside[:, None, None, :]
        number = torch.arange(inside.shape[1], device=inside.device)
        age = number[:, None] - number
        return (age >= 0) & (age < self.config.window)

    def _turn(self, rows: int) -> Turn | None:
        if self.config.positions != "rotary":
            return None
        return rotary_turn(rows, self.config.hidden // self.config.heads, self.head.weight.device)

    def _pool(self, rows: Tensor, lengths: Tensor, inside: Tensor) -> Tensor:
        """[B, T, D] -> [B, D] over the true rows."""
        if self.config.pooling == "cls":
            return rows[:, 0]
        if self.config.pooling == "last":
            return rows[torch.arange(len(rows)), lengths - 1]
        if self.config.pooling == "mean":
            return (rows * inside[:, :, None]).sum(dim=1) / lengths[:, None]
        return rows.masked_fill(~inside[:, :, None], -torch.inf).amax(dim=1)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model described: embedding (if any), input, token, positions, blocks, norm, pool, head."""
        layers: list[Layer] = []
        if self.embedding is not None:
            layers.append(self.embedding.to_spec("embedding", leaf))
        layers.append(self.front.to_spec("input", leaf))
        if self.token is not None:
            layers.append(ClassToken("token", leaf(self.token)))
        if self.table is not None:
            layers.append(Positions("positions", leaf(self.table)))
        for number, block in enumerate(self.blocks):
            layers += cast(Block, block).to_spec(number, leaf)
        pooling = "first" if self.config.pooling == "cls" else self.config.pooling
        layers += [
            norm_spec("norm", self.norm, leaf),
            Pool("pool", pooling),
            linear_spec("head", self.head, leaf),
        ]
        return SeqSpec(self.input_features, self.labels, tuple(layers))


def _with_turn(heads: Heads, turn: Turn | None) -> Heads:
    queries, keys, values = heads
    return heads if turn is None else (turned(queries, turn), turned(keys, turn), values)


def _learned_rows(count: int, width: int) -> nn.Parameter:
    return nn.Parameter(ROW_SPREAD * torch.randn(count, width))
