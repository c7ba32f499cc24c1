"""`edgeseq eval` of a language model or a forecaster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq.cli.console import output, print_warnings, progress_output, write_json
from edgeseq.report.table import percent, table

if TYPE_CHECKING:
    from rich.table import Table

    from edgeseq.data import DataOptions
    from edgeseq.eval_stretch import Stretch
    from edgeseq.eval_subject import Subject
    from edgeseq.evaluate.tokens import TokensEvaluation
    from edgeseq.evaluate.windows import WindowsEvaluation

RESULT_VERSION = 1
AT_EXPORT = "linear_at_export"
"""The form that was not measured now: an artifact does not hold it, its provenance has its figures."""
NAMES = {"linear": "linear baseline", AT_EXPORT: "linear baseline, measured at export"}


def evaluate_stretch(
    subject: Subject, data: str | None, split: str | None, given: DataOptions, json_file: Path | None
) -> None:
    """Measure every form of `subject`, print a table and write the result."""
    from edgeseq.eval_stretch import choose_stretch

    stretch = choose_stretch(subject, data, split, given)
    evaluations = _evaluate(subject, stretch)
    known = subject.linear.get(stretch.split) if stretch.content_sha256 == subject.data_sha256 else None
    if known is not None:
        evaluations[AT_EXPORT] = known
    print_warnings(stretch.warnings)
    title = f"{subject.path} on {stretch.reference}, {stretch.split} split"
    output().print((_tokens if subject.task == "lm" else _windows)(title, evaluations))
    write_json(json_file, _result(subject, stretch, evaluations))


def _evaluate(subject: Subject, stretch: Stretch) -> dict[str, Any]:
    """By form."""
    from rich.progress import Progress

    console = progress_output()
    found = {}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        for name, evaluate in subject.forms.items():
            task = bar.add_task(name, total=len(stretch.material))

            def move(done: int, of: int, task: Any = task) -> None:
                bar.update(task, completed=done, total=of)

            found[name] = evaluate(stretch.material, move)
    return found


def _tokens(title: str, evaluations: dict[str, TokensEvaluation]) -> Table:
    rows = [
        (name, f"{e.tokens:,}", f"{e.nats_per_token:.4f}", f"{e.bits_per_character:.4f}", percent(e.accuracy))
        for name, e in evaluations.items()
    ]
    columns = ("form", "tokens", "nats per token", "bits per character", "accuracy")
    return table(title, columns, rows)


def _windows(title: str, evaluations: dict[str, WindowsEvaluation]) -> Table:
    rows = [
        (NAMES.get(name, name), f"{e.windows:,}", f"{e.mse:.4f}", f"{e.mae:.4f}")
        for name, e in evaluations.items()
    ]
    return table(title, ("form", "windows", "MSE", "MAE"), rows)


def _result(subject: Subject, stretch: Stretch, evaluations: dict[str, Any]) -> dict[str, Any]:
    return {
        "eval_version": RESULT_VERSION,
        "model": str(subject.path),
        "kind": subject.kind,
        "task": subject.task,
        "data": {"reference": stretch.reference, "content_sha256": stretch.content_sha256},
        "split": stretch.split,
        "warnings": list(stretch.warnings),
        "forms": {name: each.to_dict() for name, each in evaluations.items()},
    }
