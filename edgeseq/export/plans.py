"""From a trained spec to what is written of it: what stays fp32, and which plan each file gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeseq.devices.links import Device
from edgeseq.export.board_files import plan_of
from edgeseq.export.options import ExportOptions, check_kept_layers
from edgeseq.export.report import ExportReport
from edgeseq.export.sensitivity import LayerSensitivity, sensitivity
from edgeseq.export.tune import Subject, Tuning, Watched, tune
from edgeseq.features import FeatureSplits
from edgeseq.gates import other_rounding_warning, slower_warning
from edgeseq.models.model import SequenceModel
from edgeseq.runs import Run
from edgeseq.training.qat import rounding_of
from edgeseq_device.errors import GateError
from edgeseq_export import ExportedModel, Format, Plan, SeqSpec
from edgeseq_export.check import check_spec
from edgeseq_export.choice import fastest_format, slower_than_fp32
from edgeseq_export.forms import FLOAT, NO_PRODUCT, rounding
from edgeseq_export.spec import quantize_spec
from edgeseq_export.state import why_no_step


def spec_to_export(run: Run, trained: SeqSpec, options: ExportOptions) -> SeqSpec:
    """`trained` itself, or quantized but for the layers that are kept.

    Raises GateError naming a weight that is no number, UsageError for a layer to keep that there is not.
    """
    check_kept_layers(trained, options.keep_fp32)
    try:
        check_spec(trained)
        return quantize_spec(trained, options.keep_fp32) if options.precision == "int8" else trained
    except ValueError as error:
        raise GateError(
            f"{run.path}: {error}; train the run again, after NaN with a lower --learning-rate"
        ) from error


def measure_sensitivity(
    module: SequenceModel, trained: SeqSpec, options: ExportOptions, splits: FeatureSplits
) -> list[LayerSensitivity]:
    """On the validation split, with the rounding of the form that is shipped; of two formats TFLite's."""
    model_format = options.formats[-1]
    plan = plan_of(quantize_spec(trained), model_format, options, splits.train.median_frames)
    return sensitivity(module, trained, rounding(plan.sequence), splits.validation)


def table_plans(
    spec: SeqSpec, options: ExportOptions, splits: FeatureSplits, report: ExportReport
) -> dict[Format, Plan]:
    """By the table of crossovers; `report` says where int8 compute was asked for although fp32 is faster."""
    plans = {each: plan_of(spec, each, options, splits.train.median_frames) for each in options.formats}
    slower = {each: slower_than_fp32(spec, plan, each, options.target) for each, plan in plans.items()}
    report.warnings += [
        slower_warning(each, layers, options.target) for each, layers in slower.items() if layers
    ]
    return plans


def other_roundings(run: Run, module: SequenceModel, models: Mapping[Format, ExportedModel]) -> list[str]:
    """A warning for each file whose int8 layers round activations otherwise than the run's training did."""
    qat = run.recipe.qat
    if qat is None:
        return []
    learned, warnings = rounding_of(module, qat), []
    for each, model in models.items():
        int8 = [form for form in model.layers if form.product not in (FLOAT, NO_PRODUCT)]
        other = [
            form.layer for form in int8 if form.product.activation_quantization != learned.get(form.layer)
        ]
        if other:
            warnings.append(other_rounding_warning(each, other, qat.target, qat.format))
    return warnings


def tuned_plans(
    subject: Subject,
    options: ExportOptions,
    device: Device,
    report: ExportReport,
    step: Watched,
) -> dict[Format, Plan]:
    """By what was measured on `device`."""
    found = {}
    for each in options.formats:
        tuning = tune(
            subject,
            each,
            options.target,
            device,
            batch=options.batch,
            prepare=lambda fraction, label: step(label, int(100 * fraction), 100),
            watch=step,
        )
        report.tuning.append(tuning)
        found[each] = tuning.winner.plan
    return found


def fastest(
    spec: SeqSpec, plans: Mapping[Format, Plan], options: ExportOptions, tuning: Sequence[Tuning]
) -> dict[str, str | None]:
    """Which format answers fastest, sequences and single frames: as it was tuned, else by the table.

    None where neither says so, or where there is no step form.
    """
    has_step = options.step_of(spec) and not why_no_step(spec)
    *_, last = plans
    sequence: Format | None
    if len(plans) == 1:
        sequence = last
    elif tuning:
        sequence = min(tuning, key=lambda each: each.winner.figure or 0.0).format
    else:
        sequence = fastest_format(spec, plans, options.target)
    return {"sequence": sequence, "step": last if has_step else None}
