"""From a run to an artifact: quantize, lower, pass the gates, seal the folder."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from torch import nn

from edgeseq.artifacts import ARTIFACTS
from edgeseq.evaluate import Evaluation, evaluate_logits, evaluate_module, one_by_one
from edgeseq.features import FeatureSplits
from edgeseq.gates import (
    AccuracyDrop,
    Watch,
    few_recordings_warning,
    judge_accuracy,
    judge_parity,
    judge_size,
    widened_warning,
)
from edgeseq.golden import Loaded, check_parity, choose_golden
from edgeseq.runs import Run, load_features
from edgeseq_device import __version__, runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import GateError
from edgeseq_device.manifest import MANIFEST_FILE, SUMS_FILE
from edgeseq_export import FORMATS, ExportedModel, Format, SeqSpec, bundle, write_model
from edgeseq_export.budget import SizeCheck, weight_bytes
from edgeseq_export.parity import Parity
from edgeseq_export.spec import quantize_spec

_LIBRARIES = ("torch", "numpy", "onnx", "onnxruntime", "ai-edge-litert", "flatbuffers")

Step = Callable[[str, int, int], None]
"""Called while recordings are run: what runs, how many are done, how many there are."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export and what it must keep to. max_drop is in points of accuracy."""

    precision: Literal["int8", "fp32"] = "int8"
    formats: tuple[Format, ...] = FORMATS
    max_bytes: int = 100_000_000
    max_drop: float = 1.0
    target: str = "generic"
    name: str | None = None
    data: str | None = None


@dataclass
class ExportReport:
    """What was measured, filled on the way; until `finished` there is no artifact, and `error` says why."""

    precision: str
    artifact: Path
    sizes: list[SizeCheck] = field(default_factory=list)
    parity: list[Parity] = field(default_factory=list)
    drops: list[AccuracyDrop] = field(default_factory=list)
    accuracy: dict[str, dict[str, float]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    finished: bool = False
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "schema": "edgeseq-export",
            "schema_version": 1,
            "artifact": str(self.artifact) if self.finished else None,
            "precision": self.precision,
            "size": [{**asdict(each), "bytes": each.bytes, "passed": each.passed} for each in self.sizes],
            "parity": [asdict(each) for each in self.parity],
            "accuracy_drop": [
                {**asdict(each), "drop": each.drop, "passed": each.passed} for each in self.drops
            ],
            "accuracy": self.accuracy,
            "warnings": self.warnings,
            "error": self.error,
        }


def artifact_folder(run: Run, options: ExportOptions) -> Path:
    """artifacts/RUN-PRECISION-TARGET, or the name that was asked for."""
    return ARTIFACTS / (options.name or f"{run.name}-{options.precision}-{options.target}")


def export_run(run: Run, options: ExportOptions, report: ExportReport, watch: Watch, step: Step) -> Path:
    """Write the artifact and return its folder; what is measured goes into `report` and to `watch`.

    Raises BudgetError or GateError where a gate is not passed, DataError where the run's data changed;
    then nothing is written and an older artifact of that name stays as it was.
    """
    report.warnings += run.warnings
    module = run.module()
    trained = module.to_spec()
    spec = _quantized(run, trained) if options.precision == "int8" else trained
    models = {each: write_model(spec, each, run.front_end.unit) for each in options.formats}
    _refuse_oversized(spec, models, options.max_bytes, watch)

    splits = load_features(run, options.data)
    golden = choose_golden(module, spec, models, splits)
    with bundle.staged_folder(report.artifact) as folder:
        for model in models.values():
            (folder / bundle.model_file(model)).write_bytes(model.content)
        bundle.write_golden(folder, golden)
        loaded = {each: runtimes.load(folder / bundle.model_file(models[each]), each) for each in models}
        report.parity += check_parity(loaded, golden, trained, spec, models)
        report.warnings += [text for each in report.parity if (text := widened_warning(each))]
        judge_parity(report.parity, watch)
        _measure_accuracy(module, loaded, splits, options.max_drop, report, step)
        judge_accuracy(report.drops, watch)
        entries = [bundle.model_entry(model, weight_bytes(spec)) for model in models.values()]
        bundle.seal(folder, _manifest(run, options, report, len(golden.features)), entries)
        report.sizes += [_size_on_board(folder, model, options.max_bytes) for model in models.values()]
        judge_size(spec, report.sizes, watch)
        open_artifact(folder)
    report.finished = True
    return report.artifact


def _quantized(run: Run, spec: SeqSpec) -> SeqSpec:
    try:
        return quantize_spec(spec)
    except ValueError as error:
        raise GateError(f"{run.path}: {error}; train the run again with a lower --learning-rate") from error


def _refuse_oversized(
    spec: SeqSpec, models: Mapping[Format, ExportedModel], max_bytes: int, watch: Watch
) -> None:
    """Before anything is measured: a model file that alone is over the budget."""
    sizes = [SizeCheck(m.format, {bundle.model_file(m): len(m.content)}, max_bytes) for m in models.values()]
    if not all(size.passed for size in sizes):
        judge_size(spec, sizes, watch)


def _size_on_board(folder: Path, model: ExportedModel, max_bytes: int) -> SizeCheck:
    """Everything that a board needs for this format; the golden vectors only test it."""
    names = (bundle.model_file(model), MANIFEST_FILE, SUMS_FILE)
    return SizeCheck(model.format, {name: (folder / name).stat().st_size for name in names}, max_bytes)


def _measure_accuracy(
    module: nn.Module,
    loaded: Loaded,
    splits: FeatureSplits,
    max_drop: float,
    report: ExportReport,
    step: Step,
) -> None:
    """The trained module and the exported files themselves, on the validation and the test split."""
    for name in ("validation", "test"):
        split = splits.named(name)
        fp32 = evaluate_module(module, split)
        found: dict[str, Evaluation] = {}
        for model_format, model in loaded.items():
            progress = _progress(step, f"{model_format} on {name}")
            found[model_format] = evaluate_logits(one_by_one(model.run, split.features, progress), split)
        accuracy = {each: evaluation.accuracy for each, evaluation in found.items()}
        report.accuracy[name] = {"n": fp32.n, "fp32": fp32.accuracy, **accuracy}
        if name == "validation":
            report.drops += [
                AccuracyDrop(
                    model_format,
                    name,
                    fp32.n,
                    fp32.accuracy,
                    each.accuracy,
                    fp32.correct - each.correct,
                    max_drop,
                )
                for model_format, each in found.items()
            ]
            report.warnings += filter(None, [few_recordings_warning(fp32.n)])


def _progress(step: Step, what: str) -> Callable[[int, int], None]:
    return lambda done, n: step(what, done, n)


def _manifest(run: Run, options: ExportOptions, report: ExportReport, golden_count: int) -> dict[str, Any]:
    front_end = run.front_end
    return {
        "name": report.artifact.name,
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "task": "classify",
        "precision": options.precision,
        "target": options.target,
        "labels": list(run.labels),
        "features": {
            "count": front_end.features_count,
            "unit": front_end.unit,
            "front_end": front_end.to_dict(),
        },
        "golden": {"file": bundle.GOLDEN_FILE, "count": golden_count},
        "parity": {
            "tolerance": max(each.tolerance for each in report.parity if each.subject in options.formats),
            "measured": {each.subject: asdict(each) for each in report.parity},
        },
        "accuracy": report.accuracy,
        "recipe": run.recipe.to_dict(),
        "data": {
            "reference": run.recipe.data,
            "content_sha256": run.data_sha256,
            "splits_sha256": run.splits_sha256,
        },
        "versions": {
            "edgeseq": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "warnings": report.warnings,
    }
