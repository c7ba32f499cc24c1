"""From a series to what a forecaster learns: every window of a split, as views of one standardised array.

A window is L moments that are read and the H behind them that are to be said. Those are inside the split;
what is read may lie in the split before, as a forecast at its first moment would read it. Cells that the data
lacks and that were filled are read, but no model is measured by them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgeseq import data
from edgeseq.data import Dataset, FrontEndOptions, StretchSplits
from edgeseq.features import SPLITS, FeatureSplits, FloatArray, LabelledFeatures, Prepared
from edgeseq.models.config import ModelConfig
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import FrontEnd

Cells = NDArray[np.bool_]


def fitted(dataset: Dataset, places: StretchSplits, options: FrontEndOptions) -> FrontEnd:
    """Standardise, with mean and deviation of the training rows. Raises DataError for a constant channel."""
    training = readings(dataset)[places.train.start : places.train.stop]
    if len(training) == 1:
        raise DataError(f"{dataset.name}: one row to train on is no series; give a file with more moments")
    constant = [
        name for name, values in zip(dataset.channels, training.T, strict=True) if np.ptp(values) == 0
    ]
    if constant:
        advice = " ".join(f"--drop-column {shlex.quote(name)}" for name in constant)
        raise DataError(
            f"{dataset.name}: in the {len(training)} training rows nothing ever changes in"
            f" {', '.join(constant)}; leave that out with {advice}"
        )
    return data.default_front_end(dataset, options).fitted_on([training])


def applied(dataset: Dataset, front_end: FrontEnd, places: StretchSplits, model: ModelConfig) -> Prepared:
    """All windows of each split, for a model's context and horizon.

    Raises DataError, saying how much would fit, where a split is too short for one window.
    """
    _check_room(dataset, places, model)
    values = cast(FloatArray, front_end.features(readings(dataset)))
    train = windows(values, places.train, model)
    measured, left_out = judged(dataset, values, {name: getattr(places, name) for name in SPLITS[1:]}, model)
    splits = FeatureSplits(train, measured["validation"], measured["test"])
    warnings = (*dataset.warnings, *places.warnings, *left_out)
    return Prepared(dataset, front_end, splits, places, dataset.channels, warnings)


def judged(
    dataset: Dataset, values: FloatArray, parts: Mapping[str, range], model: ModelConfig
) -> tuple[dict[str, LabelledFeatures], list[str]]:
    """The windows of each part that a model is measured on, all whose H moments the data has: what was filled
    is no truth. And a warning that counts the others.

    Raises DataError where that leaves none of a part.
    """
    found, left_out = {}, []
    for name, rows in parts.items():
        firsts = _firsts(rows, model)
        kept = firsts if dataset.filled is None else _untouched(dataset.filled, firsts, model.horizon)
        if len(firsts) and not len(kept):
            raise DataError(
                f"{dataset.name}: in each of the {len(firsts):,} windows of {name} a cell of the horizon was"
                " filled, so that there is no truth to measure on; give a smaller --horizon, leave the"
                " emptiest column out with --drop-column, or take data with fewer gaps"
            )
        found[name] = _at(values, kept, model)
        if len(kept) < len(firsts):
            left_out.append(f"{len(firsts) - len(kept):,} of {len(firsts):,} in {name}")
    reason = "left out, because a cell of their horizon was filled"
    return found, [f"windows {reason}: {', '.join(left_out)}"] if left_out else []


def windows(values: FloatArray, rows: range, model: ModelConfig) -> LabelledFeatures:
    """The windows whose H moments are all among `rows` of the series, values [N, C].

    features: views [L, C]. labels: a view [n, H * C], moment by moment. names: such as validation rows count,
    the number of the first moment that is to be said.
    """
    return _at(values, _firsts(rows, model), model)


def _firsts(rows: range, model: ModelConfig) -> range:
    """The first moment of each horizon that lies among `rows` and has a context in front of it."""
    first = max(rows.start, model.context)
    return range(first, max(first, rows.stop - model.horizon + 1))


def _untouched(filled: Cells, firsts: range, H: int) -> list[int]:
    """filled: [N, C]. Those of `firsts` in whose H moments nothing was filled."""
    before = np.concatenate([[0], np.cumsum(filled.any(axis=1))])  # of each moment, and behind the last
    return [first for first in firsts if before[first + H] == before[first]]


def _at(values: FloatArray, firsts: Sequence[int], model: ModelConfig) -> LabelledFeatures:
    """The windows with these first moments to say; `labels` is a copy where some between them are missing."""
    L, H, C = model.context, model.horizon, values.shape[1]
    if not firsts:
        return LabelledFeatures((), (), np.empty((0, H * C), np.float32))
    values = np.ascontiguousarray(values)
    contexts = sliding_window_view(values, L, axis=0).transpose(0, 2, 1)
    answers = sliding_window_view(values.reshape(-1), H * C)[::C]
    begin, end = firsts[0], firsts[-1] + 1
    return LabelledFeatures(
        tuple(f"row {first}" for first in firsts),
        tuple(contexts[first - L] for first in firsts),
        answers[begin:end] if end - begin == len(firsts) else answers[np.array(firsts)],
    )


def _check_room(dataset: Dataset, places: StretchSplits, model: ModelConfig) -> None:
    L, H = model.context, model.horizon
    rooms = {"training": len(places.train) - L, "validation": len(places.validation)}
    if places.test:
        rooms["test"] = len(places.test)
    split = min(rooms, key=lambda name: rooms[name])
    room = rooms[split]
    if room >= H:
        return
    if model.family in ("gru", "lstm") and room > model.segment:
        room -= room % model.segment
    rows = len(getattr(places, "train" if split == "training" else split))
    reach = f"a context of {L} and a horizon of {H} are" if split == "training" else f"a horizon of {H} is"
    way = "a smaller --context" if split == "training" else f"a larger --{split}-fraction"
    advice = f"give --horizon {room} or less" if room > 0 else f"no horizon fits, give {way}"
    raise DataError(f"{dataset.name}: {reach} longer than its {rows} {split} rows; {advice}, or more data")


def readings(dataset: Dataset) -> FloatArray:
    """[N, C]: the one series, in its own units."""
    samples = dataset.recordings[0].samples
    assert not isinstance(samples, str)  # noqa: S101 - of the reader of series
    return samples
