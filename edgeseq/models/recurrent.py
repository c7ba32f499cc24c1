"""GRU and LSTM classifiers: recurrent layers, a pooling over time, a linear head.

With a convolution over a few frames in front where the config asks for one (a "crnn").

Shapes: B recordings, T frames (padded), I input features, H hidden units, D directions, C classes.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from edgeseq.models.classifier import Leaf, SequenceClassifier, array
from edgeseq.models.config import ModelConfig
from edgeseq.models.front import Front
from edgeseq_export import spec

KINDS: dict[str, tuple[type[nn.GRU] | type[nn.LSTM], type[spec.GRU] | type[spec.LSTM]]] = {
    "gru": (nn.GRU, spec.GRU),
    "lstm": (nn.LSTM, spec.LSTM),
}


def build(config: ModelConfig, input_features: int, labels: tuple[str, ...]) -> RecurrentClassifier:
    """A new classifier with torch's default initialisation, drawn from the global generator."""
    return RecurrentClassifier(config, input_features, labels)


class RecurrentClassifier(SequenceClassifier):
    """features [B, T, I] float32, lengths [B] int64 -> logits [B, C] float32.

    Sequences are packed, so that what stands after a recording's true length changes no answer.
    """

    def __init__(self, config: ModelConfig, input_features: int, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.config = config
        self.input_features = input_features
        self.labels = labels
        conv = config.conv_kernel
        self.front = Front(input_features, config.hidden, conv, "relu") if conv else None
        self.recurrent = KINDS[config.family][0](
            config.hidden if conv else input_features,
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
        """features: [B, T, I] float32; lengths: [B] int64, each in 1..T. Returns logits [B, C]."""
        if self.front is not None:
            features = self.front(features)
        packed = pack_padded_sequence(features, lengths.cpu(), batch_first=True, enforce_sorted=False)
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

    def to_spec(self, leaf: Leaf = array) -> spec.SeqSpec:
        """The same model described: layers conv (if any), gru0 (or lstm0), gru1 ..., pool, head."""
        front = () if self.front is None else (self.front.to_spec("conv", leaf),)
        layer_type = KINDS[self.config.family][1]
        recurrent = tuple(
            layer_type(
                f"{self.config.family}{index}",
                self._cell(index, "", leaf),
                self._cell(index, "_reverse", leaf) if self.config.bidirectional else None,
            )
            for index in range(self.config.layers)
        )
        head = spec.Linear("head", leaf(self.head.weight), leaf(self.head.bias))
        pool = spec.Pool("pool", cast(spec.PoolKind, self.config.pooling))  # the config refused cls
        return spec.SeqSpec(self.input_features, self.labels, (*front, *recurrent, pool, head))

    def _cell(self, index: int, direction: str, leaf: Leaf) -> spec.Cell:
        return spec.Cell(
            *(
                leaf(getattr(self.recurrent, f"{name}_l{index}{direction}"))
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
        )
