"""Random models and inputs for the exporter's tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Cell,
    ClassToken,
    Embedding,
    Layer,
    Linear,
    Norm,
    Pool,
    PoolKind,
    Positions,
    Residual,
)
from edgeseq_export.spec import SeqSpec, width_behind


def random_cell(rng: np.random.Generator, gates: int, features: int, hidden: int) -> Cell:
    bound = 1.5 / np.sqrt(hidden)

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(-bound, bound, shape).astype(np.float32)

    rows = gates * hidden
    return Cell(draw(rows, features), draw(rows, hidden), draw(rows), draw(rows))


def random_spec(
    kind: str = "gru",
    *,
    features: int = 12,
    hidden: int = 24,
    layers: int = 1,
    bidirectional: bool = False,
    pooling: PoolKind = "last",
    classes: int = 5,
    seed: int = 0,
) -> SeqSpec:
    rng = np.random.default_rng(seed)
    layer_type, gates = {"gru": (GRU, 3), "lstm": (LSTM, 4)}[kind]
    stack = []
    width = features
    for number in range(layers):
        cells = [random_cell(rng, gates, width, hidden) for _ in range(1 + bidirectional)]
        stack.append(layer_type(f"{kind}{number}", *cells))
        width = hidden * (1 + bidirectional)
    head = rng.uniform(-1, 1, (classes, width)).astype(np.float32)
    stack += [Pool("pool", pooling), Linear("head", head, rng.uniform(-1, 1, classes).astype(np.float32))]
    return SeqSpec(features, tuple(f"class {n}" for n in range(classes)), tuple(stack))


def random_table(rng: np.random.Generator, rows: int, width: int) -> np.ndarray:
    """Rows of very different scales, the first of them zero."""
    table = rng.standard_normal((rows, width)) * np.exp(rng.uniform(-2, 0.5, (rows, 1)))
    table[0] = 0
    return table.astype(np.float32)


TEXT_KINDS: dict[str, PoolKind] = {
    "bag-mean": "mean",
    "bag-max": "max",
    "bag-last": "last",
    "linear": "mean",
    "gru": "last",
    "gru-gru": "mean",
    "bi-gru": "mean",
    "lstm": "max",
    "bi-lstm": "last",
    "conv": "max",
    "conv-gru": "last",
    "attention": "mean",
    "window": "mean",
    "cls": "first",
}
"""What may stand behind an Embedding, each with a pooling."""


def random_text_spec(kind: str, ids: int = 2, *, rows: int = 300, width: int = 16, seed: int = 0) -> SeqSpec:
    """A model of text of one of TEXT_KINDS. ids: K of a token; rows, width: of the table [R, D]."""
    rng, D = np.random.default_rng(seed), width

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    def block(**options: object) -> Residual:
        arrays = (draw(3 * D, D), draw(3 * D), draw(D, D), draw(D))
        norm = Norm("norm", 1 + draw(D), draw(D))
        return Residual("block", (norm, Attention("attention", 2, *arrays, **options)))

    def cells(gates: int, count: int = 1) -> list[Cell]:
        return [random_cell(rng, gates, D, 12) for _ in range(count)]

    behind: dict[str, tuple[Layer, ...]] = {
        "linear": (Linear("mix", draw(D, D), draw(D), "relu"),),
        "gru": (GRU("gru", *cells(3)),),
        "gru-gru": (GRU("gru", *cells(3)), GRU("gru1", random_cell(rng, 3, 12, 9))),
        "bi-gru": (GRU("gru", *cells(3, 2)),),
        "lstm": (LSTM("lstm", *cells(4)),),
        "bi-lstm": (LSTM("lstm", *cells(4, 2)),),
        "conv": (CausalConv("conv", draw(D, 3 * D), draw(D), 3, "relu"),),
        "conv-gru": (CausalConv("conv", draw(D, 3 * D), draw(D), 3), GRU("gru", *cells(3))),
        "attention": (Positions("where", draw(64, D)), block()),
        "window": (block(rotary=True, window=5),),
        "cls": (ClassToken("token", draw(1, D)), block(rotary=True)),
    }
    table = Embedding("words", random_table(rng, rows, D))
    layers = (table, *behind.get(kind, ()))
    out = D
    for layer in layers:
        out = width_behind(layer, out)
    head = Linear("head", draw(5, out), draw(5))
    return SeqSpec(ids, tuple("abcde"), (*layers, Pool("pool", TEXT_KINDS[kind]), head))


@pytest.fixture
def make_text_spec() -> Callable[..., SeqSpec]:
    return random_text_spec


@pytest.fixture
def draw_ids() -> Callable[[int, int], np.ndarray]:
    """(frames, ids of a token) -> random ids [T, K] of 300 rows, the same for the same arguments."""

    def draw(frames: int, ids: int) -> np.ndarray:
        return np.random.default_rng(frames).integers(0, 300, (frames, ids)).astype(np.int32)

    return draw


@pytest.fixture
def make_spec() -> Callable[..., SeqSpec]:
    return random_spec


@pytest.fixture
def sequences() -> list[np.ndarray]:
    """Lengths on both sides of the chunk that the TFLite form projects at once, rising and falling."""
    rng = np.random.default_rng(7)
    return [rng.standard_normal((frames, 12)).astype(np.float32) for frames in (1, 2, 24, 25, 26, 60, 3)]
