"""The table of a distillation: teachers, the student from scratch and the distilled one, fp32 and int8."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from edgeseq.distill.comparison import Row
from edgeseq.report.table import percent, table

ROLES = {
    "teacher": "teacher",
    "ensemble": "teachers together",
    "scratch": "student from scratch",
    "distilled": "student distilled",
}
BEFORE = ("model", "run", "form", "validation", "test")
BEHIND = ("parameters", "bytes", "p50 (ms)")


def distill_table(rows: Sequence[Row]) -> Table:
    """A row for each form of each model. Recall where the data has recordings of none of the classes."""
    scoped = any(row.figures.out_of_scope_recall is not None for row in rows)
    columns = (*BEFORE, *("out of scope",) * scoped, *BEHIND)
    shown = [
        (
            ROLES[row.role] + " int8" * (row.precision == "int8"),
            row.name,
            row.form,
            percent(row.figures.validation),
            percent(row.figures.test),
            *_recall(row) * scoped,
            f"{row.parameters:,}",
            f"{row.bytes:,}",
            f"{row.latency_p50_ms:.3f}",
        )
        for row in rows
    ]
    title = "Accuracy, bytes on a board, and latency on this machine with one thread, in turns"
    return table(title, columns, shown)


def _recall(row: Row) -> tuple[str]:
    recall = row.figures.out_of_scope_recall
    return ("" if recall is None else percent(recall),)
