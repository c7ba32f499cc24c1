"""`edgeseq run`: what an artifact answers to texts, sounds or series."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import json_option, output, print_warnings, write_json
from edgeseq.report.table import percent, table
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.manifest import FORMATS

if TYPE_CHECKING:
    from edgeseq.data import DataOptions
    from edgeseq.inputs import Input
    from edgeseq_device.classify import Answer, Classifier

RESULT_VERSION = 1
NO_CLASS = "(none of the classes)"
LONGEST_NAME = 60


@click.command("run", short_help="What an artifact answers to an input.")
@click.argument("words", metavar="[ARTIFACT] INPUT...", nargs=-1)
@click.option(
    "--format",
    "model_format",
    type=click.Choice(FORMATS),
    help="[default: the fastest whose runtime is here]",
)
@click.option(
    "--top", type=click.IntRange(1), default=1, show_default=True, help="Show so many classes of an input."
)
@json_option
def command(words: tuple[str, ...], model_format: str | None, top: int, json_file: Path | None) -> None:
    """The answer of ARTIFACT (default: the newest) to each INPUT: a text, a WAV file or a series' .csv, .npz
    or .ts file, by what the model takes. `-` reads texts from stdin, one on a line.

    The first word is the artifact where there is one of that name or folder and something follows.
    """
    from edgeseq.inputs import read_inputs
    from edgeseq_device.classify import load_classifier

    folder, given = _artifact_and_inputs(words)
    classifier = load_classifier(folder, model_format)
    front_end = classifier.front_end
    reading = partial(_reading, folder)
    inputs = read_inputs(given, front_end.takes, front_end.features_count, reading, sys.stdin.buffer)
    answers = [_answer(classifier, each) for each in inputs]
    print_warnings(
        f"{_short(each.name)}: {warning}"
        for each, answer in zip(inputs, answers, strict=True)
        for warning in answer.warnings
    )
    _print(folder, classifier, inputs, answers, top)
    write_json(json_file, _result(folder, classifier, inputs, answers, top))


def _artifact_and_inputs(words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    from edgeseq.artifacts import ARTIFACTS, find_artifact
    from edgeseq_device.manifest import MANIFEST_FILE

    if not words:
        raise UsageError('give an INPUT, such as: edgeseq run "turn the volume up"')
    named = any((folder / MANIFEST_FILE).is_file() for folder in (ARTIFACTS / words[0], Path(words[0])))
    if named and len(words) == 1:
        raise UsageError(f"{words[0]} is an artifact; give an INPUT after it")
    return (find_artifact(words[0]), words[1:]) if named else (find_artifact(), words)


def _reading(folder: Path) -> DataOptions:
    """How the training data was read, by the provenance of a verified artifact."""
    from edgeseq.artifacts import read_provenance
    from edgeseq.training.recipe import Recipe

    return Recipe.from_dict(read_provenance(folder).get("recipe"), f"{folder}: recipe").reading


def _answer(classifier: Classifier, given: Input) -> Answer:
    try:
        return classifier.classify(given.raw, given.sample_rate_hz)
    except DataError as error:
        raise DataError(f'"{_short(given.name)}": {error}') from error


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _print(
    folder: Path, classifier: Classifier, inputs: list[Input], answers: list[Answer], top: int
) -> None:
    columns = ("input", "answer", "probability", *(["the nearest"] if top > 1 else []))
    rows = []
    for each, answer in zip(inputs, answers, strict=True):
        row = [_short(each.name), answer.label or NO_CLASS, percent(answer.probability)]
        nearest = ", ".join(f"{label} {percent(value)}" for label, value in answer.nearest(top))
        rows.append([*row, nearest] if top > 1 else row)
    output().print(table(f"{folder}, {classifier.format}", columns, rows))


def _result(
    folder: Path, classifier: Classifier, inputs: list[Input], answers: list[Answer], top: int
) -> dict[str, Any]:
    return {
        "run_result_version": RESULT_VERSION,
        "artifact": str(folder),
        "format": classifier.format,
        "rejection_threshold": classifier.rejection_threshold,
        "answers": [
            {
                "input": each.name,
                "label": answer.label,
                "probability": answer.probability,
                "nearest": [{"label": label, "probability": value} for label, value in answer.nearest(top)],
                "warnings": list(answer.warnings),
            }
            for each, answer in zip(inputs, answers, strict=True)
        ],
    }
