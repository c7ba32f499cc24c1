"""DLinear: a linear layer on a moving average, another on the rest (Zeng et al. 2022, arXiv 2205.13504,
section 4).

The baseline of every forecaster. Both layers and the average are linear, so that one matrix says the same:
that is what is exported.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.forecast.channels import ChannelForecaster
from edgeseq.models.model import Leaf
from edgeseq_export.layers import Layer, Linear, Normalisation, Pool

AVERAGED = 25  # moments, the middle one among them (the paper's code)


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> LinearForecaster:
    """A new forecaster that answers with the mean of its context."""
    return LinearForecaster(config, inputs, labels)


class LinearForecaster(ChannelForecaster):
    """features [B, L, C] float32 -> [B, H * C]."""

    normalisation: ClassVar[Normalisation | None] = None

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__(config, inputs, labels)
        L, H = config.context, config.horizon
        self.trend, self.rest = nn.Linear(L, H), nn.Linear(L, H)
        for layer in (self.trend, self.rest):
            nn.init.constant_(layer.weight, 1 / L)
        self.average: Tensor
        self.register_buffer("average", moving_average(L), persistent=False)

    def of_channels(self, rows: Tensor) -> Tensor:
        """[N, L] -> [N, H]."""
        trend = rows @ self.average.T
        answers: Tensor = self.trend(trend) + self.rest(rows - trend)
        return answers

    def channel_layers(self, leaf: Leaf) -> tuple[Layer, ...]:
        """All moments in one row, then trend(M x) + rest(x - M x) as one matrix for M the moving average."""
        weight = self.rest.weight + (self.trend.weight - self.rest.weight) @ self.average
        return (
            Pool("moments", "all"),
            Linear("head", leaf(weight), leaf(self.trend.bias + self.rest.bias)),
        )


def moving_average(moments: int) -> Tensor:
    """[L, L]: row t takes the mean of the AVERAGED moments around t, the first and last ones repeated."""
    reach = AVERAGED // 2
    places = torch.arange(moments)[:, None] + torch.arange(-reach, reach + 1)
    ones = torch.full(places.shape, 1 / AVERAGED)
    return torch.zeros(moments, moments).scatter_add_(1, places.clamp(0, moments - 1), ones)
