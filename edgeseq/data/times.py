"""The times of a series: read from the cells of a column, said in messages."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np

TOLERANCE = 0.01  # of the usual interval: clocks write 33.3 ms as 33 or 34
LEAST_EPOCH_MS = 1e11  # 1973 in milliseconds, the year 5138 in seconds
DATES = ("date", "datetime", "ds")
_END_US = 1e17  # the year 5138
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class TimeCells:
    """Reads the cells of the column called `name`, in the file's order.

    The unit of its numbers is one for all of them: the name's (`time_ms`, `time_s`, `seconds`), else that of
    the first number, milliseconds from LEAST_EPOCH_MS on. A date has none, its eight digits are YYYYMMDD.
    """

    def __init__(self, name: str) -> None:
        """name: in any case."""
        unit = name.strip().lower().rpartition("_")[2]
        self._of_dates = unit in DATES
        self._us = {"ms": 1e3, "milliseconds": 1e3, "s": 1e6, "seconds": 1e6}.get(unit)

    def microseconds(self, cell: str) -> int | None:
        """Since 1970; None for what is no time. A date and time without an offset counts as UTC."""
        try:
            number = float(cell)
        except ValueError:
            return _of_date(cell)
        if self._of_dates:
            return _of_date(cell) if len(cell) == 8 and cell.isdecimal() else None
        us = self._us or (1e3 if abs(number) >= LEAST_EPOCH_MS else 1e6)
        if not abs(number * us) < _END_US:
            return None
        self._us = us
        return round(number * us)

    @property
    def advice(self) -> str:
        """How a time is written that can be read."""
        written = "write it as 2016-07-01 00:00:00 (ISO 8601)"
        if self._of_dates:
            return f"{written} or 20160701, or call a column of numbers time_s or time_ms"
        return f"{written}, or in {self._unit} since 1970"

    @property
    def _unit(self) -> str:
        return {1e3: "milliseconds", 1e6: "seconds"}.get(self._us or 0, "seconds or milliseconds")


def time_text(time: np.datetime64) -> str:
    """Such as 2016-07-01 00:00:00, with a fraction of a second where it has one."""
    return str(time.astype("datetime64[us]")).replace("T", " ").removesuffix(".000000")


def _of_date(cell: str) -> int | None:
    try:
        found = datetime.fromisoformat(cell.removesuffix("Z"))
    except ValueError:
        return None
    aware = found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)
    return (aware - _EPOCH) // timedelta(microseconds=1)
