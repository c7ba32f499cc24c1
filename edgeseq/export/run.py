"""From a run to an artifact: quantize, lower, pass the gates, seal the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeseq.artifacts import ARTIFACTS, PROVENANCE_FILE
from edgeseq.export.board_files import manifest_of, sizes_on_board, write_models
from edgeseq.export.golden import Models, check_parity, choose_golden, load_steps
from edgeseq.export.manifest import Judged, provenance
from edgeseq.export.measure import Measured, measure
from edgeseq.export.options import ExportOptions, check_task
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
from edgeseq.files import atomic_write_json
from edgeseq.gates import (
    Watch,
    judge_accuracy,
    judge_parity,
    judge_size,
    widened_warning,
)
from edgeseq.run_data import load_prepared
from edgeseq.runs import Run
from edgeseq_device import runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.frontend import FrontEnd, Tokens
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.manifest import TOKENIZER_FILE
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
    report.task = task = run.recipe.model.task
    check_task(options, task)
    report.warnings += run.warnings
    device = tuning_device(options.target) if options.tune else None
    module = run.module()
    trained = module.to_spec()
    spec = spec_to_export(run, trained, options)
    prepared = load_prepared(run, options.data)
    splits = prepared.splits
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
        steps = load_steps(folder, models)
        report.parity += check_parity(loaded, golden, trained, spec, models, steps)
        report.warnings += [text for each in report.parity if (text := widened_warning(each))]
        judge_parity(report.parity, watch)
        measure(Measured(run, module, loaded, steps, prepared), options.drop_of(task), report, step)
        judge_accuracy(report.drops, watch)
        if task != "classify":
            watch("measured", list(report.accuracy.items()))
        if report.out_of_scope:
            watch("out_of_scope", list(report.out_of_scope.items()))
        atomic_write_json(folder / PROVENANCE_FILE, provenance(run, options, report))
        _seal(folder, run, options, report, spec, models, len(golden.features), prepared.dataset.interval_s)
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
    interval_s: float | None,
) -> None:
    """Write manifest and hashes; `report` gets the bytes of what a board needs."""
    named, judged = replace(options, name=report.artifact.name), _judged(report, models, options.target)
    whole = manifest_of(
        *(named, run.front_end, spec, models, judged, report.fastest, golden_count), interval_s=interval_s
    )
    bundle.seal(folder, *whole)
    bytes_of = {path.name: path.stat().st_size for path in folder.iterdir()}
    report.sizes += sizes_on_board(models, run.front_end, bytes_of, options.max_bytes).values()


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
