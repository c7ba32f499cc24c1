"""From a run to an artifact: quantize, lower, pass the gates, seal the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from edgeseq.artifacts import ARTIFACTS, PROVENANCE_FILE
from edgeseq.evaluate import (
    Evaluation,
    evaluate_logits,
    evaluate_module,
    one_by_one,
    out_of_scope_metrics,
)
from edgeseq.export.board_files import manifest_of, sizes_on_board, write_models
from edgeseq.export.manifest import Judged, provenance
from edgeseq.export.options import ExportOptions
from edgeseq.export.plans import (
    fastest,
    measure_sensitivity,
    other_roundings,
    spec_to_export,
    table_plans,
    tuned_plans,
)
from edgeseq.export.report import ExportReport
from edgeseq.export.tune import Subject, Watched, tuning_device
from edgeseq.features import FeatureSplits, LabelledFeatures
from edgeseq.files import atomic_write_json
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
from edgeseq_device import runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.frontend import FrontEnd, Tokens
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.manifest import TOKENIZER_FILE
from edgeseq_device.runtimes import LoadedModel
from edgeseq_export import Format, SeqSpec, bundle
from edgeseq_export.budget import SizeCheck
from edgeseq_export.parity import BOARD_TOLERANCE


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
    models = write_models(str(run.path), run.front_end.unit, spec, plans, step=options.step_of(spec))
    report.models += models.values()
    report.warnings += other_roundings(run, module, models)
    report.fastest |= fastest(spec, plans, options, report.tuning)
    watch("forms", report.models)
    _refuse_oversized(spec, models, options.max_bytes, watch)

    golden = choose_golden(module, spec, models, splits)
    with bundle.staged_folder(report.artifact) as folder:
        _write_files(folder, run.front_end, models, golden)
        loaded = {each: runtimes.load(folder / bundle.model_file(models[each]), each) for each in models}
        report.parity += check_parity(loaded, golden, trained, spec, models, load_steps(folder, models))
        report.warnings += [text for each in report.parity if (text := widened_warning(each))]
        judge_parity(report.parity, watch)
        _measure_accuracy(module, loaded, splits, options.max_drop, report, step)
        judge_accuracy(report.drops, watch)
        if report.out_of_scope:
            watch("out_of_scope", list(report.out_of_scope.items()))
        atomic_write_json(folder / PROVENANCE_FILE, provenance(run, options, report))
        _seal(folder, run, options, report, spec, models, len(golden.features))
        judge_size(spec, report.sizes, watch)
        open_artifact(folder)
    report.finished = True
    return report.artifact


def _write_files(folder: Path, front_end: FrontEnd, models: Models, golden: GoldenVectors) -> None:
    if isinstance(front_end, Tokens):
        (folder / TOKENIZER_FILE).write_bytes(front_end.content)
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


def _seal(
    folder: Path,
    run: Run,
    options: ExportOptions,
    report: ExportReport,
    spec: SeqSpec,
    models: Models,
    golden_count: int,
) -> None:
    """Write manifest and hashes; `report` gets the bytes of what a board needs."""
    named, judged = replace(options, name=report.artifact.name), _judged(report, models, options.target)
    whole = manifest_of(named, run.front_end, spec, models, judged, report.fastest, golden_count)
    bundle.seal(folder, *whole)
    bytes_of = {path.name: path.stat().st_size for path in folder.iterdir()}
    report.sizes += sizes_on_board(models, run.front_end, bytes_of, options.max_bytes).values()


def _measure_accuracy(
    module: nn.Module,
    loaded: Loaded,
    splits: FeatureSplits,
    max_drop: float,
    report: ExportReport,
    step: Watched,
) -> None:
    """The trained module and the exported files themselves, on the validation and the test split; where the
    data has recordings of none of the classes, what each file's rejection threshold does too.
    """
    fp32 = {name: evaluate_module(module, splits.named(name)) for name in ("validation", "test")}
    report.accuracy |= {name: {"n": each.n, "fp32": each.accuracy} for name, each in fp32.items()}
    for model_format, model in loaded.items():
        inside = {
            name: _evaluate(model, splits.named(name), f"{model_format} on {name}", step) for name in fp32
        }
        outside = {
            name: _evaluate(model, each, f"{model_format} out of scope, {name}", step)
            for name, each in splits.out_of_scope.items()
        }
        for name, each in inside.items():
            report.accuracy[name][model_format] = each.accuracy
        report.drops.append(_drop(model_format, fp32["validation"], inside["validation"], max_drop))
        if found := out_of_scope_metrics(inside, outside):
            report.out_of_scope[model_format] = found
    report.warnings += filter(None, [few_recordings_warning(fp32["validation"].n)])


def _evaluate(model: LoadedModel, split: LabelledFeatures, what: str, step: Watched) -> Evaluation:
    def progress(done: int, n: int) -> None:
        step(what, done, n)

    return evaluate_logits(one_by_one(model.run, split.features, progress), split)


def _drop(model_format: Format, fp32: Evaluation, exported: Evaluation, max_drop: float) -> AccuracyDrop:
    flips = fp32.correct - exported.correct
    return AccuracyDrop(model_format, "validation", fp32.n, fp32.accuracy, exported.accuracy, flips, max_drop)


def _judged(report: ExportReport, models: Models, target: str) -> dict[Format, Judged]:
    """What each form of each model was judged by here; a board of the target judges it by the same, unless
    its runtime is less exact."""
    least = BOARD_TOLERANCE.get(target, 0.0)
    tolerances = {
        each.subject: max(each.tolerance, least) for each in report.parity if each.against == "reference"
    }
    thresholds = {name: each.threshold for name, each in report.out_of_scope.items()}
    return {
        each: Judged(tolerances[each], tolerances.get(f"{each} step"), thresholds.get(each))
        for each in models
    }
