"""GRU and LSTM classifiers: recurrent layers, a pooling over time, a linear head.

With a convolution over a few frames in front where the config asks for one (a "crnn"), and in front of all
a token embedding where the input is text.

Shapes: B recordings, T frames (padded), I input features, E features behind an embedding, H hidden units, D
directions, C classes.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from edgeseq.models.cells import KINDS, recurrent_spec
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.embedding import embedding_of
from edgeseq.models.front import Front
from edgeseq.models.model import Leaf, SequenceClassifier, array
from edgeseq_export.layers import Linear, Pool, PoolKind
from edgeseq_export.spec import SeqSpec


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> RecurrentClassifier:
    """A new classifier, its weights drawn from torch's global generator."""
    return RecurrentClassifier(config, inputs, labels)


class RecurrentClassifier(SequenceClassifier):
    """features [B, T, I] float32, or int64 ids, lengths [B] int64 -> logits [B, C] float32.

    Sequences are packed, so that what stands after a recording's true length changes no answer.
    """

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.config = config
        self.input_features = inputs.features
        self.labels = labels
        conv, width = config.conv_kernel, config.embedding or inputs.features
        self.embedding = embedding_of(config, inputs)
        self.front = Front(width, config.hidden, conv, "relu") if conv else None
        self.recurrent = KINDS[config.family][0](
            config.hidden if conv else width,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=config.bidirectional,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden * self.directions, len(labels))

    @property
    def directions(self) -> int:
        """D: 2 for a bidirectional model."""
        return 2 if self.config.bidirectional else 1

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """features: [B, T, I] float32, or int64 ids; lengths: [B], each in 1..T. Returns logits [B, C]."""
        rows = features if self.embedding is None else self.embedding(features)
        if self.front is not None:
            rows = self.front(rows)
        packed = pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        output, state = self.recurrent(packed)
        return cast(Tensor, self.head(self.dropout(self._pool(output, state))))

    def _pool(self, output: PackedSequence, state: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """[B, D*H] from the packed frames [B, T, D*H] and the final states [layers*D, B, H]."""
        if self.config.pooling == "last":
            hidden = state[0] if isinstance(state, tuple) else state
            return torch.cat(list(hidden[-self.directions :]), dim=1)
        frames, lengths = pad_packed_sequence(output, batch_first=True)
        inside = torch.arange(frames.shape[1])[None, :, None] < lengths[:, None, None]
        if self.config.pooling == "mean":
            return (frames * inside).sum(dim=1) / lengths[:, None]
        return frames.masked_fill(~inside, -torch.inf).amax(dim=1)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model described: embedding and conv (if any), gru0 (or lstm0), gru1 ..., pool, head."""
        embedding = () if self.embedding is None else (self.embedding.to_spec("embedding", leaf),)
        front = () if self.front is None else (self.front.to_spec("conv", leaf),)
        recurrent = recurrent_spec(self.config, self.recurrent, leaf)
        head = Linear("head", leaf(self.head.weight), leaf(self.head.bias))
        pool = Pool("pool", cast(PoolKind, self.config.pooling))  # the config refused cls
        return SeqSpec(self.input_features, self.labels, (*embedding, *front, *recurrent, pool, head))
