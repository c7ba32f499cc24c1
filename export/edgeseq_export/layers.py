"""The layers of a sequence model, in numpy: what each computes, by its shapes and the source of its formula.

Shapes: T frames, F features, H hidden units, C channels, K ids of a token. A weight matrix is float32 or,
after `quantize_spec`, a QuantizedTensor with one scale per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Union

from edgeseq_export.quantize import FloatArray, Weight

PoolKind = Literal["last", "mean", "max", "first", "all"]
Normalisation = Literal["last", "standard"]
Activation = Literal["none", "relu", "gelu"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """ids [T, K] int32 -> [T, D]: the sum of the K rows of the table that a token's ids name.

    weight: [R, D]; id 0 is padding, whose row is zero. The first layer of a model of text, and of no other.
    With K > 1 the ids behind the first are hashed n-grams (Bojanowski et al. 2017, arXiv 1607.04606, section
    3.2, of tokens instead of characters).
    """

    name: str
    weight: Weight


@dataclass(frozen=True, eq=False)
class Cell:
    """One direction of a recurrent layer; G = 3 gates (GRU) or 4 (LSTM), in torch's order.

    weight_ih: [G*H, F]; weight_hh: [G*H, H]; bias_ih, bias_hh: [G*H] float32.
    """

    weight_ih: Weight
    weight_hh: Weight
    bias_ih: FloatArray
    bias_hh: FloatArray

    @property
    def hidden(self) -> int:
        """H."""
        return self.weight_hh.shape[1]


@dataclass(frozen=True, eq=False)
class GRU:
    """[T, F] -> [T, H], or [T, 2H] with a backward cell (forward features first).

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr); z likewise; n = tanh(W_in x + b_in + r * (W_hn h + b_hn));
    h' = (1 - z) * n + z * h. Rows in the order r, z, n. (Cho et al. 2014, arXiv 1406.1078, with the reset
    gate after the matrix product as in cuDNN and torch.nn.GRU.) h starts at zero.
    """

    name: str
    forward: Cell
    backward: Cell | None = None


@dataclass(frozen=True, eq=False)
class LSTM:
    """[T, F] -> [T, H], or [T, 2H] with a backward cell (forward features first).

    i, f, o = sigmoid(...); g = tanh(...); c' = f * c + i * g; h' = o * tanh(c').
    Rows in the order i, f, g, o. (Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000,
    as torch.nn.LSTM.)
    """

    name: str
    forward: Cell
    backward: Cell | None = None


@dataclass(frozen=True, eq=False)
class Linear:
    """[..., F] -> [..., O]: activation(x @ weight.T + bias). weight: [O, F]; bias: [O] float32."""

    name: str
    weight: Weight
    bias: FloatArray
    activation: Activation = "none"


@dataclass(frozen=True, eq=False)
class Norm:
    """[..., F] -> the same: (x - mean) / sqrt(variance + epsilon) * gain + bias, over the features of a row.

    gain, bias: [F] float32. (Ba et al. 2016, arXiv 1607.06450, eq. 4, biased variance as torch.nn.LayerNorm.)
    """

    name: str
    gain: FloatArray
    bias: FloatArray
    epsilon: float = 1e-5


@dataclass(frozen=True, eq=False)
class CausalConv:
    """[T, F] -> [T, O]: activation(bias + sum_k weight_k @ x[t - (kernel - 1) + k]), zeros before frame 0.

    weight: [O, kernel * F], the oldest frame's F columns first; bias: [O] float32.
    """

    name: str
    weight: Weight
    bias: FloatArray
    kernel: int
    activation: Activation = "none"


@dataclass(frozen=True, eq=False)
class Attention:
    """[T, F] -> [T, F]: multi-head self-attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2).

    weight_qkv: [3D, F], rows of queries, keys, values, each `heads` blocks of D / heads; weight_out: [F, D];
    biases float32. Scores are divided by sqrt(D / heads). rotary: queries and keys are turned by their
    frame's position t, the pair (i, i + d/2) of a head of d by t * 10000^(-2i/d) (Su et al. 2021, arXiv
    2104.09864, eq. 34, halves instead of neighbours). window: None lets every frame see all frames; W lets
    frame t see the frames t - W + 1 .. t.
    """

    name: str
    heads: int
    weight_qkv: Weight
    bias_qkv: FloatArray
    weight_out: Weight
    bias_out: FloatArray
    rotary: bool = False
    window: int | None = None


@dataclass(frozen=True, eq=False)
class Positions:
    """[T, F] -> the same: x[t] + table[t]. table: [P, F] float32; more than P frames are an error."""

    name: str
    table: FloatArray


@dataclass(frozen=True, eq=False)
class ClassToken:
    """[T, F] -> [T + 1, F]: a learned row, token [1, F] float32, in front of the frames."""

    name: str
    token: FloatArray


@dataclass(frozen=True, eq=False)
class Residual:
    """[T, F] -> the same: x + layers(x)."""

    name: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class Pool:
    """[T, F] -> [F] over the true length; "all": [T * F], the rows behind each other, of a known number T.

    last: behind a recurrent layer the final hidden state of each of its directions (forward at frame T-1,
    backward at frame 0), concatenated, elsewhere the last row; first: row 0; mean and max: over rows.
    """

    name: str
    kind: PoolKind


@dataclass(frozen=True, eq=False)
class Patches:
    """[T, 1] -> [P, length]: row p holds moments p * stride .. p * stride + length - 1, and the last moment
    again where they are beyond the end, by at most `beyond`; P = (T + beyond - length) // stride + 1.

    (Nie et al. 2023, arXiv 2211.14730, section 3.1; with stride = length the segments of Lin et al. 2023,
    arXiv 2308.11200, section 3.2.)
    """

    name: str
    length: int
    stride: int
    beyond: int = 0


@dataclass(frozen=True, eq=False)
class ParallelSteps:
    """Directly behind a GRU or LSTM without a backward cell: [T, H] -> [M, H], M steps of a cell, each from
    the final state of that layer, none from another's (Lin et al. 2023, arXiv 2308.11200, section 3.3).

    inputs: [M, G*H] float32, W_ih x_m + b_ih of the steps' inputs, which are learned: no sequence's.
    weight_hh: [G*H, H]; bias_hh: [G*H] float32; gates as in `GRU` and `LSTM`.
    """

    name: str
    inputs: FloatArray
    weight_hh: Weight
    bias_hh: FloatArray


@dataclass(frozen=True, eq=False)
class PerChannel:
    """[T, C] -> [H, C]: the same layers, [T, 1] -> [H], for every channel alone. They end in one vector, and
    no rounding of theirs spans channels.
    """

    name: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class Reversible:
    """[T, C] -> [H, C]: normalise each channel, apply the layers, undo the normalisation.

    last: less its last moment. standard: less its mean, over sqrt(variance + epsilon) (Kim et al. 2022,
    "Reversible instance normalization", eq. 1 and 3, without its affine part).
    """

    name: str
    layers: tuple[Layer, ...]
    kind: Normalisation = "standard"
    epsilon: float = 1e-5


Recurrent = Union[GRU, LSTM]  # noqa: UP007
WRAPPERS = (Residual, PerChannel, Reversible)
Layer = Union[  # noqa: UP007
    Embedding,
    GRU,
    LSTM,
    Linear,
    Norm,
    CausalConv,
    Attention,
    Positions,
    ClassToken,
    Residual,
    Pool,
    Patches,
    ParallelSteps,
    PerChannel,
    Reversible,
]
