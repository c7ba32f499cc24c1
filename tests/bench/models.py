"""The models under test: torch modules with random weights, and the same weights as a SeqSpec.

A recurrent model is one layer whose last output is the answer; the Transformer is a whole encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeseq_export.layers import GRU, LSTM, Attention, Cell, Layer, Linear, Norm, Pool, Positions, Residual
from edgeseq_export.spec import SeqSpec

FAMILIES = ("gru", "lstm", "transformer")
FEATURES = 40
LAYERS, WIDTH, HEADS, INNER = 2, 128, 4, 256
POSITIONS_MAX = 500
KEPT_FRAMES = 100
"""How far back the Transformer's step form sees."""


@dataclass(frozen=True)
class Model:
    """module: for whole sequences. spec: its weights. step_spec: of its step form, which for a Transformer is
    another model (causal, rotary positions), so that no torch step exists."""

    family: str
    hidden: int
    module: nn.Module
    spec: SeqSpec
    step_spec: SeqSpec


class Encoder(nn.Module):
    """A pre-norm Transformer encoder with learned positions and mean pooling: [1, T, F] -> [1, WIDTH]."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(FEATURES, WIDTH)
        self.positions = nn.Parameter(torch.randn(POSITIONS_MAX, WIDTH) * 0.02)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, INNER, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, LAYERS, norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False
        )
        # its layers begin as copies of one, and an exported file would hold one layer's weights for all
        for parameter in self.encoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            else:
                parameter.data += 0.02 * torch.randn(parameter.shape)

    def forward(self, features: Tensor) -> Tensor:
        """features: [1, T, F]."""
        rows = self.embed(features) + self.positions[: features.shape[1]]
        pooled: Tensor = self.encoder(rows).mean(dim=1)
        return pooled


def build(family: str, hidden: int, seed: int) -> Model:
    """The model with torch's own initialization; `hidden` is WIDTH for a Transformer."""
    torch.manual_seed(seed)
    if family == "transformer":
        encoder = Encoder().eval()
        return Model(family, WIDTH, encoder, _encoder_spec(encoder), _decoder_spec(encoder))
    module = {"gru": nn.GRU, "lstm": nn.LSTM}[family](FEATURES, hidden).eval()
    layer_type = {"gru": GRU, "lstm": LSTM}[family]
    layer = layer_type(
        f"{family}0",
        Cell(*(_array(getattr(module, f"{name}_l0")) for name in _CELL_PARTS)),
    )
    spec = SeqSpec(FEATURES, _labels(hidden), (layer, Pool("pool", "last")))
    return Model(family, hidden, module, spec, spec)


_CELL_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def null_spec() -> SeqSpec:
    """A model without a weight: what a runtime and an answer cost by themselves."""
    return SeqSpec(FEATURES, _labels(FEATURES), (Pool("pool", "last"),))


def _labels(count: int) -> tuple[str, ...]:
    return tuple(f"unit {number}" for number in range(count))


def _encoder_spec(module: Encoder) -> SeqSpec:
    embed = _linear("embed", module.embed)
    positions = Positions("positions", _array(module.positions))
    blocks = _blocks(module, rotary=False, window=None)
    norm = _norm("norm", module.encoder.norm)
    return SeqSpec(FEATURES, _labels(WIDTH), (embed, positions, *blocks, norm, Pool("pool", "mean")))


def _decoder_spec(module: Encoder) -> SeqSpec:
    blocks = _blocks(module, rotary=True, window=KEPT_FRAMES)
    norm = _norm("norm", module.encoder.norm)
    embed = _linear("embed", module.embed)
    return SeqSpec(FEATURES, _labels(WIDTH), (embed, *blocks, norm, Pool("pool", "last")))


def _blocks(module: Encoder, *, rotary: bool, window: int | None) -> tuple[Layer, ...]:
    blocks: list[Layer] = []
    for number, layer in enumerate(module.encoder.layers):
        name = f"block{number}"
        attention: Any = layer.self_attn
        attend = Attention(
            f"{name}.attention",
            HEADS,
            _array(attention.in_proj_weight),
            _array(attention.in_proj_bias),
            _array(attention.out_proj.weight),
            _array(attention.out_proj.bias),
            rotary,
            window,
        )
        widen = _linear(f"{name}.widen", layer.linear1, "gelu")
        narrow = _linear(f"{name}.narrow", layer.linear2)
        blocks += [
            Residual(f"{name}.attend", (_norm(f"{name}.norm1", layer.norm1), attend)),
            Residual(f"{name}.feed", (_norm(f"{name}.norm2", layer.norm2), widen, narrow)),
        ]
    return tuple(blocks)


def _linear(name: str, layer: Any, activation: Any = "none") -> Linear:
    return Linear(name, _array(layer.weight), _array(layer.bias), activation)


def _norm(name: str, layer: Any) -> Norm:
    return Norm(name, _array(layer.weight), _array(layer.bias), layer.eps)


def _array(parameter: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return parameter.detach().numpy().astype(np.float32)
