"""The table of a distillation: teachers, the student from scratch and the distilled one, fp32 and int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.text import Text

from edgeseq.distill.comparison import Row
from edgeseq.distill.held_out import Figures
from edgeseq.report.bench_figures import milliseconds, size
from edgeseq.report.table import table
from edgeseq.tasks import WORDS
from edgeseq_device.tasks import Task

ROLES = {
    "teacher": "teacher",
    "ensemble": "teachers",
    "linear": "linear",
    "scratch": "scratch",
    "distilled": "distilled",
}
TITLES: Mapping[Task, str] = {
    "classify": "Accuracy in %, bytes on a board, median latency here with one thread",
    "lm": "Nats per token, bits per character, bytes on a board, median ms of a token here",
    "forecast": "MSE and MAE, bytes on a board, median ms of a forecast here with one thread",
}
HEADS: Mapping[Task, tuple[str, str]] = {"lm": ("nats", "bits"), "forecast": ("MSE", "MAE")}
"""Of the two figures of a split, in narrow columns."""
SPLITS = {"validation": "val.", "test": "test"}
SCOPE = (
    "out of scope: % of test recordings of none of the classes that are rejected, at the threshold that"
    " validation gives; right kept: % of those of the classes that are right and not rejected"
    " (docs/export.md, Out of scope)"
)


def distill_table(rows: Sequence[Row], task: Task = "classify") -> Group:
    """Whose row is whose, and a row for each form of each model, in 80 columns.

    Of classifiers what is rejected, and what that costs, where the data has recordings of none of the
    classes; of the others on how much they were judged.
    """
    called = _called(rows)
    scoped = any(isinstance(row.figures, Figures) and row.figures.scoped for row in rows)
    columns = ("model", "form", *_columns(rows, task, scoped=scoped), "size", "ms")
    shown = [
        (
            called[row.role, row.name],
            row.form + " int8" * (row.precision == "int8"),
            *_figures(row, task, scoped=scoped),
            size(row.bytes),
            _milliseconds(row.latency_p50_ms),
        )
        for row in rows
    ]
    names = [Text(line) for line in _names(rows, called)]
    remarks = [Text(SCOPE)] * scoped + _judged_on(rows, task)
    return Group(*names, table(TITLES[task], columns, shown), *remarks)


def _columns(rows: Sequence[Row], task: Task, *, scoped: bool) -> list[str]:
    figures = rows[0].figures
    if isinstance(figures, Figures):
        return ["val.", "test", *["out of\nscope", "right\nkept"] * scoped]
    return [f"{SPLITS[split]}\n{title}" for split in figures for title in HEADS[task]]


def _figures(row: Row, task: Task, *, scoped: bool) -> list[str]:
    figures = row.figures
    if not isinstance(figures, Figures):
        words = WORDS[task]
        return [f"{reached[key]:.3f}" for reached in figures.values() for key in (words.metric, words.also)]
    of_scope = [_percent(figures.out_of_scope_recall), _percent(figures.in_scope_accuracy)]
    return [_percent(figures.validation), _percent(figures.test), *of_scope * scoped]


def _judged_on(rows: Sequence[Row], task: Task) -> list[Text]:
    figures = rows[0].figures
    if isinstance(figures, Figures):
        return []
    counted = WORDS[task].counted
    counts = [f"{split} {reached[counted]:,} {counted}" for split, reached in figures.items()]
    return [Text(f"judged on: {', '.join(counts)}")]


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
