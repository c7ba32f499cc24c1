"""`edgeseq eval`: how good a trained model is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import (
    check_outputs,
    json_option,
    output,
    print_warnings,
    progress_output,
    write_json,
)
from edgeseq.cli.eval_stretch import evaluate_stretch
from edgeseq.cli.forecast_options import SERIES_OPTIONS
from edgeseq.cli.option_groups import with_options
from edgeseq.cli.train_options import READING_OPTIONS
from edgeseq.report.rejection_table import rejection_table
from edgeseq.report.table import percent, table
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.tasks import LOADERS

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from edgeseq.eval_subject import Chosen, Subject
    from edgeseq.evaluate import Evaluation, OutOfScope

RESULT_VERSION = 1


@click.command("eval", short_help="How good a run or an artifact is.")
@click.argument("model", metavar="[RUN|ARTIFACT]", required=False)
@click.option("--data", metavar="NAME|PATH", help="Other data than it was trained on.")
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train", "all"]),
    help="[default: test, or validation where there is none; all of data that the model never saw]",
)
@with_options([*READING_OPTIONS, *SERIES_OPTIONS])
@json_option
def command(
    model: str | None, data: str | None, split: str | None, json_file: Path | None, **reading: Any
) -> None:
    """Of a classifier accuracy, recall of each class and what it is taken for, and what is rejected where the
    data has recordings of none of the classes; of a language model nats per token and bits per character; of
    a forecaster MSE and MAE on standardised values.

    A run is evaluated as the torch module, an artifact as each of its files, in the runtime that a board
    uses, one recording, token or window at a time. The newest run by default. --data is read as the training
    data was, but for what the options say.
    """
    from edgeseq.data import DataOptions
    from edgeseq.data.load import OtherTaskError
    from edgeseq.eval_subject import choose, open_subject

    subject = open_subject(model)
    check_outputs({"--json": json_file}, subject.path, data or subject.recipe.data)
    _check_task(subject, data)
    if subject.task != "classify":
        evaluate_stretch(subject, data, split, DataOptions(**reading), json_file)
        return
    try:
        chosen = choose(subject, data, split, DataOptions(**reading))
    except OtherTaskError as error:
        raise DataError(f"{error.what}; {subject.path} is {LOADERS[subject.task][0]}") from error
    evaluations, rejections = _evaluate(subject, chosen)
    print_warnings(chosen.warnings)
    _print(subject, chosen, evaluations, rejections)
    write_json(json_file, _result(subject, chosen, evaluations, rejections))


def _check_task(subject: Subject, data: str | None) -> None:
    """Raises UsageError for a named data set of another task: no option gives a model another one."""
    from edgeseq.data.catalogue import CATALOGUE

    known = CATALOGUE.get(data or "")
    if known is not None and known.options.task != subject.task:
        fitting = ", ".join(name for name, each in CATALOGUE.items() if each.options.task == subject.task)
        what = f"{data} is a data set for the task {known.options.task}"
        raise UsageError(
            f"{what}, {subject.path} is {LOADERS[subject.task][0]}; named data for it: {fitting}"
        )


def _evaluate(subject: Subject, chosen: Chosen) -> tuple[dict[str, Evaluation], dict[str, OutOfScope]]:
    """By form; the second for forms with a rejection threshold, where there is anything to reject."""
    from rich.progress import Progress

    from edgeseq.evaluate import OutOfScope, rejecting

    console = progress_output()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        found, rejections = {}, {}
        for name, evaluate in subject.forms.items():
            task = bar.add_task(name, total=len(chosen.recordings) + len(chosen.outside))
            found[name] = evaluate(chosen.recordings, partial(_move, bar, task))
            threshold = subject.thresholds.get(name)
            if threshold is not None and len(chosen.outside):
                outside = evaluate(chosen.outside, partial(_move, bar, task))
                done = rejecting(threshold, found[name], outside)
                rejections[name] = OutOfScope(threshold, {chosen.split: done})
    return found, rejections


def _move(bar: Progress, task: TaskID, done: int, _of: int) -> None:
    bar.update(task, completed=done)


def _print(
    subject: Subject,
    chosen: Chosen,
    evaluations: dict[str, Evaluation],
    rejections: dict[str, OutOfScope],
) -> None:
    console = output()
    rows = [(name, e.n, e.correct, percent(e.accuracy)) for name, e in evaluations.items()]
    title = f"{subject.path} on {chosen.reference}, {chosen.split} split"
    console.print(table(title, ("form", "n", "right", "accuracy"), rows))
    if rejections:
        console.print(rejection_table(rejections))
    for name, evaluation in evaluations.items():
        title = f"Classes, {name}" if len(evaluations) > 1 else "Classes"
        columns = ("class", "n", "right", "recall", "most often taken for")
        console.print(table(title, columns, _class_rows(subject.labels, evaluation)))


def _class_rows(labels: tuple[str, ...], evaluation: Evaluation) -> list[tuple[object, ...]]:
    confusion = evaluation.confusion(len(labels))
    rows: list[tuple[object, ...]] = []
    for index, label in enumerate(labels):
        n, right = int(confusion[index].sum()), int(confusion[index, index])
        wrong = confusion[index].copy()
        wrong[index] = 0
        taken_for = f"{labels[int(wrong.argmax())]} ({wrong.max()})" if wrong.any() else ""
        rows.append((label, n, right, percent(right / n) if n else "no recording", taken_for))
    return rows


def _result(
    subject: Subject,
    chosen: Chosen,
    evaluations: dict[str, Evaluation],
    rejections: dict[str, OutOfScope],
) -> dict[str, Any]:
    classes = len(subject.labels)
    return {
        "eval_version": RESULT_VERSION,
        "model": str(subject.path),
        "kind": subject.kind,
        "task": subject.task,
        "data": {"reference": chosen.reference, "content_sha256": chosen.content_sha256},
        "split": chosen.split,
        "labels": list(subject.labels),
        "warnings": list(chosen.warnings),
        "forms": {
            name: {
                "n": e.n,
                "correct": e.correct,
                "accuracy": e.accuracy,
                "confusion": e.confusion(classes).tolist(),
                "out_of_scope": rejections[name].to_dict() if name in rejections else None,
            }
            for name, e in evaluations.items()
        },
    }
