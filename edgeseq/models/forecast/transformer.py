"""PatchTST: a Transformer over overlapping patches of a channel (Nie et al. 2023, arXiv 2211.14730, section
3.1), with pre-norm blocks and layer norms.

Shapes: N rows (windows times channels), L moments, P patches, D hidden
width, H moments of horizon.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.block import Block, linear_spec, norm_spec
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.forecast.channels import ChannelForecaster
from edgeseq.models.model import Leaf
from edgeseq_export.layers import Layer, Normalisation, Patches, Pool, Positions

POSITION_SPREAD = 0.02  # of the learned positions at first


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> TransformerForecaster:
    """A new forecaster, its weights drawn from torch's global generator."""
    return TransformerForecaster(config, inputs, labels)


class TransformerForecaster(ChannelForecaster):
    """features [B, L, C] float32 -> [B, H * C]."""

    normalisation: ClassVar[Normalisation | None] = "standard"

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__(config, inputs, labels)
        width = config.hidden
        self.stride = max(1, config.segment // 2)
        patches = (config.context + self.stride - config.segment) // self.stride + 1
        self.input = nn.Linear(config.segment, width)
        self.positions = nn.Parameter(POSITION_SPREAD * torch.randn(patches, width))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, rotary=False, window=None) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(patches * width, config.horizon)

    def of_channels(self, rows: Tensor) -> Tensor:
        """[N, L] -> [N, H]."""
        padded = functional.pad(rows[:, None], (0, self.stride), mode="replicate")[:, 0]
        patches = self.input(padded.unfold(1, self.config.segment, self.stride))
        hidden = self.dropout(patches + self.positions)
        for block in cast("list[Block]", self.blocks):
            hidden = block(hidden, block.project(hidden))
        return cast(Tensor, self.head(self.dropout(self.norm(hidden).flatten(1))))

    def channel_layers(self, leaf: Leaf) -> tuple[Layer, ...]:
        """Patches, input, positions, blocks, norm, all patches in one row, head."""
        numbered = enumerate(cast("list[Block]", self.blocks))
        blocks = [each for number, block in numbered for each in block.to_spec(number, leaf)]
        return (
            Patches("patches", self.config.segment, self.stride, beyond=self.stride),
            linear_spec("input", self.input, leaf),
            Positions("positions", leaf(self.positions)),
            *blocks,
            norm_spec("norm", self.norm, leaf),
            Pool("moments", "all"),
            linear_spec("head", self.head, leaf),
        )
