"""Random models and inputs for the exporter's tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeseq_export.spec import GRU, LSTM, Cell, Linear, Pool, PoolKind, SeqSpec


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


@pytest.fixture
def make_spec() -> Callable[..., SeqSpec]:
    return random_spec


@pytest.fixture
def sequences() -> list[np.ndarray]:
    """Lengths on both sides of the chunk that the TFLite form projects at once, rising and falling."""
    rng = np.random.default_rng(7)
    return [rng.standard_normal((frames, 12)).astype(np.float32) for frames in (1, 2, 24, 25, 26, 60, 3)]
