"""The table of a distillation: teachers, the student from scratch and the distilled one, fp32 and int8."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from edgeseq.distill.comparison import Row
from edgeseq.report.bench_figures import milliseconds, size
from edgeseq.report.table import table

ROLES = {"teacher": "teacher", "ensemble": "teachers", "scratch": "scratch", "distilled": "distilled"}
TITLE = "Accuracy in %, bytes on a board, median latency here with one thread"
SCOPE = (
    "out of scope: % of test recordings of none of the classes that are rejected, at the threshold that"
    " validation gives; right kept: % of those of the classes that are right and not rejected"
    " (docs/export.md, Out of scope)"
)


def distill_table(rows: Sequence[Row]) -> Group:
    """Whose row is whose, and a row for each form of each model, in 80 columns.

    What is rejected, and what that costs, where the data has recordings of none of the classes.
    """
    scoped = any(row.figures.out_of_scope_recall is not None for row in rows)
    called = _called(rows)
    columns = ("model", "form", "val.", "test", *("out of\nscope", "right\nkept") * scoped, "size", "ms")
    shown = [
        (
            called[row.role, row.name],
            row.form + " int8" * (row.precision == "int8"),
            _percent(row.figures.validation),
            _percent(row.figures.test),
            *(_percent(row.figures.out_of_scope_recall), _percent(row.figures.in_scope_accuracy)) * scoped,
            size(row.bytes),
            _milliseconds(row.latency_p50_ms),
        )
        for row in rows
    ]
    names = [Text(line) for line in _names(rows, called)]
    return Group(*names, table(TITLE, columns, shown), *[Text(SCOPE)] * scoped)


def _called(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """What the table calls each model, by its role and name: several teachers by number."""
    models = dict.fromkeys((row.role, row.name) for row in rows)
    teachers = [each for each in models if each[0] == "teacher"]
    numbers = {each: f" {number}" for number, each in enumerate(teachers, 1) if len(teachers) > 1}
    return {each: ROLES[each[0]] + numbers.get(each, "") for each in models}


def _names(rows: Sequence[Row], called: dict[tuple[str, str], str]) -> list[str]:
    """A line for each model: what the table calls it, its run or folder, its parameters."""
    parameters = {(row.role, row.name): row.parameters for row in rows}
    return [f"{called[each]}: {each[1]}, {count:,} parameters" for each, count in parameters.items()]


def _milliseconds(value: float) -> str:
    """In five columns."""
    return milliseconds(value) if value >= 1 else f"{value:.3f}"


def _percent(fraction: float | None) -> str:
    """Without the sign, which the title has, in five columns."""
    return "" if fraction is None else f"{100 * fraction:.2f}"[:5]
