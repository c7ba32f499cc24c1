"""`edgeseq run ARTIFACT INPUT...` of a classifier: the class of each text, sound or series."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq.cli.console import output, print_warnings
from edgeseq.report.table import percent, table
from edgeseq_device.errors import DataError, UsageError

if TYPE_CHECKING:
    from edgeseq.data import DataOptions
    from edgeseq.inputs import Input
    from edgeseq_device.classify import Answer, Classifier

NO_CLASS = "(none of the classes)"
LONGEST_NAME = 60


def run_classify(folder: Path, words: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Answer each input and print a table -> the result as JSON. given: the options of `edgeseq run`."""
    from edgeseq.inputs import read_inputs
    from edgeseq_device.classify import load_classifier

    if not words and given["named"]:
        raise UsageError(f"{folder.name} is an artifact; give an INPUT after it")
    if not words:
        raise UsageError('give an INPUT, such as: edgeseq run "turn the volume up"')
    classifier = load_classifier(folder, given["model_format"])
    front_end = classifier.front_end
    reading = partial(_reading, folder)
    takes, channels = front_end.takes, front_end.features_count
    names = partial(_channels, folder)
    inputs, warnings = read_inputs(words, takes, channels, reading, sys.stdin.buffer, names)
    if not given["named"] and takes == "text":
        warnings = [*_mistaken(words[0], folder), *warnings]
    answers = [_answer(classifier, each, reject=not given["no_reject"]) for each in inputs]
    print_warnings(warnings)
    print_warnings(
        f"{_short(each.name)}: {warning}"
        for each, answer in zip(inputs, answers, strict=True)
        for warning in answer.warnings
    )
    top = given["top"] or 1
    _print(folder, classifier, inputs, answers, top)
    threshold = None if given["no_reject"] else classifier.rejection_threshold
    told = {"artifact": str(folder), "format": classifier.format, "rejection_threshold": threshold}
    return _result({**told, "warnings": warnings}, inputs, answers, top)


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


def _channels(folder: Path) -> tuple[str, ...]:
    """What the model's channels are called, which no board needs: provenance.json says it."""
    from edgeseq.artifacts import read_provenance

    known = read_provenance(folder).get("data")
    return tuple(known.get("channels", ())) if isinstance(known, dict) else ()


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
