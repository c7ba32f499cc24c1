"""What most forecasters share: every channel alone through the same layers, normalised over its context.

Shapes: B windows, L moments of context, C channels, N = B * C rows, H moments of horizon.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.model import Forecaster, Leaf, array
from edgeseq_export.layers import Layer, Normalisation, PerChannel, Reversible
from edgeseq_export.spec import SeqSpec

EPSILON = 1e-5


class ChannelForecaster(Forecaster):
    """features [B, L, C] float32 -> [B, H * C]; what one channel does never depends on another."""

    embedding: None = None
    normalisation: ClassVar[Normalisation | None]

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.config = config
        self.input_features = inputs.features
        self.labels = labels

    @abstractmethod
    def of_channels(self, rows: Tensor) -> Tensor:
        """[N, L] -> [N, H], normalised as they come in."""

    @abstractmethod
    def channel_layers(self, leaf: Leaf) -> tuple[Layer, ...]:
        """`of_channels` described: [T, 1] -> [H]."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002
        """features: [B, L, C]; lengths: [B], all L. Returns [B, H * C], moment by moment."""
        B, L, C = features.shape
        rows = features.transpose(1, 2).reshape(B * C, L)
        level, spread = self._level(rows)
        answers = self.of_channels((rows - level) / spread) * spread + level
        return answers.view(B, C, -1).transpose(1, 2).reshape(B, -1)

    def _level(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What is subtracted from rows [N, L] and what the rest is divided by, [N, 1] each."""
        if self.normalisation == "last":
            return rows[:, -1:], torch.ones(1)
        if self.normalisation == "standard":
            variance, mean = torch.var_mean(rows, dim=1, correction=0, keepdim=True)
            return mean, (variance + EPSILON).sqrt()
        return torch.zeros(1), torch.ones(1)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model described: the layers of a channel, for each one, inside the normalisation."""
        layer: Layer = PerChannel("channels", self.channel_layers(leaf))
        if self.normalisation is not None:
            layer = Reversible("normalised", (layer,), self.normalisation, EPSILON)
        return SeqSpec(self.input_features, self.labels, (layer,), self.config.context, self.config.horizon)
