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
from edgeseq.data.splits import SplitOptions, Splits, split_recordings
from edgeseq.data.stretches import StretchSplits, split_characters, split_rows

__all__ = [
    "DataOptions",
    "Dataset",
    "FrontEndOptions",
    "Recording",
    "SplitOptions",
    "Splits",
    "StretchSplits",
    "default_front_end",
    "load",
    "refuse_unknown_labels",
    "split",
    "split_recordings",
]


def split(dataset: Dataset, options: SplitOptions | None = None) -> Splits | StretchSplits:
    """Train, validation and test of a data set, by its task; the same options always give the same split.

    Raises UsageError and DataError as `split_recordings`, `split_characters` and `split_rows` do.
    """
    options = options or SplitOptions()
    if dataset.task == "lm":
        return split_characters(dataset, options)
    if dataset.task == "forecast":
        return split_rows(dataset, options)
    return split_recordings(dataset, options)
