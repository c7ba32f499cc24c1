"""The tables of a run, for a terminal and for the README."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bounds import Bound
from results import Results
from subjects import Subject

NOTE = """\
One thread, batch 1, 40 features a frame, random weights. GRU and LSTM: one layer whose last output is the
answer. Transformer: 2 layers of 128, 4 heads, 256 inside, mean pooling; its step form is causal and keeps
100 frames. Each subject is called from Python with a numpy array: edgeseq's through its own loader, ORT's
through session.run of what torch.onnx.export wrote (all of its outputs, a file for each length), torch in
inference_mode. edgeseq's loader goes through an IOBinding in ORT, and the op through one stands beside. A
step hands its state on. Time: median processor time of a call over interleaved rounds; the ratio is to ORT's
fp32 op, the median over the rounds. Load: processor time in a process that has loaded a null model, which
starts the runtime up. * marks the form that edgeseq chooses for this machine or that board. int8 and fp32
compute: how products are computed; the weights in the file of an int8 model are int8 with both."""

_GROUPS = (
    ("int8", "int8 compute"),
    ("fp32", "fp32 compute, int8 file"),
    ("float", "fp32 compute, fp32 file"),
)


def print_all(results: Results, bounds: Sequence[Bound]) -> None:
    """Every table."""
    print(f"\n{NOTE}")
    for family, frames in dict.fromkeys((case.family, case.frames) for case in results.cases()):
        rows = [row for row in results.rows if _belongs(row.subject, family, frames)]
        _print_table(
            f"{_title(family, frames)}: ratio to ORT's fp32 op, time, and spread of the turns",
            rows,
            _time_cell,
        )
    for family, frames in dict.fromkeys(_kind(row.subject) for row in results.rows):
        rows = [row for row in results.rows if _belongs(row.subject, family, frames)]
        _print_table(f"{_title(family, frames)}: largest error against the fp32 model", rows, _error_cell)
    for family, frames in dict.fromkeys(_kind(row.subject) for row in results.footprints):
        rows = [row for row in results.footprints if _belongs(row.subject, family, frames)]
        title = f"{_title(family, frames)}: file kB / RSS added over a null model MB / load ms"
        _print_table(title, rows, _footprint_cell)
    for board, family, frames in dict.fromkeys((row.board, *_kind(row.subject)) for row in results.counts):
        rows = [row for row in results.counts if row.board == board and _belongs(row.subject, family, frames)]
        title = (
            f"{_title(family, frames)} on {board}, emulated: ratio to ORT's fp32 op, and 1000 instructions"
        )
        _print_table(title, rows, _count_cell)
    if results.missing:
        print("\nNot measured:")
        print("\n".join(f"  {each}" for each in results.missing))
    print_bounds(bounds)


def print_bounds(bounds: Sequence[Bound]) -> None:
    """Each bound with its verdict, what the middle 80 % of the rounds lie between, and why it is missed."""
    print(f"\n{'bound':<66} {'value':>8} {'of rounds':<9}     {'at most':<8}")
    for each in bounds:
        value = "-" if each.value is None else f"{each.value:.4g}"
        rounds = "" if each.range is None else "{:.2f}-{:.2f}".format(*each.range)
        verdict = "reached" if each.reached else f"NOT REACHED: {each.reason}"
        note = f"  ({each.note})" if each.note else ""
        print(f"{each.what:<66} {value:>8} {rounds:<9}  <= {each.at_most:<8.3g} {verdict}{note}")
    reached = sum(each.reached for each in bounds)
    print(f"{reached} of {len(bounds)} bounds reached")


def _kind(subject: Subject) -> tuple[str, int | None]:
    return subject.case.family, subject.case.frames


def _belongs(subject: Subject, family: str, frames: int | None) -> bool:
    return _kind(subject) == (family, frames)


def _title(family: str, frames: int | None) -> str:
    name = "Transformer" if family == "transformer" else family.upper()
    return f"{name}, {'step' if frames is None else f'T={frames}'}"


def _group(subject: Subject) -> str:
    return "int8" if subject.compute == "int8" else "float" if _is_float_file(subject) else "fp32"


def _is_float_file(subject: Subject) -> bool:
    """quantize_dynamic leaves a GRU as it is."""
    untouched = subject.role == "op quantize_dynamic" and subject.compute == "fp32"
    return subject.role in ("fp32", "op", "op bound", "torch") or untouched


def _print_table(title: str, rows: Iterable[Any], cell: Callable[[Any], str]) -> None:
    """One column for each H, one line for each subject, by what the products are computed in."""
    rows = list(rows)
    columns = sorted({row.subject.case.hidden for row in rows})
    print(f"\n{title}")
    print(f"{'':<32}" + "".join(f"{f'H={hidden}':>20}" for hidden in columns))
    for group, heading in _GROUPS:
        inside = [row for row in rows if _group(row.subject) == group]
        if inside:
            print(heading)
        for name in dict.fromkeys(row.subject.name for row in inside):
            cells = {row.subject.case.hidden: cell(row) for row in inside if row.subject.name == name}
            print(f"  {name:<30}" + "".join(f"{cells.get(hidden, '-'):>20}" for hidden in columns).rstrip())


def _mark(subject: Subject) -> str:
    return "*" if subject.role == "int8" else " "


def _time_cell(row: Any) -> str:
    time_us = f"{row.median_us:.1f}us" if row.median_us < 1000 else f"{row.median_us / 1000:.2f}ms"
    return f"{_ratio(row)}{_mark(row.subject)}{time_us:>9} {row.spread_percent:3.0f}%"


def _error_cell(row: Any) -> str:
    return f"{row.error:.1e}{_mark(row.subject)}"


def _footprint_cell(row: Any) -> str:
    kilobytes = row.subject.file_bytes / 1000
    return f"{kilobytes:.0f}/{row.rss_added_bytes / 1e6:.1f}/{row.load_ms:.1f}{_mark(row.subject)}"


def _count_cell(row: Any) -> str:
    return f"{_ratio(row)}{_mark(row.subject)}{row.instructions / 1000:>9.0f}"


def _ratio(row: Any) -> str:
    return "-" if row.ratio is None else f"{row.ratio:.2f}"
