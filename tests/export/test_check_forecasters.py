"""A forecaster that does not fit together is refused by the name of the layer."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgeseq_export.check import check_spec
from edgeseq_export.layers import (
    GRU,
    CausalConv,
    Cell,
    Layer,
    Linear,
    ParallelSteps,
    Patches,
    PerChannel,
    Pool,
    Positions,
    Residual,
    Reversible,
)
from edgeseq_export.spec import SeqSpec


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def cell() -> Cell:
    return Cell(zeros(36, 12), zeros(36, 12), zeros(36), zeros(36))


SEGMENTS: tuple[Layer, ...] = (
    Patches("segments", 8, 8),
    Linear("in", zeros(12, 8), zeros(12)),
    GRU("cell", cell()),
    ParallelSteps("steps", zeros(2, 36), zeros(36, 12), zeros(36)),
    Linear("out", zeros(8, 12), zeros(8)),
    Pool("moments", "all"),
)
LINEAR: tuple[Layer, ...] = Pool("moments", "all"), Linear("head", zeros(16, 40), zeros(16))
CHANNELS, LINE = PerChannel("channels", LINEAR), Linear("line", zeros(3, 3), zeros(3))


def whole(*layers: Layer, **options: Any) -> SeqSpec:
    """Of 3 channels, 16 moments from 40."""
    return dataclasses.replace(SeqSpec(3, tuple("abc"), layers, 40, horizon=16), **options)


def channels(*layers: Layer) -> SeqSpec:
    return whole(PerChannel("channels", layers))


def changed(name: str, **changes: Any) -> SeqSpec:
    """The segments with a layer that is."""
    return channels(
        *(dataclasses.replace(each, **changes) if each.name == name else each for each in SEGMENTS)
    )


FAULTS: dict[str, tuple[SeqSpec, str]] = {
    "no Pool": (channels(*SEGMENTS[:-1]), "channels: ends in 2 rows of 8, not in the 16 moments"),
    "another horizon": (
        changed("steps", inputs=zeros(3, 36)),
        "channels: ends in one row of 24, not in the 16",
    ),
    "no PerChannel": (whole(*LINEAR), "one PerChannel layer, or one in a Reversible"),
    "a layer beside it": (whole(CHANNELS, LINE), "nothing else"),
    "a layer inside Reversible": (whole(Reversible("r", (LINE, CHANNELS))), "nothing else"),
    "no frames": (whole(CHANNELS, frames=0), "0 frames in, 16 out"),
    "no fixed frames": (whole(CHANNELS, frames=None, horizon=1), "channels: PerChannel is a forecaster's"),
    "a classifier's horizon": (
        whole(LINE, Pool("p", "last"), frames=None),
        "horizon is 16: only a forecaster",
    ),
    "a classifier's rows in one": (
        whole(LINE, Pool("p", "all"), frames=None, horizon=1),
        "p: all rows behind",
    ),
    "other channels": (whole(CHANNELS, input_features=4), "channels: 4 channels in, 3 labels"),
    "an unknown normalisation": (whole(Reversible("r", (CHANNELS,), "first")), "r: normalisation 'first'"),
    "no epsilon": (whole(Reversible("r", (CHANNELS,), epsilon=0)), "r: epsilon is 0; it must be above 0"),
    "one in another": (channels(PerChannel("inner", LINEAR)), "inner: PerChannel has no form inside"),
    "a convolution": (
        channels(CausalConv("c", zeros(1, 2), zeros(1), 2), *LINEAR),
        "c: CausalConv has no form inside PerChannel",
    ),
    "both ways": (changed("cell", backward=cell()), "cell: a backward cell has no form inside PerChannel"),
    "patches of rows": (
        channels(Linear("wide", zeros(2, 1), zeros(2)), *SEGMENTS),
        "segments: takes the moments of one channel, not rows of 2",
    ),
    "patches too long": (changed("segments", length=41), "segments: a patch of 41 moments, of 40"),
    "patches that stand still": (changed("segments", stride=0), "segments: stride 0"),
    "too few positions": (
        channels(SEGMENTS[0], Positions("where", zeros(2, 8)), *SEGMENTS[1:]),
        "where: 5 rows, it knows 2 positions",
    ),
    "steps of no cell": (
        channels(*SEGMENTS[:2], *SEGMENTS[3:]),
        "steps: is not directly behind a GRU or LSTM without a backward cell",
    ),
    "steps of another cell": (
        changed("steps", weight_hh=zeros(48, 12)),
        r"steps.weight_hh: is \[48, 12\], its place takes \[36, 12\]",
    ),
    "inputs of another cell": (
        changed("steps", inputs=zeros(2, 48)),
        r"steps.inputs: is \[2, 48\], its place takes \[2, 36\]",
    ),
    "no steps": (changed("steps", inputs=zeros(0, 36)), "steps: has no steps"),
    "a step that is no number": (
        changed("steps", inputs=np.full((2, 36), np.nan, np.float32)),
        "steps.inputs: weight holds NaN or infinity",
    ),
    "fewer rows beside more": (
        channels(Residual("r", (Patches("p", 1, 2),)), *LINEAR),
        r"r: changes \[T, 1\], to which it is added",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_refused_by_name(fault: str) -> None:
    spec, message = FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        check_spec(spec)
