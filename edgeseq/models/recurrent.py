"""GRU and LSTM classifiers: recurrent layers, a pooling over time, a linear head.

Shapes: B recordings, T frames (padded), I input features, H hidden units, D directions, C classes.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from edgeseq.models.classifier import SequenceClassifier
from edgeseq.models.config import ModelConfig
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
        self.recurrent = KINDS[config.family][0](
            input_features,
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

    def to_spec(self) -> spec.SeqSpec:
        """The same model in numpy: layers gru0 (or lstm0), gru1 ..., pool, head."""
        layer_type = KINDS[self.config.family][1]
        recurrent = tuple(
            layer_type(
                f"{self.config.family}{index}",
                self._cell(index, ""),
                self._cell(index, "_reverse") if self.config.bidirectional else None,
            )
            for index in range(self.config.layers)
        )
        head = spec.Linear("head", _array(self.head.weight), _array(self.head.bias))
        pool = spec.Pool("pool", self.config.pooling)
        return spec.SeqSpec(self.input_features, self.labels, (*recurrent, pool, head))

    def _cell(self, index: int, direction: str) -> spec.Cell:
        return spec.Cell(
            *(
                _array(getattr(self.recurrent, f"{name}_l{index}{direction}"))
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
        )


def _array(parameter: Tensor) -> npt.NDArray[np.float32]:
    """A float32 copy that later training steps do not change."""
    return parameter.detach().cpu().numpy().astype(np.float32, copy=True)
