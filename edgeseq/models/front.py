"""The first layer of a model: each frame, or a few frames at once, to rows as wide as the model."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.model import Leaf
from edgeseq_export.layers import Activation, CausalConv, Linear


class Front(nn.Module):
    """A causal convolution over the last `kernel` frames; of one frame it is a plain linear layer."""

    def __init__(self, features: int, width: int, kernel: int, activation: Activation) -> None:
        super().__init__()
        self.kernel = kernel
        self.activation: Activation = activation
        self.linear = nn.Linear(kernel * features, width)

    def forward(self, features: Tensor) -> Tensor:
        """features: [B, T, I] -> [B, T, width]; zeros stand before the first frame."""
        padded = functional.pad(features, (0, 0, self.kernel - 1, 0))
        T = features.shape[1]
        rows = self.linear(torch.cat([padded[:, k : k + T] for k in range(self.kernel)], dim=2))
        return cast(Tensor, functional.relu(rows) if self.activation == "relu" else rows)

    def to_spec(self, name: str, leaf: Leaf) -> Linear | CausalConv:
        """The layer described, its weight as it is trained: [width, kernel * I], the oldest frame first."""
        weight, bias = leaf(self.linear.weight), leaf(self.linear.bias)
        if self.kernel == 1:
            return Linear(name, weight, bias, self.activation)
        return CausalConv(name, weight, bias, self.kernel, self.activation)
