"""A pre-norm block of a Transformer (Xiong et al. 2020, arXiv 2002.04745, figure 1b), and rotary positions.

Shapes: B recordings, T rows, D hidden width, N heads, d = D / N.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.config import ModelConfig
from edgeseq.models.model import Leaf
from edgeseq_export.layers import Activation, Attention, Linear, Norm, Residual
from edgeseq_export.reference import rotary_frequencies

Turn = tuple[Tensor, Tensor]
"""Cosine and sine [T, d / 2] of the rotary angles."""
Heads = tuple[Tensor, Tensor, Tensor]
"""Queries, keys, values, each [B, N, T, d]."""


class Block(nn.Module):
    """rows + attention(norm(rows)), then rows + feed forward(norm(rows)).

    rotary, window: what an exported model does about positions and the past; here the caller turns the heads
    and gives the mask.
    """

    def __init__(self, config: ModelConfig, *, rotary: bool, window: int | None) -> None:
        super().__init__()
        width, middle = config.hidden, config.hidden * config.feedforward
        self.heads, self.rotary, self.window = config.heads, rotary, window
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feedforward_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, middle)
        self.narrow = nn.Linear(middle, width)
        self.dropout = nn.Dropout(config.dropout)

    def project(self, rows: Tensor) -> Heads:
        """rows [B, T, D] -> what its attention works with, without positions."""
        B, T, D = rows.shape
        qkv = self.qkv(self.attention_norm(rows)).view(B, T, 3, self.heads, D // self.heads)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)
        return queries, keys, values

    def forward(self, rows: Tensor, heads: Heads, mask: Tensor | None = None) -> Tensor:
        """rows: [B, T, D]; heads: of `project`, keys and values of more rows where attention reaches them.

        mask: which of these a row sees, as bool that broadcasts to [B, N, T, keys]; None: all.
        """
        context = functional.scaled_dot_product_attention(*heads, attn_mask=mask)
        rows = rows + self.dropout(self.out(context.transpose(1, 2).reshape(rows.shape)))
        middle = functional.gelu(self.widen(self.feedforward_norm(rows)))
        narrowed: Tensor = self.narrow(self.dropout(middle))
        found: Tensor = rows + self.dropout(narrowed)
        return found

    def to_spec(self, number: int, leaf: Leaf) -> tuple[Residual, Residual]:
        """The block's two residuals."""
        attention = Attention(
            f"attention{number}",
            self.heads,
            leaf(self.qkv.weight),
            leaf(self.qkv.bias),
            leaf(self.out.weight),
            leaf(self.out.bias),
            rotary=self.rotary,
            window=self.window,
        )
        return (
            Residual(
                f"attention_block{number}",
                (norm_spec(f"attention_norm{number}", self.attention_norm, leaf), attention),
            ),
            Residual(
                f"feedforward_block{number}",
                (
                    norm_spec(f"feedforward_norm{number}", self.feedforward_norm, leaf),
                    linear_spec(f"widen{number}", self.widen, leaf, "gelu"),
                    linear_spec(f"narrow{number}", self.narrow, leaf),
                ),
            ),
        )


def rotary_turn(rows: int, head_width: int, device: torch.device) -> Turn:
    """The angles of the positions 0 .. rows - 1 (Su et al. 2021, arXiv 2104.09864, eq. 34)."""
    frequencies = torch.from_numpy(rotary_frequencies(head_width))
    angle = (torch.arange(rows, dtype=torch.float32)[:, None] * frequencies).to(device)
    return angle.cos(), angle.sin()


def turned(heads: Tensor, turn: Turn) -> Tensor:
    """heads [B, N, T, d], the pairs (i, i + d/2) turned by the angles of the last T positions of `turn`."""
    cos, sin = (part[-heads.shape[2] :] for part in turn)
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def norm_spec(name: str, norm: nn.LayerNorm, leaf: Leaf) -> Norm:
    """The layer described."""
    return Norm(name, leaf(norm.weight), leaf(norm.bias), norm.eps)


def linear_spec(name: str, linear: nn.Linear, leaf: Leaf, activation: Activation = "none") -> Linear:
    """The layer described."""
    return Linear(name, leaf(linear.weight), leaf(linear.bias), activation)
