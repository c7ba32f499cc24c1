"""A benchmark result as tables: one column per format and number of threads, one row per figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

from edgeseq.report.bench_figures import DETAILS, FIGURES, NOT_MEASURED, Model, cell, size, step_file
from edgeseq.tasks import WORDS
from edgeseq_device.measuring.assemble import name
from edgeseq_device.measuring.keys import DEFAULT_KINDS, KEYS, MODEL, NOT_ASKED, is_of_step
from edgeseq_device.measuring.words import worded
from edgeseq_device.tasks import Task

WIDTH_MAX = 100
"""Tables and notes are no wider, so that they fit a page or a message."""
EMULATED = "emulated"

REACH = ("context", "horizon")
Row = tuple[str, ...]
Table = tuple[str, Row, list[Row]]
"""Title, heads and rows."""


def bench_title(result: Mapping[str, Any]) -> str:
    """What was measured on what."""
    counts = result["threads"]
    threads = ", ".join(map(str, counts)) + (" thread" if counts == [1] else " threads")
    emulated = f" {EMULATED}" if result["emulated"] else ""
    return f"{result['artifact']['name']} on {result['board']}{emulated}, {threads}"


def bench_tables(result: Mapping[str, Any], width: int = WIDTH_MAX) -> list[Table]:
    """The figures within `width` columns, as far as that can be: one table, or several of fewer models.

    On an emulated device every row says so, in few letters where there is little room.
    """
    models: list[Model] = result["models"]
    named = f"{result['board']} {EMULATED}"
    made: list[Table] = []
    for parts in range(1, len(models) + 1):
        for mark in (named, EMULATED) if result["emulated"] else ("",):
            made = [_table(result, each, mark) for each in _split(models, parts)]
            if all(_width(table) <= width for table in made):
                return made
    return made


def _table(result: Mapping[str, Any], models: Sequence[Model], mark: str) -> Table:
    heads = ("", *(name(model) for model in models), *(("device",) if mark else ()))
    marks = (mark,) if mark else ()
    return bench_title(result), heads, [(*row, *marks) for row in _rows(models, result["models"])]


def _split(models: Sequence[Model], parts: int) -> list[list[Model]]:
    """In order, so many each; the last may have fewer. What both runners have measured stays side by side as
    long as that can be."""
    together = [list(each) for _, each in groupby(models, lambda model: (model["format"], model["threads"]))]
    units = together if parts <= len(together) else [[each] for each in models]
    each = -(-len(units) // parts)
    return [list(chain(*units[begin : begin + each])) for begin in range(0, len(units), each)]


def _width(table: Table) -> int:
    """Columns of the printed table, with its lines."""
    _title, heads, rows = table
    return sum(3 + max(map(len, column)) for column in zip(heads, *rows, strict=True)) + 1


def _rows(models: Sequence[Model], all_models: Sequence[Model]) -> list[Row]:
    """Of `models`, the figures that any of the result's models has."""
    rows = [_row("runtime", models, lambda model: model["runtime"] or NOT_MEASURED)]
    rows.append(_row("model file", models, lambda model: size(model["model_bytes"])))
    if any(model["step_file"] not in (None, model["file"]) for model in all_models):
        rows.append(_row("step file", models, step_file))
    rows += _described(models, all_models)
    rows += [_accuracy_row(split, models) for split in splits_of(all_models)]
    rows += [_row(label, models, cell(key, show)) for label, key, show in shown_figures(all_models)]
    return rows


def _described(models: Sequence[Model], all_models: Sequence[Model]) -> list[Row]:
    """What is told of a model that does not classify: its state or its context, and how far they reach."""
    task = task_of(all_models)
    if task == "forecast":
        return [_row(each, models, _moments(each)) for each in REACH]
    if task != "lm" or not has_steps(all_models):
        return []
    rows = [_row("state, RAM", models, _state)]
    if any(model["window"] for model in all_models):
        rows.append(_row("window", models, lambda model: f"{model['window']} tokens"))
    return rows


def _moments(key: str) -> Callable[[Model], str]:
    return lambda model: f"{model[key]} moments"


def _state(model: Model) -> str:
    return "no step form" if model["states_bytes"] is None else size(model["states_bytes"])


def task_of(models: Sequence[Model]) -> Task:
    """What the models of a result are for."""
    task: Task = models[0]["task"]
    return task


def _row(label: str, models: Sequence[Model], show: Callable[[Model], str]) -> Row:
    return (label, *(show(model) for model in models))


def splits_of(models: Sequence[Model]) -> dict[str, int]:
    """The splits whose accuracy the provenance tells, each with its number of recordings."""
    counts: dict[str, int] = {}
    for split, entry in (each for model in models for each in model["accuracy"].items()):
        counts[split] = max(entry["n"], counts.get(split, 0))
    return dict(sorted(counts.items()))


def _accuracy_row(split: str, models: Sequence[Model]) -> Row:
    def show(model: Model) -> str:
        entry = model["accuracy"].get(split)
        if entry is None:
            return NOT_MEASURED
        fp32 = "" if entry["fp32"] is None else f", fp32 {form(entry['fp32'])}"
        return f"{form(entry['exported'])}{unit}{fp32}"

    words = WORDS[task_of(models)]
    form, unit = (_percent, " %") if words.is_share else (_four_digits, "")
    return _row(f"{words.called} {split}", models, show)


def _percent(share: float) -> str:
    return "100" if share == 1.0 else f"{100 * share:.2f}"


def _four_digits(value: float) -> str:
    return f"{value:.4f}"


def quality(models: Sequence[Model]) -> str:
    """What the export has measured of them."""
    return WORDS[task_of(models)].called


def has_steps(models: Sequence[Model]) -> bool:
    """Whether any of them has a step form."""
    return any(model["step_file"] is not None for model in models)


def shown_figures(models: Sequence[Model]) -> list[tuple[str, str, Callable[[Model], str]]]:
    """(label, key, how it is written) of the figures that have a row."""
    task = task_of(models)
    return [
        (worded(label, task), key, show)
        for label, key, show in FIGURES
        if task in KEYS[f"{MODEL}{key}"].tasks and _has_row(key, models)
    ]


def is_asked(key: str, models: Sequence[Model]) -> bool:
    """Whether a figure was asked for, of one model at least."""
    return any(model["not_measured"].get(key) != NOT_ASKED for model in models)


def _has_row(key: str, models: Sequence[Model]) -> bool:
    """Whether a figure was asked for, and is more than a detail or one of steps that no model has.

    A wish that gave no figure at all has one row.
    """
    if any(model[key] is not None for model in models):
        return True
    if key in DETAILS or not is_asked(key, models):
        return False
    kind = _kind(key)
    if kind not in DEFAULT_KINDS:
        same = [each for _label, each, _show in FIGURES if _kind(each) == kind]
        return key == same[0] or any(model[each] is not None for model in models for each in same)
    return has_steps(models) or not is_of_step(kind)


def _kind(key: str) -> str:
    return KEYS[f"{MODEL}{key}"].kind


_PROFILE_FORMS = {"calls": "g", "us": ".1f", "percent": ".1f"}


def _or_dash(value: float | None, form: str) -> str:
    """A dash for an operator that is too short to time."""
    return "-" if value is None else format(value, form)


def profile_tables(result: Mapping[str, Any]) -> list[Table]:
    """Each model's operators by time; none where no profile was taken."""
    return [
        (
            f"operators of {name(model)} on {result['board']}, mean of {model['profile_n']} inferences",
            ("operator", "calls", "us", "%"),
            [
                (each["op"], *(_or_dash(each[key], form) for key, form in _PROFILE_FORMS.items()))
                for each in model["profile"]
            ],
        )
        for model in result["models"]
        if model["profile"] is not None
    ]
