"""Recordings in, one reader per input kind: `load` a data set, `split` it, take its `default_front_end`."""

from __future__ import annotations

from edgeseq.data.dataset import (
    DataOptions,
    Dataset,
    FrontEndOptions,
    Recording,
    default_front_end,
    refuse_unknown_labels,
)
from edgeseq.data.load import load
from edgeseq.data.splits import SplitOptions, Splits, split

__all__ = [
    "DataOptions",
    "Dataset",
    "FrontEndOptions",
    "Recording",
    "SplitOptions",
    "Splits",
    "default_front_end",
    "load",
    "refuse_unknown_labels",
    "split",
]
