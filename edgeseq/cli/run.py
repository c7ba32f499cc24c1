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


class _Command(click.Command):
    """Says how a text that begins with `-` is given, where it was read as an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = error.format_message().rstrip(".")
            raise UsageError(f"{message}; an INPUT that begins with - goes behind --") from error


@click.command("run", cls=_Command, short_help="What an artifact answers to an input.")
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
@click.option(
    "--no-reject", is_flag=True, help="Always the nearest class: leave the rejection threshold out."
)
@json_option
def command(
    words: tuple[str, ...], model_format: str | None, top: int, no_reject: bool, json_file: Path | None
) -> None:
    """The answer of ARTIFACT (default: the newest) to each INPUT: a text, a WAV file or a series' .csv, .npz
    or .ts file, by what the model takes. `-` reads texts from stdin, one on a line. Behind `--` an INPUT
    may begin with `-`.

    The first word is the artifact where there is one of that name or folder and something follows.
    """
    from edgeseq.inputs import read_inputs
    from edgeseq_device.classify import load_classifier

    folder, given = _artifact_and_inputs(words)
    classifier = load_classifier(folder, model_format)
    front_end = classifier.front_end
    reading = partial(_reading, folder)
    takes, channels = front_end.takes, front_end.features_count
    inputs, warnings = read_inputs(given, takes, channels, reading, sys.stdin.buffer)
    if given == words and takes == "text":
        warnings = [*_mistaken(words[0], folder), *warnings]
    answers = [_answer(classifier, each, reject=not no_reject) for each in inputs]
    print_warnings(warnings)
    print_warnings(
        f"{_short(each.name)}: {warning}"
        for each, answer in zip(inputs, answers, strict=True)
        for warning in answer.warnings
    )
    _print(folder, classifier, inputs, answers, top)
    threshold = None if no_reject else classifier.rejection_threshold
    told = {"artifact": str(folder), "format": classifier.format, "rejection_threshold": threshold}
    write_json(json_file, _result({**told, "warnings": warnings}, inputs, answers, top))


def _artifact_and_inputs(words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    from edgeseq.artifacts import find_artifact, names_artifact

    if not words:
        raise UsageError('give an INPUT, such as: edgeseq run "turn the volume up"')
    named = names_artifact(words[0])
    if named and len(words) == 1:
        raise UsageError(f"{words[0]} is an artifact; give an INPUT after it")
    return (find_artifact(words[0]), words[1:]) if named else (find_artifact(), words)


def _mistaken(word: str, folder: Path) -> list[str]:
    """A warning where a word that was taken for a text may be meant as the model."""
    from edgeseq.artifacts import is_file, nearest_artifact
    from edgeseq.runs import RUNS, RunFolder

    near = nearest_artifact(word)
    is_run = any(is_file(RunFolder(path).recipe) for path in (RUNS / word, Path(word)))
    if near is None and not is_run:
        return []
    what = "a run, no artifact" if is_run else "no artifact"
    advice = f'did you mean "{near}"?' if near else f"make one with: edgeseq export {word}"
    return [f'"{_short(word)}" is {what}; it was taken for a text, which {folder} answers; {advice}']


def _reading(folder: Path) -> DataOptions:
    """How the training data was read, by the provenance of a verified artifact."""
    from edgeseq.artifacts import read_provenance
    from edgeseq.training.recipe import Recipe

    return Recipe.from_dict(read_provenance(folder).get("recipe"), f"{folder}: recipe").reading


def _answer(classifier: Classifier, given: Input, *, reject: bool) -> Answer:
    try:
        return classifier.classify(given.raw, given.sample_rate_hz, reject=reject)
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


def _result(told: dict[str, Any], inputs: list[Input], answers: list[Answer], top: int) -> dict[str, Any]:
    return {
        "run_result_version": RESULT_VERSION,
        **told,
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
