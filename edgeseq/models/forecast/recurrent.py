"""SegRNN: a GRU or LSTM over segments of a channel, and a step of the same cell for each segment to come.

(Lin et al. 2023, arXiv 2308.11200: segment-wise iterations, section 3.2, and parallel multi-step forecasting,
section 3.3, where the steps know their places alone, not their channels.)

Shapes: N rows (windows times channels), L moments, s of a segment, H moments of horizon, M = H / s steps, D
hidden units, G gates.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.block import linear_spec
from edgeseq.models.cells import KINDS, recurrent_spec
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.forecast.channels import ChannelForecaster
from edgeseq.models.model import Leaf
from edgeseq_export.layers import Layer, Normalisation, ParallelSteps, Patches, Pool

STEP_SPREAD = 0.1  # of the steps' learned inputs at first


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> RecurrentForecaster:
    """A new forecaster, its weights drawn from torch's global generator."""
    return RecurrentForecaster(config, inputs, labels)


class RecurrentForecaster(ChannelForecaster):
    """features [B, L, C] float32 -> [B, H * C]."""

    normalisation: ClassVar[Normalisation | None] = "last"

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__(config, inputs, labels)
        width = config.hidden
        self.input = nn.Linear(config.segment, width)
        self.recurrent = KINDS[config.family][0](width, width, batch_first=True)
        self.steps = nn.Parameter(STEP_SPREAD * torch.randn(config.horizon // config.segment, width))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.segment)

    def of_channels(self, rows: Tensor) -> Tensor:
        """[N, L] -> [N, H]."""
        segments = functional.relu(self.input(rows.view(len(rows), -1, self.config.segment)))
        _, state = self.recurrent(segments)
        hidden, cell = (state[0][0], state[1][0]) if isinstance(state, tuple) else (state[0], None)
        return self.head(self.dropout(self._steps(hidden, cell))).flatten(1)  # type: ignore[no-any-return]

    def _steps(self, hidden: Tensor, cell: Tensor | None) -> Tensor:
        """hidden, cell: [N, D] behind the last segment -> [N, M, D], a step from there for each input.

        The products with both are made once: inputs [M, G * D] for all rows, state [N, G * D] for all steps.
        """
        inputs = self._product("ih", self.steps)
        state = self._product("hh", hidden)[:, None]
        if cell is not None:
            i, f, g, o = (inputs + state).chunk(4, dim=-1)
            kept = f.sigmoid() * cell[:, None] + i.sigmoid() * g.tanh()
            return o.sigmoid() * kept.tanh()
        reset, update, new = inputs.chunk(3, dim=-1)
        of_reset, of_update, of_new = state.chunk(3, dim=-1)
        candidate = (new + (reset + of_reset).sigmoid() * of_new).tanh()
        return torch.lerp(candidate, hidden[:, None].expand_as(candidate), (update + of_update).sigmoid())

    def _product(self, side: str, rows: Tensor) -> Tensor:
        """[..., D] -> [..., G * D]: with the cell's weights for what comes in (ih) or for its state (hh)."""
        weight, bias = (self.recurrent.get_parameter(f"{kind}_{side}_l0") for kind in ("weight", "bias"))
        return functional.linear(rows, weight, bias)

    def channel_layers(self, leaf: Leaf) -> tuple[Layer, ...]:
        """Segments, input, gru0 (or lstm0), steps, head, and all steps' moments behind each other."""
        size = self.config.segment
        (recurrent,) = recurrent_spec(self.config, self.recurrent, leaf)
        cell = recurrent.forward
        return (
            Patches("segments", size, size),
            linear_spec("input", self.input, leaf, "relu"),
            recurrent,
            ParallelSteps("steps", leaf(self._product("ih", self.steps)), cell.weight_hh, cell.bias_hh),
            linear_spec("head", self.head, leaf),
            Pool("moments", "all"),
        )
