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

from edgeseq.data.times import TOLERANCE, time_text
from edgeseq.names import counted
from edgeseq_device.errors import DataError

Fill = Literal["linear", "previous"]
AHEAD = (
    "--fill linear looks ahead: what is filled in a context may know the moment behind it, which a forecast"
    " in use does not; --fill previous does not look ahead"
)
FILLS: tuple[Fill, ...] = ("linear", "previous")


class UnevenError(DataError):
    """A series that is refused, with advice on how to read it that not every command can follow.

    what: the same without the advice. can_fill: whether --fill would mend it.
    """

    def __init__(self, what: str, advice: str, *, can_fill: bool = False) -> None:
        super().__init__(f"{what}; {advice}")
        self.what, self.can_fill = what, can_fill


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
    """A series without a gap: [n, C] float32, its times [n] and their interval where they are known.

    filled: [n, C], the cells that the file lacks; None: it has all.
    """

    values: NDArray[np.float32]
    times: NDArray[np.datetime64] | None
    interval_s: float | None
    warnings: tuple[str, ...]
    filled: NDArray[np.bool_] | None = None


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
    values, filled, warnings = moments.values, None, []
    if added or empty:
        values, filled = _filled(moments, fill, empty), np.isnan(moments.values)
        what = [counted(n, each) for n, each in ((empty, "empty cell"), (added, "missing moment")) if n]
        warnings = [f"filled {' and '.join(what)} (--fill {fill})"]
    if filled is not None and fill == "linear":
        warnings += [AHEAD]
    times = None if moments.times_us is None else moments.times_us.astype("datetime64[us]")
    interval_s = None if interval_us is None else interval_us / 1e6
    return Even(values, times, interval_s, tuple(warnings), filled)


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
        f" {_moment(before)} ({counted(len(wrong), 'such line')} in all); {advice}"
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
            f"{moments.path}: {count - len(places):,} moments are missing, {len(places):,} are there; that is"
            " too much to fill: take a part of the file with fewer gaps"
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
    ask = _ask(~np.isnan(moments.values))
    advice = f"{ask}, or {as_it_is}" if ask else as_it_is
    if not missing:
        advice = f"no --fill mends that, the gap is not of whole intervals: write even times, or {as_it_is}"
    raise UnevenError(
        f"{_place(moments, at)}: its time, {_moment(times_us[at])}, is"
        f" {_span(times_us[at] - times_us[at - 1])} after that of line {moments.lines[at - 1]}, usual are"
        f" {_span(interval_us)} ({counted(int(odd.sum()), 'such gap')} in all)",
        advice,
        can_fill=bool(missing and ask),
    )


def _filled(moments: Moments, fill: Fill | None, empty: int) -> NDArray[np.float32]:
    """The values, each empty cell filled from its own channel."""
    known = ~np.isnan(moments.values)
    for number, channel in enumerate(moments.channels):
        if not known[:, number].any():
            without = f"leave it out with --drop-column {shlex.quote(channel)}"
            raise UnevenError(f'{moments.path}: the column "{channel}" holds no number', without)
    if fill is None:
        row, number = (int(each) for each in np.argwhere(~known)[0])
        advice = _ask(known)
        if advice:
            advice += f", or leave the column out with --drop-column {shlex.quote(moments.channels[number])}"
        raise UnevenError(
            f'{_place(moments, row)}, column "{moments.channels[number]}": the cell is empty or NaN'
            f" ({counted(empty, 'such cell')} in all)",
            advice or _leave_out(moments, known, 0, number),
            can_fill=bool(advice),
        )
    _check_ends(moments, known, fill)
    columns = [_fill(values, there, fill) for values, there in zip(moments.values.T, known.T, strict=True)]
    return np.ascontiguousarray(np.stack(columns, axis=1))


def _ask(known: NDArray[np.bool_]) -> str:
    """Which ways to fill would not be refused by `_check_ends`; "" where none is left."""
    fitting = [f"--fill {fill}" for fill in FILLS if _open_end(known, fill) is None]
    return f"fill what is missing with {' or '.join(fitting)}" if fitting else ""


def _open_end(known: NDArray[np.bool_], fill: Fill) -> int | None:
    """The first row, 0, or the last one, -1, where a cell is empty and has nothing to be filled from."""
    ends = (0,) if fill == "previous" else (0, -1)
    return next((end for end in ends if not known[end].all()), None)


def _check_ends(moments: Moments, known: NDArray[np.bool_], fill: Fill) -> None:
    """Nothing stands before the first line, nor behind the last one, to fill a cell from."""
    end = _open_end(known, fill)
    if end is None:
        return
    number = int(np.flatnonzero(~known[end])[0])
    side = "behind" if end else "before"
    raise UnevenError(
        f'{_place(moments, end)}, column "{moments.channels[number]}": the cell is empty and nothing stands'
        f" {side} it that --fill {fill} could take",
        _leave_out(moments, known, end, number),
    )


def _leave_out(moments: Moments, known: NDArray[np.bool_], end: int, number: int) -> str:
    """What can be done about the cells of a channel that are empty at one end of the file."""
    in_order = known[::-1, number] if end else known[:, number]
    count = int(in_order.argmax())
    lines = f"{'last' if end else 'first'} {f'{count} moments' if count > 1 else 'moment'}"
    return (
        f"leave out the {lines} of the file, or the column with"
        f" --drop-column {shlex.quote(moments.channels[number])}"
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
    return time_text(time_us.astype("datetime64[us]"))


def _span(span_us: int | np.int64) -> str:
    """Such as 3:00:00 or 2 days, 0:00:00."""
    return str(timedelta(microseconds=int(span_us)))
