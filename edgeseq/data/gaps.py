"""What a series to forecast must be: in the order of time, evenly spaced, no cell empty; and how it gets so.

Nothing is mended that nobody asked for: without `fill`, a gap is refused with its place.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError

Fill = Literal["linear", "previous"]
TOLERANCE = 0.01  # of the usual interval: clocks write 33.3 ms as 33 or 34
ASK = "fill what is missing with --fill linear or --fill previous"


@dataclass(frozen=True, eq=False)
class Moments:
    """A series as it was read: N lines of C channels.

    lines: [N] int64, their numbers in the file. values: [N, C] float32, NaN where a cell is empty.
    time_column: None where the file says no times. times_us: [N] int64, microseconds since 1970.
    """

    path: Path
    channels: tuple[str, ...]
    lines: NDArray[np.int64]
    values: NDArray[np.float32]
    time_column: str | None = None
    times_us: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Even:
    """A series without a gap: [n, C] float32, its times [n] and their interval where they are known."""

    values: NDArray[np.float32]
    times: NDArray[np.datetime64] | None
    interval_s: float | None
    warnings: tuple[str, ...]


def evened(moments: Moments, fill: Fill | None) -> Even:
    """The series with every moment and cell there.

    Raises DataError, naming file, line and values, for times that do not increase, intervals that differ and
    empty cells, where they are not to be filled or cannot be.
    """
    given = len(moments.lines)
    interval_us = None
    if moments.times_us is not None and given > 1:
        _check_order(moments, moments.times_us)
        interval_us = int(np.sort(np.diff(moments.times_us))[(given - 2) // 2])
        moments = _every_moment(moments, moments.times_us, interval_us, fill)
    added = len(moments.values) - given
    empty = int(np.isnan(moments.values).sum()) - added * len(moments.channels)
    values = _filled(moments, fill, empty) if added or empty else moments.values
    warnings = [f"filled {empty} empty cells and {added} missing moments (--fill {fill})"]
    times = None if moments.times_us is None else moments.times_us.astype("datetime64[us]")
    interval_s = None if interval_us is None else interval_us / 1e6
    return Even(values, times, interval_s, tuple(warnings if added or empty else ()))


def _check_order(moments: Moments, times_us: NDArray[np.int64]) -> None:
    wrong = np.flatnonzero(np.diff(times_us) <= 0)
    if not len(wrong):
        return
    at = int(wrong[0]) + 1
    before, here = times_us[at - 1], times_us[at]
    if before == here:
        fault, advice = "is that of", "leave one of the two out"
    else:
        fault, advice = "comes before that of", "sort the lines by time"
    raise DataError(
        f"{_place(moments, at)}: its time, {_moment(here)}, {fault} line {moments.lines[at - 1]},"
        f" {_moment(before)} ({len(wrong)} such lines in all); {advice}"
    )


def _every_moment(
    moments: Moments, times_us: NDArray[np.int64], interval_us: int, fill: Fill | None
) -> Moments:
    """The moments with a line of empty cells for each one that is missing between two of them."""
    gaps_us = np.diff(times_us)
    odd = np.abs(gaps_us - interval_us) > TOLERANCE * interval_us
    if not odd.any():
        return moments
    steps = np.maximum(1, np.rint(gaps_us / interval_us).astype(np.int64))
    uneven = np.abs(gaps_us - steps * interval_us) > TOLERANCE * interval_us
    if fill is None or uneven.any():
        _refuse_gap(moments, times_us, interval_us, odd if fill is None else uneven, missing=not uneven.any())
    places = np.concatenate([[0], np.cumsum(steps)])
    count = int(places[-1]) + 1
    if count > 2 * len(places):
        raise DataError(
            f"{moments.path}: {count - len(places)} moments are missing, {len(places)} are there; that is too"
            " much to fill: take a part of the file with fewer gaps"
        )
    values = np.full((count, len(moments.channels)), np.nan, np.float32)
    values[places] = moments.values
    lines = np.zeros(count, np.int64)
    lines[places] = moments.lines
    every_us = np.rint(np.interp(np.arange(count), places, times_us)).astype(np.int64)
    return replace(moments, lines=lines, values=values, times_us=every_us)


def _refuse_gap(
    moments: Moments, times_us: NDArray[np.int64], interval_us: int, odd: NDArray[np.bool_], *, missing: bool
) -> NoReturn:
    """missing: whether all that is wrong is that moments are missing, so that they could be filled."""
    at = int(np.flatnonzero(odd)[0]) + 1
    column = shlex.quote(str(moments.time_column))
    as_it_is = f"take the lines as evenly spaced with --drop-column {column}"
    advice = f"{ASK}, or {as_it_is}"
    if not missing:
        advice = f"no --fill mends that, the gap is not of whole intervals: write even times, or {as_it_is}"
    raise DataError(
        f"{_place(moments, at)}: its time, {_moment(times_us[at])}, is"
        f" {_span(times_us[at] - times_us[at - 1])} after that of line {moments.lines[at - 1]}, usual are"
        f" {_span(interval_us)} ({int(odd.sum())} such gaps in all); {advice}"
    )


def _filled(moments: Moments, fill: Fill | None, empty: int) -> NDArray[np.float32]:
    """The values, each empty cell filled from its own channel."""
    known = ~np.isnan(moments.values)
    for number, channel in enumerate(moments.channels):
        if not known[:, number].any():
            without = f"leave it out with --drop-column {shlex.quote(channel)}"
            raise DataError(f'{moments.path}: the column "{channel}" holds no number; {without}')
    if fill is None:
        row, number = (int(each) for each in np.argwhere(~known)[0])
        raise DataError(
            f'{_place(moments, row)}, column "{moments.channels[number]}": the cell is empty or NaN ({empty}'
            f" such cells in all); {ASK}, or leave the column out with"
            f" --drop-column {shlex.quote(moments.channels[number])}"
        )
    _check_ends(moments, known, fill)
    columns = [_fill(values, there, fill) for values, there in zip(moments.values.T, known.T, strict=True)]
    return np.ascontiguousarray(np.stack(columns, axis=1))


def _check_ends(moments: Moments, known: NDArray[np.bool_], fill: Fill) -> None:
    """Nothing stands before the first line, nor behind the last one, to fill a cell from."""
    ends = ((0, "before"),) if fill == "previous" else ((0, "before"), (-1, "behind"))
    for end, side in ends:
        if known[end].all():
            continue
        number = int(np.flatnonzero(~known[end])[0])
        channel = moments.channels[number]
        in_order = known[:, number] if end == 0 else known[::-1, number]
        raise DataError(
            f'{_place(moments, end)}, column "{channel}": the cell is empty and nothing stands {side} it'
            f" that --fill {fill} could take; leave out the {int(in_order.argmax())} lines from there, or the"
            f" column with --drop-column {shlex.quote(channel)}"
        )


def _fill(values: NDArray[np.float32], there: NDArray[np.bool_], fill: Fill) -> NDArray[np.float32]:
    """values: [n] of one channel; linear: the straight line between its neighbours, else the one before."""
    number = np.arange(len(values))
    if fill == "linear":
        return np.interp(number, number[there], values[there]).astype(np.float32)
    found: NDArray[np.float32] = values[np.maximum.accumulate(np.where(there, number, 0))]
    return found


def _place(moments: Moments, at: int) -> str:
    return f"{moments.path}: line {moments.lines[at]}"


def _moment(time_us: np.int64) -> str:
    """Such as 2016-07-01 00:00:00, with a fraction of a second where it has one."""
    text = str(time_us.astype("datetime64[us]")).replace("T", " ")
    return text.removesuffix(".000000")


def _span(span_us: int | np.int64) -> str:
    """Such as 3:00:00 or 2 days, 0:00:00."""
    return str(timedelta(microseconds=int(span_us)))
