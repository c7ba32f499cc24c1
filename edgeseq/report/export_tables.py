"""The tables of an export: one for each gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from edgeseq.gates import AccuracyDrop, error_text
from edgeseq.report.table import percent, table
from edgeseq_export.budget import SizeCheck, TensorSize
from edgeseq_export.parity import Parity

_TENSORS_SHOWN = 12


def gate_table(name: str, rows: Sequence[Any]) -> Table:
    """The table of a gate: "size", "tensors", "parity" or "accuracy"."""
    return _TABLES[name](rows)


def _size(rows: Sequence[SizeCheck]) -> Table:
    return table(
        "Size: everything a board needs",
        ("format", "files", "bytes", "budget", "verdict"),
        [
            (r.format, " + ".join(r.files), f"{r.bytes:,}", f"{r.max_bytes:,}", verdict(r.passed))
            for r in rows
        ],
    )


def _tensors(rows: Sequence[TensorSize]) -> Table:
    *tensors, graph = rows
    shown = [(r.name, "x".join(map(str, r.shape)), r.dtype, f"{r.bytes:,}") for r in tensors[:_TENSORS_SHOWN]]
    if rest := tensors[_TENSORS_SHOWN:]:
        shown.append((f"{len(rest)} more", "", "", f"{sum(r.bytes for r in rest):,}"))
    shown.append((graph.name, "", "", f"{graph.bytes:,}"))
    return table("Bytes per tensor, the largest first", ("tensor", "shape", "dtype", "bytes"), shown)


def _parity(rows: Sequence[Parity]) -> Table:
    return table(
        "Parity on the golden vectors",
        ("answers of", "against", "n", "max error", "tolerance", "decisions that differ", "verdict"),
        [
            (
                r.subject,
                r.against,
                r.n,
                error_text(r),
                f"{r.tolerance:.0e}",
                r.flips,
                verdict(r.passed),
            )
            for r in rows
        ],
    )


def _accuracy(rows: Sequence[AccuracyDrop]) -> Table:
    return table(
        f"Accuracy on the {rows[0].split} split",
        ("format", "n", "trained fp32", "exported", "drop (points)", "limit", "net flips", "verdict"),
        [
            (
                r.format,
                r.n,
                percent(r.fp32),
                percent(r.exported),
                f"{r.drop:.2f}",
                f"{r.max_drop:g}",
                r.flips,
                verdict(r.passed),
            )
            for r in rows
        ],
    )


def verdict(passed: bool) -> str:
    """How a gate ended."""
    return "passed" if passed else "FAILED"


_TABLES: dict[str, Callable[[Sequence[Any]], Table]] = {
    "size": _size,
    "tensors": _tensors,
    "parity": _parity,
    "accuracy": _accuracy,
}
