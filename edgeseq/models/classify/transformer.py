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

from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.embedding import embedding_of
from edgeseq.models.front import Front
from edgeseq.models.model import Leaf, SequenceClassifier, array
from edgeseq_device.errors import UsageError
from edgeseq_export import spec
from edgeseq_export.reference import rotary_frequencies

ROW_SPREAD = 0.02  # of the learned rows at first (Dosovitskiy et al. 2021, arXiv 2010.11929, appendix D.3)


Turn = tuple[Tensor, Tensor]
"""Cosine and sine [T, d / 2] of the rotary angles."""
Heads = tuple[Tensor, Tensor, Tensor]
"""Queries, keys, values, each [B, N, T, d]."""


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
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
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
        for block in self.blocks:
            rows, heads = block(rows, mask, turn)
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
        frequencies = rotary_frequencies(self.config.hidden // self.config.heads)
        angle = torch.arange(rows, dtype=torch.float32)[:, None] * torch.from_numpy(frequencies)
        angle = angle.to(self.head.weight.device)
        return angle.cos(), angle.sin()

    def _pool(self, rows: Tensor, lengths: Tensor, inside: Tensor) -> Tensor:
        """[B, T, D] -> [B, D] over the true rows."""
        if self.config.pooling == "cls":
            return rows[:, 0]
        if self.config.pooling == "last":
            return rows[torch.arange(len(rows)), lengths - 1]
        if self.config.pooling == "mean":
            return (rows * inside[:, :, None]).sum(dim=1) / lengths[:, None]
        return rows.masked_fill(~inside[:, :, None], -torch.inf).amax(dim=1)

    def to_spec(self, leaf: Leaf = array) -> spec.SeqSpec:
        """The same model described: embedding (if any), input, token, positions, blocks, norm, pool, head."""
        layers: list[spec.Layer] = []
        if self.embedding is not None:
            layers.append(self.embedding.to_spec("embedding", leaf))
        layers.append(self.front.to_spec("input", leaf))
        if self.token is not None:
            layers.append(spec.ClassToken("token", leaf(self.token)))
        if self.table is not None:
            layers.append(spec.Positions("positions", leaf(self.table)))
        for number, block in enumerate(self.blocks):
            layers += cast(_Block, block).to_spec(number, leaf)
        pooling = "first" if self.config.pooling == "cls" else self.config.pooling
        layers += [
            _norm("norm", self.norm, leaf),
            spec.Pool("pool", pooling),
            _linear("head", self.head, leaf),
        ]
        return spec.SeqSpec(self.input_features, self.labels, tuple(layers))


class _Block(nn.Module):
    """rows + attention(norm(rows)), then rows + feed forward(norm(rows))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, middle = config.hidden, config.hidden * config.feedforward
        self.heads = config.heads
        self.rotary = config.positions == "rotary"
        self.window = config.window if config.causal else None
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feedforward_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, middle)
        self.narrow = nn.Linear(middle, width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, rows: Tensor, mask: Tensor, turn: Turn | None) -> tuple[Tensor, Heads]:
        """rows: [B, T, D]; mask: which rows each one sees. Returns the new rows and what attention used."""
        heads = self._heads(self.attention_norm(rows), turn)
        context = functional.scaled_dot_product_attention(*heads, attn_mask=mask)
        rows = rows + self.dropout(self.out(context.transpose(1, 2).reshape(rows.shape)))
        middle = functional.gelu(self.widen(self.feedforward_norm(rows)))
        return rows + self.dropout(self.narrow(self.dropout(middle))), heads

    def _heads(self, rows: Tensor, turn: Turn | None) -> Heads:
        B, T, D = rows.shape
        qkv = self.qkv(rows).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if turn is not None:
            q, k = _turned(q, *turn), _turned(k, *turn)
        return q, k, v

    def to_spec(self, number: int, leaf: Leaf) -> tuple[spec.Residual, spec.Residual]:
        """The block's two residuals."""
        attention = spec.Attention(
            f"attention{number}",
            self.heads,
            leaf(self.qkv.weight),
            leaf(self.qkv.bias),
            leaf(self.out.weight),
            leaf(self.out.bias),
            rotary=self.rotary,
            window=self.window,
        )
        return (
            spec.Residual(
                f"attention_block{number}",
                (_norm(f"attention_norm{number}", self.attention_norm, leaf), attention),
            ),
            spec.Residual(
                f"feedforward_block{number}",
                (
                    _norm(f"feedforward_norm{number}", self.feedforward_norm, leaf),
                    _linear(f"widen{number}", self.widen, leaf, "gelu"),
                    _linear(f"narrow{number}", self.narrow, leaf),
                ),
            ),
        )


def _turned(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """heads [B, N, T, d] with the pairs (i, i + d/2) turned (Su et al. 2021, arXiv 2104.09864, eq. 34)."""
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def _learned_rows(count: int, width: int) -> nn.Parameter:
    return nn.Parameter(ROW_SPREAD * torch.randn(count, width))


def _norm(name: str, norm: nn.LayerNorm, leaf: Leaf) -> spec.Norm:
    return spec.Norm(name, leaf(norm.weight), leaf(norm.bias), norm.eps)


def _linear(name: str, linear: nn.Linear, leaf: Leaf, activation: spec.Activation = "none") -> spec.Linear:
    return spec.Linear(name, leaf(linear.weight), leaf(linear.bias), activation)
