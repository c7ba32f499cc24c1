"""From a series to what a forecaster learns: every window of a split, as views of one standardised array.

A window is L moments that are read and the H behind them that are to be said. Those are inside the split;
what is read may lie in the split before, as a forecast at its first moment would read it. Cells that the data
lacks and that were filled are read, but are no truth: among what is to be said they are NaN, and no model
learns from them or is measured by them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
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
    parts = {name: getattr(places, name) for name in SPLITS}
    found, unknown = windows_by_split(dataset, values, parts, model)
    splits = FeatureSplits(found["train"], found["validation"], found["test"])
    return Prepared(
        dataset, front_end, splits, places, dataset.channels, (*dataset.warnings, *places.warnings, *unknown)
    )


def windows_by_split(
    dataset: Dataset, values: FloatArray, splits: Mapping[str, range], model: ModelConfig
) -> tuple[dict[str, LabelledFeatures], list[str]]:
    """The windows of each split that have something true to say, and a warning that counts the cells that are
    no truth.

    values: [N, C], as the model reads them. Raises DataError where nothing that a split could say is true.
    """
    if dataset.filled is None:
        return {name: windows(values, values, rows, model) for name, rows in splits.items()}, []
    truth = np.where(dataset.filled, np.float32(np.nan), values)
    found, counts = {}, []
    for name, rows in splits.items():
        found[name] = whole = windows(values, truth, rows, model)
        if not len(whole):
            continue
        said = rows_to_say(dataset.filled, rows, model.context)
        if said.all():
            raise DataError(
                f"{dataset.name}: every cell that is to be forecast in {_said(name)} was filled, so that"
                " there is no truth; take data with fewer gaps"
            )
        if said.any():
            found[name] = _with_truth(whole, said, model.horizon)
            counts.append(f"{said.sum():,} of {said.size:,} in {_said(name)}")
    return found, [f"cells that were filled are no truth to forecast: {', '.join(counts)}"] if counts else []


def rows_to_say(cells: NDArray[np.bool_], rows: range, context: int) -> NDArray[np.bool_]:
    """cells: [N, C] of a series -> those of the split `rows` that its windows say, behind a first context."""
    return cells[max(rows.start, context) : rows.stop]


def windows(values: FloatArray, truth: FloatArray, rows: range, model: ModelConfig) -> LabelledFeatures:
    """The windows whose H moments are all among `rows` of the series.

    values: [N, C] that is read, truth: [N, C] that is to be said. features: views [L, C]. labels: a view
    [n, H * C], moment by moment. names: such as validation rows count, the number of the first moment that is
    to be said.
    """
    L, H, C = model.context, model.horizon, values.shape[1]
    first = max(rows.start, L)
    firsts = range(first, max(first, rows.stop - H + 1))
    if not firsts:
        return LabelledFeatures((), (), np.empty((0, H * C), np.float32))
    contexts = sliding_window_view(np.ascontiguousarray(values), L, axis=0).transpose(0, 2, 1)
    answers = sliding_window_view(np.ascontiguousarray(truth).reshape(-1), H * C)[::C]
    return LabelledFeatures(
        tuple(f"row {each}" for each in firsts),
        tuple(contexts[each - L] for each in firsts),
        answers[first : firsts.stop],
    )


def _with_truth(found: LabelledFeatures, filled: NDArray[np.bool_], H: int) -> LabelledFeatures:
    """Those windows of which at least one cell to say is known; `labels` is a copy where some are not.

    filled: [n + H - 1, C], what the n windows say.
    """
    before = np.concatenate([[0], np.cumsum(~filled.all(axis=1))])  # moments that are known, of each
    kept = np.flatnonzero(before[H:] > before[:-H]).tolist()
    if len(kept) == len(found):
        return found
    return LabelledFeatures(
        tuple(found.names[each] for each in kept),
        tuple(found.features[each] for each in kept),
        found.labels[kept],
    )


def _said(split: str) -> str:
    return "the whole file" if split == "all" else split


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
