"""From a series to what a forecaster learns: every window of a split, as views of one standardised array.

A window is L moments that are read and the H behind them that are to be said. Those are inside the split;
what is read may lie in the split before, as a forecast at its first moment would read it.
"""

from __future__ import annotations

import shlex
from typing import cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from edgeseq import data
from edgeseq.data import Dataset, FrontEndOptions, RangeSplits
from edgeseq.features import SPLITS, FeatureSplits, FloatArray, LabelledFeatures, Prepared
from edgeseq.models.config import ModelConfig
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import FrontEnd


def fitted(dataset: Dataset, places: RangeSplits, options: FrontEndOptions) -> FrontEnd:
    """Standardise, with mean and deviation of the training rows. Raises DataError for a constant channel."""
    training = _readings(dataset)[places.train.start : places.train.stop]
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


def applied(dataset: Dataset, front_end: FrontEnd, places: RangeSplits, model: ModelConfig) -> Prepared:
    """All windows of each split, for a model's context and horizon.

    Raises DataError, saying how much would fit, where a split is too short for one window.
    """
    _check_room(dataset, places, model)
    values = cast(FloatArray, front_end.features(_readings(dataset)))
    train, validation, test = (windows(values, getattr(places, name), model) for name in SPLITS)
    warnings = (*dataset.warnings, *places.warnings)
    splits = FeatureSplits(train, validation, test)
    return Prepared(dataset, front_end, splits, places, dataset.channels, warnings)


def windows(values: FloatArray, rows: range, model: ModelConfig) -> LabelledFeatures:
    """The windows whose H moments are all among `rows` of the series, values [N, C].

    features: views [L, C]. labels: a view [n, H * C], moment by moment. names: such as validation rows count,
    the number of the first moment that is to be said.
    """
    L, H, C = model.context, model.horizon, values.shape[1]
    first = max(rows.start, L)
    last = rows.stop - H
    if last < first:
        return LabelledFeatures((), (), np.empty((0, H * C), np.float32))
    values = np.ascontiguousarray(values)
    contexts = sliding_window_view(values, L, axis=0)[first - L : last - L + 1].transpose(0, 2, 1)
    answers = sliding_window_view(values.reshape(-1), H * C)[first * C : last * C + 1 : C]
    names = tuple(f"row {row}" for row in range(first, last + 1))
    return LabelledFeatures(names, tuple(contexts), answers)


def _check_room(dataset: Dataset, places: RangeSplits, model: ModelConfig) -> None:
    L, H = model.context, model.horizon
    rooms = {"training": len(places.train) - L, "validation": len(places.validation)}
    if places.test:
        rooms["test"] = len(places.test)
    split = min(rooms, key=lambda name: rooms[name])
    room = rooms[split]
    if room >= H:
        return
    rows = room + L if split == "training" else room
    reach = f"a context of {L} and a horizon of {H} are" if split == "training" else f"a horizon of {H} is"
    advice = f"give --horizon {room} or less" if room > 0 else "no horizon fits, give a smaller --context"
    raise DataError(f"{dataset.name}: {reach} longer than its {rows} {split} rows; {advice}, or more data")


def _readings(dataset: Dataset) -> FloatArray:
    """[N, C]: the one series, in its own units."""
    samples = dataset.recordings[0].samples
    assert not isinstance(samples, str)  # noqa: S101 - of the reader of series
    return samples
