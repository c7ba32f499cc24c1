"""What must be reached, as data, held against what a run found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from board import BOARDS
from models import FEATURES
from results import Results, Row, chosen, in_compute
from subjects import Case

HIDDEN = (64, 128, 256, 512)
TIME = {
    ("gru", 100): (1.02, 0.75, 0.40, 0.15),
    ("lstm", 100): (1.02, 0.75, 0.40, 0.30),
    ("gru", None): (0.35, 0.30, 0.20, 0.20),
}
"""Time over ORT's fp32 op, for each of HIDDEN."""
INSTRUCTIONS = {
    ("pi4", "gru", None): (0.30, 0.42, 0.58, 0.70),
    ("pi5", "gru", None): (0.30, 0.36, 0.42, 0.45),
    ("pi4", "gru", 100): (1.02, 1.02, 0.92, 0.86),
    ("pi5", "gru", 100): (1.02, 0.86, 0.65, 0.55),
    ("pi4", "lstm", 100): (1.02, 1.02, 0.93, 0.86),
    ("pi5", "lstm", 100): (1.02, 0.85, 0.65, 0.55),
}
"""Instructions over ORT's fp32 op, for each of HIDDEN."""
ANY_COMPUTE_AT = 1.02
"""Where the bound is this, the chosen form counts whatever its compute; in time the int8 one elsewhere."""
TRANSFORMER_INT8 = 0.65
LOAD_MS = 10.0
RSS_FILES, RSS_BYTES = 2, 4_000_000

_READS = (
    "each form reads every weight once a frame, in int8 a quarter of the bytes, so that the ratio stays at"
    " 0.25 or above wherever the caches deliver both equally fast"
)
REASONS = {
    "time over ORT's fp32 op, gru 512": _READS,
    "time over ORT's fp32 op, lstm 512": _READS,
}
"""Why a bound is not reached, by the beginning of what it bounds."""


@dataclass(frozen=True)
class Bound:
    """value: None where nothing was found that it could be held against. note: what stands beside it.

    spread_percent: of the turns that a time was taken from.
    """

    what: str
    value: float | None
    at_most: float
    note: str = ""
    spread_percent: float = 0.0

    @property
    def reached(self) -> bool:
        """Within its bound."""
        return self.value is not None and self.value <= self.at_most

    @property
    def reason(self) -> str:
        """Why it is not reached; empty where it is."""
        if self.reached:
            return ""
        if self.value is None:
            return "no such form was written or measured"
        if self.value <= self.at_most * (1 + self.spread_percent / 100):
            return f"within the spread of the turns, {self.spread_percent:.0f} %: use a quieter machine"
        reasons = (text for begin, text in REASONS.items() if self.what.startswith(begin))
        return next(reasons, "the reason is not found yet")

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {**asdict(self), "reached": self.reached, "reason": self.reason}


def evaluate(results: Results) -> list[Bound]:
    """Every bound on a case that was run."""
    return [
        *_times(results),
        *_transformer(results),
        *_loads(results),
        *_memory(results),
        *_instructions(results),
        *_agreement(results),
        Bound("files with an int8 weight of -128", len(results.lowest_weights), 0),
    ]


def _times(results: Results) -> Iterator[Bound]:
    for (family, frames), limits in TIME.items():
        for hidden, at_most in zip(HIDDEN, limits, strict=True):
            case = Case(family, hidden, frames)
            rows = [row for row in results.rows if row.subject.case == case]
            if not rows:
                continue
            any_compute = frames is None or at_most == ANY_COMPUTE_AT
            judged = chosen(rows) if any_compute else in_compute(rows, "int8")
            what = f"{case.label}, {'chosen form' if any_compute else 'int8 compute'}"
            best = min(judged, key=lambda row: float(row.ratio), default=None)
            value, spread = (None, 0.0) if best is None else (best.ratio, best.spread_percent)
            missed = value is not None and value > at_most
            notes = [_beside(rows) if any_compute else "", _rates(case, rows, at_most) if missed else ""]
            note = "; ".join(filter(None, notes))
            yield Bound(f"time over ORT's fp32 op, {what}", value, at_most, note, spread)


def _rates(case: Case, rows: Sequence[Row], at_most: float) -> str:
    """How fast the weights are read: each of them once a frame, in int8 and in fp32."""
    weights = {"gru": 3, "lstm": 4}[case.family] * case.hidden * (FEATURES + case.hidden)
    megabytes = weights * (case.frames or 1) / 1e6
    op_us = next((row.median_us for row in rows if row.subject.role == "op"), None)
    int8_us = min((row.median_us for row in in_compute(rows, "int8")), default=None)
    if op_us is None or int8_us is None:
        return ""
    int8, op, asked = (1000 * n / us for n, us in ((1, int8_us), (4, op_us), (1, at_most * op_us)))
    return (
        f"weights are read at {megabytes * int8:.0f} GB/s, by the op at {megabytes * op:.0f};"
        f" the bound asks for {megabytes * asked:.0f}"
    )


def _instructions(results: Results) -> Iterator[Bound]:
    for (board, family, frames), limits in INSTRUCTIONS.items():
        for hidden, at_most in zip(HIDDEN, limits, strict=True):
            case = Case(family, hidden, frames)
            rows = [row for row in results.counts if row.subject.case == case and row.board == board]
            if rows:
                what = f"instructions over ORT's fp32 op, {board}, {case.label}, chosen form"
                yield Bound(what, _least(chosen(rows)), at_most, _beside(rows))


def _transformer(results: Results) -> Iterator[Bound]:
    rows = [row for row in results.rows if row.subject.case == Case("transformer", 128, 100)]
    lite = {row.subject.role: row.median_us for row in rows if row.subject.runtime == "tflite"}
    if rows:
        value = lite["int8"] / lite["fp32"] if {"int8", "fp32"} <= lite.keys() else None
        yield Bound("time over its own fp32 on LiteRT, transformer 128, T=100", value, TRANSFORMER_INT8)


def _loads(results: Results) -> Iterator[Bound]:
    for runtime, rows in _shipped_sequences(results).items():
        worst = max(rows, key=lambda row: float(row.load_ms))
        yield Bound(f"load, ms, worst on {runtime}", worst.load_ms, LOAD_MS, worst.subject.case.label)


def _memory(results: Results) -> Iterator[Bound]:
    for runtime, rows in _shipped_sequences(results).items():
        for row in rows:
            limit = RSS_FILES * row.subject.file_bytes + RSS_BYTES
            what = f"RSS added, MB, {row.subject.case.label}, {runtime}"
            yield Bound(what, row.rss_added_bytes / 1e6, limit / 1e6)


def _agreement(results: Results) -> Iterator[Bound]:
    for board in BOARDS:
        rows = [row for row in results.counts if row.board == board]
        if rows:
            apart = [row.subject.id for row in rows if not row.agrees]
            yield Bound(f"answers that differ from x86's, {board}", len(apart), 0, "; ".join(apart))


def _shipped_sequences(results: Results) -> dict[str, list[Any]]:
    rows = [row for row in chosen(results.footprints) if row.subject.case.frames is not None]
    runtimes = dict.fromkeys(row.subject.runtime for row in rows)
    return {each: [row for row in rows if row.subject.runtime == each] for each in runtimes}


def _least(rows: Sequence[Any]) -> float | None:
    return min((row.ratio for row in rows if row.ratio is not None), default=None)


def _beside(rows: Sequence[Any]) -> str:
    """The figures that stand beside a chosen form's: the int8-compute form's, and a step's over IOBinding."""
    int8 = _least(in_compute(rows, "int8"))
    bound = min((row.bound_ratio for row in chosen(rows) if row.bound_ratio is not None), default=None)
    told = {"int8 compute": int8, "over the op through IOBinding": bound}
    return ", ".join(f"{name}: {value:.2f}" for name, value in told.items() if value is not None)
