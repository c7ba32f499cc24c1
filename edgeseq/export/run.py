"""From a run to an artifact: quantize, lower, pass the gates, seal the folder."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from edgeseq.artifacts import ARTIFACTS
from edgeseq.evaluate import Evaluation, evaluate_logits, evaluate_module, one_by_one
from edgeseq.export.options import ExportOptions
from edgeseq.export.plans import (
    fastest,
    measure_sensitivity,
    other_roundings,
    spec_to_export,
    table_plans,
    tuned_plans,
    write_models,
)
from edgeseq.export.report import ExportReport
from edgeseq.export.tune import Subject, Watched, tuning_device
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
from edgeseq.golden import Loaded, Models, check_parity, choose_golden, load_steps
from edgeseq.runs import Run, load_features
from edgeseq_device import __version__, runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.manifest import MANIFEST_FILE, SUMS_FILE
from edgeseq_export import ExportedModel, SeqSpec, bundle
from edgeseq_export.budget import SizeCheck, weight_bytes
from edgeseq_export.state import why_no_step

_LIBRARIES = ("torch", "numpy", "onnx", "onnxruntime", "ai-edge-litert", "flatbuffers")


def artifact_folder(run: Run, options: ExportOptions) -> Path:
    """artifacts/RUN-PRECISION-TARGET, or the name that was asked for."""
    return ARTIFACTS / (options.name or f"{run.name}-{options.precision}-{options.target}")


def export_run(run: Run, options: ExportOptions, report: ExportReport, watch: Watch, step: Watched) -> Path:
    """Write the artifact and return its folder; what is measured goes into `report` and to `watch`.

    Raises BudgetError or GateError where a gate is not passed, DataError where the run's data changed,
    UsageError for a layer or a target that the options name wrongly, DeviceError for one that cannot be tuned
    here; then nothing is written and an older artifact of that name stays as it was.
    """
    report.warnings += run.warnings
    device = tuning_device(options.target) if options.tune else None
    module = run.module()
    trained = module.to_spec()
    spec = spec_to_export(run, trained, options)
    splits = load_features(run, options.data)
    if options.sensitivity:
        report.sensitivity += measure_sensitivity(module, trained, options, splits)
        watch("sensitivity", report.sensitivity)
    if device:
        subject = Subject(module, trained, spec, splits, run.front_end.unit)
        plans = tuned_plans(subject, options, device, report, step)
        watch("tuning", report.tuning)
    else:
        plans = table_plans(spec, options, splits, report)
    models = write_models(run, spec, plans)
    report.models += models.values()
    report.warnings += other_roundings(run, module, models)
    report.fastest |= fastest(spec, plans, options.target, report.tuning)
    watch("forms", report.models)
    _refuse_oversized(spec, models, options.max_bytes, watch)

    golden = choose_golden(module, spec, models, splits)
    with bundle.staged_folder(report.artifact) as folder:
        _write_files(folder, models, golden)
        loaded = {each: runtimes.load(folder / bundle.model_file(models[each]), each) for each in models}
        report.parity += check_parity(loaded, golden, trained, spec, models, load_steps(folder, models))
        report.warnings += [text for each in report.parity if (text := widened_warning(each))]
        judge_parity(report.parity, watch)
        _measure_accuracy(module, loaded, splits, options.max_drop, report, step)
        judge_accuracy(report.drops, watch)
        entries = [_model_entry(spec, model, report) for model in models.values()]
        bundle.seal(folder, _manifest(run, options, report, len(golden.features)), entries)
        report.sizes += [_size_on_board(folder, model, options.max_bytes) for model in models.values()]
        judge_size(spec, report.sizes, watch)
        open_artifact(folder)
    report.finished = True
    return report.artifact


def _write_files(folder: Path, models: Models, golden: GoldenVectors) -> None:
    for model in models.values():
        for name, content in bundle.model_files(model).items():
            (folder / name).write_bytes(content)
    bundle.write_golden(folder, golden)


def _refuse_oversized(spec: SeqSpec, models: Models, max_bytes: int, watch: Watch) -> None:
    """Before anything is measured: model files that alone are over the budget."""
    files = {each: bundle.model_files(model) for each, model in models.items()}
    sizes = [
        SizeCheck(each, {name: len(content) for name, content in found.items()}, max_bytes)
        for each, found in files.items()
    ]
    if not all(size.passed for size in sizes):
        judge_size(spec, sizes, watch)


def _size_on_board(folder: Path, model: ExportedModel, max_bytes: int) -> SizeCheck:
    """Everything that a board needs for this format; the golden vectors only test it."""
    names = (*bundle.model_files(model), MANIFEST_FILE, SUMS_FILE)
    return SizeCheck(model.format, {name: (folder / name).stat().st_size for name in names}, max_bytes)


def _measure_accuracy(
    module: nn.Module,
    loaded: Loaded,
    splits: FeatureSplits,
    max_drop: float,
    report: ExportReport,
    step: Watched,
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


def _progress(step: Watched, what: str) -> Callable[[int, int], None]:
    return lambda done, n: step(what, done, n)


def _model_entry(spec: SeqSpec, model: ExportedModel, report: ExportReport) -> dict[str, Any]:
    """With the tolerance that each of its forms was judged by, which a board judges it by too."""
    entry = bundle.model_entry(model, weight_bytes(spec), why_no_step(spec))
    tolerances = {each.subject: each.tolerance for each in report.parity}
    entry["parity_tolerance"] = tolerances[model.format]
    if entry["step"]:
        entry["step"]["parity_tolerance"] = tolerances[f"{model.format} step"]
    return entry


def _manifest(run: Run, options: ExportOptions, report: ExportReport, golden_count: int) -> dict[str, Any]:
    front_end = run.front_end
    return {
        "name": report.artifact.name,
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "task": "classify",
        "precision": options.precision,
        "target": options.target,
        "fastest": report.fastest,
        "keep_fp32": list(options.keep_fp32),
        "tuning": [each.to_dict() for each in report.tuning],
        "sensitivity": [asdict(each) for each in report.sensitivity],
        "labels": list(run.labels),
        "features": {
            "count": front_end.features_count,
            "unit": front_end.unit,
            "front_end": front_end.to_dict(),
        },
        "golden": {"file": bundle.GOLDEN_FILE, "count": golden_count},
        "parity": {
            "tolerance": max(each.tolerance for each in report.parity if each.against == "reference"),
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
