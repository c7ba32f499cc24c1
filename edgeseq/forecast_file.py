"""From a file of a series to a forecast, and to what came where the file has that too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseq.artifacts import is_file
from edgeseq.data import DataOptions, Dataset
from edgeseq.data.columns import usual_column
from edgeseq.data.gaps import UnevenError
from edgeseq.data.lines import Lines
from edgeseq.data.text_rows import csv_records
from edgeseq.data.timeline import SEPARATORS, TIME, read_timeline
from edgeseq.data.times import TOLERANCE, time_text
from edgeseq.names import some
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.forecast import Forecaster

FloatArray = NDArray[np.float32]
Times = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a model says of a file, in the file's own units.

    first: the row of the first forecast moment, 1 = the first one under the header; counted: "row", or
    "moment" where moments that the file lacks were filled and count too. context: [L, C]; values: [H, C];
    actual: [n, C], what the file has of those H moments. times: of the L + H moments, None = unknown. mse,
    mae: of the n moments, but for cells that were filled, in the units that the front end standardises to;
    None where there are none. filled: [L + n, C], the cells of `context` and `actual` that the file lacks;
    None: it has all. interval_s: between two moments of the file.
    """

    path: Path
    channels: tuple[str, ...]
    first: int
    context: FloatArray
    values: FloatArray
    actual: FloatArray
    times: Times | None
    time_column: str | None
    mse: float | None
    mae: float | None
    warnings: tuple[str, ...] = ()
    filled: NDArray[np.bool_] | None = None
    interval_s: float | None = None
    counted: str = "row"

    @property
    def moments(self) -> list[str]:
        """What each of the forecast moments is called: its time, or its row."""
        if self.times is None:
            return [str(self.first + number) for number in range(len(self.values))]
        return [time_text(each) for each in self.times[len(self.context) :]]

    def channel_mae(self, said: FloatArray) -> list[float | None]:
        """By channel, in the file's own units, how far `said` [n or 1, C] is from what the file has."""
        there = np.ones(self.actual.shape, np.bool_)
        if self.filled is not None:
            there = ~self.filled[len(self.context) :]
        away = np.abs((said - self.actual).astype(np.float64))
        columns = zip(away.T, there.T, strict=True)
        return [float(each[known].mean()) if known.any() else None for each, known in columns]


def forecast_file(forecaster: Forecaster, path: Path, options: DataOptions, origin: str | None) -> Forecast:
    """The forecast of the moments behind a file's last one, or from `origin` on.

    options: how the training data was read; columns that the model does not take are left out. origin: a
    row, or a time as the file writes it. Raises UsageError for no such file or origin, DataError for a file
    that is refused.
    """
    dataset = _series(path, options, forecaster.channels)
    order = [dataset.channels.index(name) for name in forecaster.channels]
    readings = np.asarray(dataset.recordings[0].samples, np.float32)[:, order]
    first = len(readings) if origin is None else _first(origin, dataset, len(readings))
    _check_context(dataset, path, first, forecaster.context)
    context = readings[first - forecaster.context : first]
    values = forecaster.forecast(context)
    actual = readings[first : first + forecaster.horizon]
    errors = (values[: len(actual)] - actual).astype(np.float64) / np.array(forecaster.front_end.scale or 1.0)
    filled = None
    if dataset.filled is not None:
        filled = dataset.filled[first - forecaster.context : first + forecaster.horizon][:, order]
        errors = errors[~filled[forecaster.context :]]
    return Forecast(
        path,
        forecaster.channels,
        first + 1,
        context,
        values,
        actual,
        _times(dataset, first - forecaster.context, first + forecaster.horizon),
        dataset.columns.get("time"),
        float(np.square(errors).mean()) if errors.size else None,
        float(np.abs(errors).mean()) if errors.size else None,
        (*dataset.warnings, *_other_interval(dataset, forecaster), *_rests_on_filled(filled, forecaster)),
        filled,
        dataset.interval_s,
        _counted(dataset),
    )


def _rests_on_filled(filled: NDArray[np.bool_] | None, forecaster: Forecaster) -> list[str]:
    """filled: as in Forecast."""
    if filled is None:
        return []
    context, actual = filled[: forecaster.context], filled[forecaster.context :]
    found = []
    if context.any():
        found.append(
            f"the context of this forecast has {context.sum():,} filled cells of {context.size:,}: there it"
            " rests on what was filled, not on what was measured"
        )
    if actual.size and actual.all():
        found.append(
            f"all {actual.size:,} cells that the file could be compared by were filled: nothing is compared"
        )
    return found


def _counted(dataset: Dataset) -> str:
    """What a place in the series counts: rows of the file, unless moments that it lacks were filled."""
    return "moment" if dataset.filled is not None and dataset.filled.all(axis=1).any() else "row"


def _series(path: Path, options: DataOptions, channels: Sequence[str]) -> Dataset:
    """The file's columns that the model takes, in the file's order, and its times."""
    if not is_file(path):
        raise UsageError(f"{path}: no such file; a forecaster takes a .csv with a line for each moment")
    if path.suffix.lower() not in SEPARATORS:
        raise UsageError(f"{path}: a forecaster takes a {' or '.join(SEPARATORS)} file")
    header = _header(path)
    missing = [name for name in channels if name not in header]
    if missing:
        raise DataError(
            f"{path}: line 1: channels of the model are missing: {some(missing)}; give a file with the"
            " columns that it was trained on"
        )
    dropped = options.drop_columns or ()
    rest = [name for name in header if name not in (*channels, *dropped)]
    time = options.time_column or usual_column(rest, TIME)
    unused = tuple(name for name in header if name not in (*channels, *([] if name in dropped else [time])))
    try:
        return read_timeline(path, dataclasses.replace(options, drop_columns=unused or None), path.name)
    except UnevenError as error:
        trained = ", or train a model with --fill: its artifact then fills what a file lacks"
        raise DataError(f"{error.what}; mend the file{trained * error.can_fill}") from error


def _header(path: Path) -> list[str]:
    with path.open("rb") as file:
        _line, cells = next(csv_records(Lines(file, path), SEPARATORS[path.suffix.lower()]), (1, []))
    return [cell.strip() for cell in cells]


def _first(origin: str, dataset: Dataset, count: int) -> int:
    """The place of the first moment to forecast."""
    try:
        row = int(origin)
    except ValueError:
        return _at_time(origin, dataset, count)
    place = count + row if row < 0 else row - 1
    if row == 0 or not 0 <= place <= count:
        counted = _counted(dataset)
        filled = ", filled ones counted" * (counted == "moment")
        raise UsageError(
            f"--from {origin}: the file has the {counted}s 1 to {count}{filled}; -{count} counts from its end"
        )
    return place


def _at_time(origin: str, dataset: Dataset, count: int) -> int:
    times = _times(dataset, 0, count + 1)
    if times is None:
        raise UsageError(f"--from {origin}: the file says no times; give a row, 1 to {count}")
    try:
        found = datetime.fromisoformat(origin.strip().removesuffix("Z"))
    except ValueError:
        example = time_text(times[-1])
        raise UsageError(f'--from {origin}: neither a row nor a time; write it as "{example}"') from None
    aware = found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)
    wanted = np.datetime64(aware.astimezone(timezone.utc).replace(tzinfo=None), "us")
    away_s = np.abs((times - wanted) / np.timedelta64(1, "s"))
    nearest = int(away_s.argmin())
    if away_s[nearest] <= TOLERANCE * (dataset.interval_s or 0.0):
        return nearest
    advice = f"the nearest is {time_text(times[nearest])}"
    if not times[0] < wanted < times[count - 1]:
        advice = f"its first is {time_text(times[0])}, its last {time_text(times[count - 1])}"
    raise UsageError(f"--from {origin}: the file has no such moment; {advice}")


def _check_context(dataset: Dataset, path: Path, first: int, needed: int) -> None:
    count = len(dataset.recordings[0].samples)
    if first >= needed:
        return
    if count < needed:
        raise DataError(f"{path}: holds {count} moments, the model needs {needed} before those it says")
    raise UsageError(
        f"--from: {first} moments come before that one, the model needs {needed}; the first one that it can"
        f" say is {_counted(dataset)} {needed + 1}"
    )


def _times(dataset: Dataset, start: int, stop: int) -> Times | None:
    """Of the moments start .. stop - 1; behind the file's last one they go on at its interval."""
    if dataset.times is None or dataset.interval_s is None:
        return None
    count = len(dataset.times)
    steps = np.rint(np.arange(1, max(stop - count, 0) + 1) * dataset.interval_s * 1e6).astype(
        "timedelta64[us]"
    )
    return np.concatenate([dataset.times, dataset.times[-1] + steps])[start:stop]


def _other_interval(dataset: Dataset, forecaster: Forecaster) -> list[str]:
    trained, here = forecaster.interval_s, dataset.interval_s
    if not trained or not here or abs(here - trained) <= TOLERANCE * trained:
        return []
    apart = f"{here:g} s apart, those that the model was trained on {trained:g} s"
    return [f"{dataset.name}: its moments are {apart}; the forecast is likely wrong"]
