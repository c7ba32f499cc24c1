"""What the accuracy gate judges, by task: the trained module and the exported files on what was held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from edgeseq.evaluate import Evaluation, evaluate_logits, evaluate_module, one_by_one, out_of_scope_metrics
from edgeseq.evaluate.tokens import (
    GATE_TOKENS,
    TokensEvaluation,
    evaluate_language_module,
    evaluate_language_step,
)
from edgeseq.evaluate.windows import WindowsEvaluation, evaluate_forecaster, evaluate_forecasts
from edgeseq.export.golden import Loaded, Steps
from edgeseq.export.report import ExportReport
from edgeseq.export.tune import Watched
from edgeseq.features import LabelledFeatures, Prepared
from edgeseq.gates import AccuracyDrop, few_warning, worse_than_linear_warning
from edgeseq.models.model import LanguageModel, SequenceModel
from edgeseq.runs import Run
from edgeseq.tasks import WORDS
from edgeseq_device.runtimes import LoadedModel
from edgeseq_device.tasks import Task


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured: a run's module and its files, on what was prepared of its data."""

    run: Run
    module: SequenceModel
    loaded: Loaded
    steps: Steps
    prepared: Prepared

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that were held out and hold something."""
        return self.prepared.splits.held_out


def measure(subject: Measured, max_drop: float, report: ExportReport, step: Watched) -> None:
    """Fill `report`: the accuracy on each split by the task's yardstick, the drops, warnings. `step` hears of
    what is measured.
    """
    task = subject.run.recipe.model.task
    if task == "classify":
        _classes(subject, max_drop, report, step)
    else:
        found = _tokens(subject, step) if task == "lm" else _windows(subject, step)
        _record(task, found, max_drop, report)
    worse = _worse_than_linear(subject, report) if task == "forecast" else None
    few = few_warning(task, int(report.accuracy["validation"]["n"]))
    report.warnings += filter(None, [worse, few])


def _classes(subject: Measured, max_drop: float, report: ExportReport, step: Watched) -> None:
    """Where the data has recordings of none of the classes, what each file's rejection threshold does too."""
    splits = subject.prepared.splits
    fp32 = {name: evaluate_module(subject.module, splits.named(name)) for name in subject.splits}
    for name, each in fp32.items():
        report.accuracy[name] = _entry("classify", each.n, {"fp32": each.accuracy})
    for model_format, model in subject.loaded.items():
        inside = {
            name: _classified(model, splits.named(name), f"{model_format} on {name}", step) for name in fp32
        }
        outside = {
            name: _classified(model, each, f"{model_format} out of scope, {name}", step)
            for name, each in splits.out_of_scope.items()
        }
        for name, each in inside.items():
            report.accuracy[name][model_format] = each.accuracy
        before, after = fp32["validation"], inside["validation"]
        figures = (before.n, before.accuracy, after.accuracy, before.correct - after.correct)
        report.drops.append(AccuracyDrop(model_format, "validation", *figures, max_drop))
        if found := out_of_scope_metrics(inside, outside):
            report.out_of_scope[model_format] = found


def _classified(model: LoadedModel, split: LabelledFeatures, what: str, step: Watched) -> Evaluation:
    return evaluate_logits(one_by_one(model.run, split.features, partial(step, what)), split)


@dataclass(frozen=True)
class _Figures:
    """Of one form on one split: n, the yardstick's metric, and under `also` another one by its name."""

    n: int
    value: float
    also: tuple[str, float]


_ByForm = dict[str, dict[str, _Figures]]
"""Split -> form -> figures; the first form is "fp32", the trained module."""


def _tokens(subject: Measured, step: Watched) -> _ByForm:
    """A language model's module, and its files by their step forms."""
    module, prepared = subject.module, subject.prepared
    if not isinstance(module, LanguageModel):
        raise TypeError(f"{subject.run.path}: {type(module).__name__} is no language model")

    def figures(measure: Callable[..., TokensEvaluation], split: str, what: str) -> _Figures:
        text = prepared.texts[split]
        found = measure(text.ids, text.characters, GATE_TOKENS, partial(step, f"{what} on {split}"))
        return _Figures(found.tokens, found.nats_per_token, ("bits_per_character", found.bits_per_character))

    forms: dict[str, Callable[..., TokensEvaluation]] = {"fp32": partial(evaluate_language_module, module)}
    forms |= {name: partial(evaluate_language_step, each) for name, each in subject.steps.items()}
    return {
        split: {name: figures(each, split, name) for name, each in forms.items()} for split in subject.splits
    }


def _windows(subject: Measured, step: Watched) -> _ByForm:
    """A forecaster's module, its files, and the linear baseline that was trained beside it."""
    splits, linear = subject.prepared.splits, subject.run.linear()

    def figures(measure: Callable[..., WindowsEvaluation], split: str, what: str) -> _Figures:
        found = measure(splits.named(split), partial(step, f"{what} on {split}"))
        return _Figures(found.windows, found.mse, ("mae", found.mae))

    forms: dict[str, Callable[..., WindowsEvaluation]] = {
        "fp32": partial(evaluate_forecaster, subject.module)
    }
    forms |= {name: partial(evaluate_forecasts, each.run) for name, each in subject.loaded.items()}
    if linear is not None:
        forms["linear"] = partial(evaluate_forecaster, linear)
    return {
        split: {name: figures(each, split, name) for name, each in forms.items()} for split in subject.splits
    }


def _entry(task: Task, n: int, forms: Mapping[str, float]) -> dict[str, Any]:
    """Of one split in the report: readers ask for the forms that they know by name."""
    return {"n": n, "metric": WORDS[task].metric, "unit": WORDS[task].measured_in, **forms}


def _record(task: Task, found: _ByForm, max_drop: float, report: ExportReport) -> None:
    for split, forms in found.items():
        entry = _entry(task, forms["fp32"].n, {form: each.value for form, each in forms.items()})
        entry[forms["fp32"].also[0]] = {form: each.also[1] for form, each in forms.items()}
        report.accuracy[split] = entry
    validation = found["validation"]
    fp32 = validation["fp32"]
    report.drops += [
        AccuracyDrop(form, "validation", fp32.n, fp32.value, each.value, None, max_drop, task)
        for form, each in validation.items()
        if form not in ("fp32", "linear")
    ]


def _worse_than_linear(subject: Measured, report: ExportReport) -> str | None:
    """None where the trained model is worse already: its run's own warning is in the report."""
    entry: Mapping[str, Any] = report.accuracy[subject.splits[-1]]
    if "linear" not in entry or entry["fp32"] > entry["linear"]:
        return None
    return worse_than_linear_warning(report.accuracy, subject.loaded)
