"""What must be reached, as data, held against what a run found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from board import BOARDS
from models import FEATURES
from results import EDGESEQ_INT8, Results, Row, chosen, in_compute
from subjects import Case

from edgeseq_export.parity import TOLERANCE

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

ERROR = {"float": TOLERANCE["fp32"], "fp32": 0.01, "int8": 0.02}
"""Against the fp32 model, relative to the largest output where that is above 1: of edgeseq's fp32 files, and
of its int8 files by what they compute in."""
_RUNTIMES = {"onnx": "ORT", "tflite": "LiteRT"}


@dataclass(frozen=True)
class Bound:
    """value: None where nothing was found that it could be held against. note: what stands beside it.

    range: what the middle 80 % of the rounds lie between. cause: what the run found out about a miss.
    """

    what: str
    value: float | None
    at_most: float
    note: str = ""
    range: tuple[float, float] | None = None
    cause: str = ""

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
        return self.cause or "the reason is not found yet"

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {**asdict(self), "reached": self.reached, "reason": self.reason}


def evaluate(results: Results) -> list[Bound]:
    """Every bound on a case that was run."""
    return [
        *_errors(results),
        *_times(results),
        *_transformer(results),
        *_loads(results),
        *_memory(results),
        *_instructions(results),
        *_agreement(results),
        Bound("files with an int8 weight of -128", len(results.lowest_weights), 0),
    ]


def _errors(results: Results) -> Iterator[Bound]:
    rows = [row for row in results.rows if row.subject.role in (*EDGESEQ_INT8, "fp32")]
    wrong = [row.subject.id for row in rows if not row.error <= ERROR[_kind(row)]]
    if rows:
        yield Bound("answers too far from the fp32 model's", len(wrong), 0, "; ".join(wrong))


def _kind(row: Row) -> str:
    return "float" if row.subject.role == "fp32" else row.subject.compute


def _times(results: Results) -> Iterator[Bound]:
    for (family, frames), limits in TIME.items():
        for hidden, at_most in zip(HIDDEN, limits, strict=True):
            case = Case(family, hidden, frames)
            rows = [row for row in results.rows if row.subject.case == case]
            if not rows:
                continue
            any_compute = frames is None or at_most == ANY_COMPUTE_AT
            judged = chosen(rows) if any_compute else in_compute(rows, "int8")
            what = (
                f"time over ORT's fp32 op, {case.label}, {'chosen form' if any_compute else 'int8 compute'}"
            )
            best = _best(judged)
            if best is None:
                yield Bound(what, None, at_most)
            else:
                note, cause = _beside(best, rows), _rates(case, rows, at_most)
                yield Bound(what, best.ratio, at_most, note, best.ratio_range, cause)


def _rates(case: Case, rows: Sequence[Row], at_most: float) -> str:
    """Where int8 weights, each read once a frame, would have to be read faster than the op reads its fp32."""
    op_us = next((row.median_us for row in rows if row.subject.role == "op"), None)
    if op_us is None:
        return ""
    weights = {"gru": 3, "lstm": 4}[case.family] * case.hidden * (FEATURES + case.hidden)
    gigabytes = weights * (case.frames or 1) / 1e9
    asked, read = gigabytes / (at_most * op_us / 1e6), 4 * gigabytes / (op_us / 1e6)
    if asked <= read:
        return ""
    return f"the bound asks for weights at {asked:.0f} GB/s, the op itself reads at {read:.0f}"


def _instructions(results: Results) -> Iterator[Bound]:
    for (board, family, frames), limits in INSTRUCTIONS.items():
        for hidden, at_most in zip(HIDDEN, limits, strict=True):
            case = Case(family, hidden, frames)
            rows = [row for row in results.counts if row.subject.case == case and row.board == board]
            if rows:
                what = f"instructions over ORT's fp32 op, {board}, {case.label}, chosen form"
                best = _best(chosen(rows))
                yield Bound(what, best and best.ratio, at_most, _beside(best, rows) if best else "")


def _transformer(results: Results) -> Iterator[Bound]:
    rows = [row for row in results.rows if row.subject.case == Case("transformer", 128, 100)]
    lite = {row.subject.role: row.median_us for row in rows if row.subject.runtime == "tflite"}
    if rows:
        value = lite["int8"] / lite["fp32"] if {"int8", "fp32"} <= lite.keys() else None
        yield Bound("time over its own fp32 on LiteRT, transformer 128, T=100", value, TRANSFORMER_INT8)


def _loads(results: Results) -> Iterator[Bound]:
    for runtime, rows in _shipped_sequences(results).items():
        worst = max(rows, key=lambda row: float(row.load_ms))
        note = f"{worst.subject.case.label}; starting the runtime up: {worst.start_ms:.1f} before it"
        yield Bound(f"load, ms, worst on {_RUNTIMES[runtime]}", worst.load_ms, LOAD_MS, note)


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


def _best(rows: Sequence[Any]) -> Any:
    """The row with the least ratio; None where there is none."""
    found = [row for row in rows if row.ratio is not None]
    return min(found, key=lambda row: float(row.ratio), default=None)


def _beside(best: Any, rows: Sequence[Any]) -> str:
    """The runtime of the best form, the int8-compute form's ratio, and that to the op through IOBinding."""
    int8 = None if best.subject.compute == "int8" else _best(in_compute(rows, "int8"))
    told = {"int8 compute": int8 and int8.ratio, "over the op through IOBinding": best.bound_ratio}
    figures = [f"{name}: {value:.2f}" for name, value in told.items() if value is not None]
    return ", ".join([f"on {_RUNTIMES[best.subject.runtime]}", *figures])
