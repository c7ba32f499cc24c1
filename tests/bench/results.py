"""What a run found, as rows that JSON can hold and tables and bounds are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from subjects import Case, Subject

from edgeseq_export.forms import Compute

EDGESEQ_INT8 = ("int8", "int8 compute")


@dataclass(frozen=True)
class Row:
    """Time of one inference on this machine.

    ratio: to ORT's fp32 op, the median over the rounds, None where the case has none; ratio_range: what the
    middle 80 % of the rounds lie between; bound_ratio: to that op through an IOBinding. error: the largest
    max|a - b| / max(1, max|b|) against the fp32 model's answer.
    """

    subject: Subject
    median_us: float
    spread_percent: float
    ratio: float | None
    ratio_range: tuple[float, float] | None
    bound_ratio: float | None
    error: float

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return self.subject.to_dict() | _figures(self)


@dataclass(frozen=True)
class Footprint:
    """Of a model in fresh processes that loaded a null model before: the first model starts the runtime up.

    start_ms, load_ms: processor time of the null model's load and of this one's. rss_added_bytes: beyond what
    a null model has in its place.
    """

    subject: Subject
    start_ms: float
    load_ms: float
    rss_added_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return self.subject.to_dict() | _figures(self)


@dataclass(frozen=True)
class Count:
    """Instructions of one inference on a virtual board.

    ratio: to ORT's fp32 op there, called the same way; bound_ratio: to that op through an IOBinding. error:
    the answer against this machine's, as in `Row`; agrees: by the rule of an export's parity.
    """

    subject: Subject
    board: str
    instructions: int
    spread_percent: float
    ratio: float | None
    bound_ratio: float | None
    error: float
    agrees: bool

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return self.subject.to_dict() | _figures(self)


@dataclass(frozen=True)
class Results:
    """Everything a run found. missing: what could not be written or measured, and why.

    lowest_weights: edgeseq's files that hold an int8 weight of -128.
    """

    rows: list[Row] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    lowest_weights: list[str] = field(default_factory=list)

    def cases(self) -> list[Case]:
        """The cases that were timed, in their order."""
        return list(dict.fromkeys(row.subject.case for row in self.rows))


def over(figure: float, by_role: Mapping[str, float], role: str) -> float | None:
    """A figure over that of a baseline; None where the case has no such baseline."""
    return figure / by_role[role] if role in by_role else None


def _figures(row: Row | Footprint | Count) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "subject"}


def chosen(rows: Iterable[Any]) -> list[Any]:
    """The rows of edgeseq's chosen int8 forms, one a runtime."""
    return [row for row in rows if row.subject.role == "int8"]


def in_compute(rows: Iterable[Any], compute: Compute) -> list[Any]:
    """The rows of edgeseq's int8 files that multiply in `compute`, chosen or not."""
    return [row for row in rows if row.subject.role in EDGESEQ_INT8 and row.subject.compute == compute]
