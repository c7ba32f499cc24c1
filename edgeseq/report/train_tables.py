"""What a finished training reached, by its task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from edgeseq.report.forecast_tables import ERRORS, reached_table
from edgeseq.report.rejection_table import rejection_table
from edgeseq.report.table import percent, table
from edgeseq.tasks import WORDS

if TYPE_CHECKING:
    from edgeseq.runs import Run

SPLITS = ("train", "validation", "test")
WITH_THRESHOLD = (
    'an application that rejects answers below the threshold has "right and not rejected" as its accuracy on'
    " the classes; one that takes every answer has the accuracy of the upper table"
)


def reached(run: Run) -> Iterator[Table | str]:
    """Tables and remarks, from top to bottom."""
    task, count = run.recipe.model.task, len(run.labels)
    model = f"{run.recipe.model.title}, {run.parameters:,} parameters"
    title = f"{run.path}: {model}, {count:,} {WORDS[task].outputs}"
    if task == "lm":
        yield _of_text(title, run.metrics)
    elif task == "forecast":
        yield reached_table(title, run.metrics)
        yield ERRORS
    else:
        yield from _of_classes(title, run.metrics)


def _of_text(title: str, metrics: Mapping[str, Any]) -> Table:
    columns = ("split", "tokens", "nats per token", "bits per character", "accuracy")
    rows = [
        (
            split,
            f"{metrics[split]['tokens']:,}",
            f"{metrics[split]['nats_per_token']:.4f}",
            f"{metrics[split]['bits_per_character']:.4f}",
            percent(metrics[split]["accuracy"]),
        )
        for split in SPLITS
        if split in metrics
    ]
    return table(title, columns, rows)


def _of_classes(title: str, metrics: Mapping[str, Any]) -> Iterator[Table | str]:
    from edgeseq.evaluate import OutOfScope  # noqa: PLC0415 - a text and a series have no classes

    parts = {split: metrics[split] for split in SPLITS}
    int8 = {split: each for split, each in metrics.get("int8", {}).items() if split != "out_of_scope"}
    parts |= {f"{split}, int8": each for split, each in int8.items()}
    rows = [(name, each["n"], each["correct"], percent(each["accuracy"])) for name, each in parts.items()]
    yield table(title, ("split", "n", "right", "accuracy"), rows)
    if rejection := metrics.get("out_of_scope"):
        yield rejection_table({"torch": OutOfScope.from_dict(rejection)})
        yield WITH_THRESHOLD
