"""GRU and LSTM layers: torch's, and their description for export."""

from __future__ import annotations

from torch import nn

from edgeseq.models.config import ModelConfig
from edgeseq.models.model import Leaf
from edgeseq_export.layers import GRU, LSTM, Cell, Recurrent

KINDS: dict[str, tuple[type[nn.GRU] | type[nn.LSTM], type[GRU] | type[LSTM]]] = {
    "gru": (nn.GRU, GRU),
    "lstm": (nn.LSTM, LSTM),
}
_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def recurrent_spec(config: ModelConfig, module: nn.GRU | nn.LSTM, leaf: Leaf) -> tuple[Recurrent, ...]:
    """The layers described, one behind the other: gru0 (or lstm0), gru1 ..."""
    return tuple(
        KINDS[config.family][1](
            f"{config.family}{index}",
            _cell(module, f"l{index}", leaf),
            _cell(module, f"l{index}_reverse", leaf) if module.bidirectional else None,
        )
        for index in range(module.num_layers)
    )


def _cell(module: nn.GRU | nn.LSTM, layer: str, leaf: Leaf) -> Cell:
    return Cell(*(leaf(getattr(module, f"{name}_{layer}")) for name in _NAMES))
