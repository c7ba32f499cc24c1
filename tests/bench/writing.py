"""Writing the files of the subjects: edgeseq's in each form, and the baselines' beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from baselines import computes_in_int8, export_null, export_op, quantize_op
from models import Model, null_spec
from subjects import Case, Role, Subject

from edgeseq_export import FORMATS, Format, write_model
from edgeseq_export.choice import choose
from edgeseq_export.exported import ExportedModel
from edgeseq_export.forms import Compute, LayerForm
from edgeseq_export.spec import SeqSpec, quantize_spec
from edgeseq_export.state import states_of


@dataclass(frozen=True)
class Written:
    """The subjects of one model in edgeseq's forms, and what could not be written, with the reason."""

    subjects: list[Subject] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def edgeseq_subjects(
    model: Model, lengths: Sequence[int | None], target: str, folder: Path, *, fp32: bool
) -> Written:
    """The forms that are chosen for `target`, and the int8-compute form where the chosen one is another.

    fp32: the model before quantization too.
    """
    written = Written()
    roles: tuple[Role, ...] = ("int8", "int8 compute", "fp32") if fp32 else ("int8", "int8 compute")
    for model_format in FORMATS:
        for role in roles:
            for spec, wanted in ((model.spec, _sequences(lengths)), (model.step_spec, _steps(lengths))):
                if wanted and _is_wanted(spec, model_format, target, role, is_step=wanted == [None]):
                    _write(model, spec, model_format, target, role, wanted, folder, written)
    return written


def _sequences(lengths: Sequence[int | None]) -> list[int | None]:
    return [each for each in lengths if each is not None]


def _steps(lengths: Sequence[int | None]) -> list[int | None]:
    return [each for each in lengths if each is None]


def _is_wanted(spec: SeqSpec, model_format: Format, target: str, role: Role, *, is_step: bool) -> bool:
    """The int8-compute form is a subject of its own only where the chosen form is another."""
    if role != "int8 compute":
        return True
    quantized = quantize_spec(spec)
    chosen = choose(quantized, model_format, target)
    other = choose(quantized, model_format, target, compute="int8")
    plans = (chosen.step, other.step) if is_step else (chosen.sequence, other.sequence)
    return plans[0] != plans[1]


def _write(
    model: Model,
    spec: SeqSpec,
    model_format: Format,
    target: str,
    role: Role,
    lengths: Sequence[int | None],
    folder: Path,
    written: Written,
) -> None:
    stem = f"{model.family}-{model.hidden}-{role}-{target}".replace(" ", "-")
    weights = spec if role == "fp32" else quantize_spec(spec)
    for frames in lengths:
        case = Case(model.family, model.hidden, frames)
        try:
            content, layers = _content(_export(weights, model_format, target, role), is_step=frames is None)
        except ValueError as error:
            written.missing.append(f"{case.label}, {role}, {model_format} for {target}: {error}")
            continue
        call = "step" if frames is None else "sequence"
        path = folder / f"{stem}.{call}.{model_format}"
        path.write_bytes(content)
        form, compute = summary(layers)
        states = states_of(spec) if frames is None else ()
        subject = Subject(case, role, model_format, compute, form, target, call, path, len(content), states)
        written.subjects.append(replace(subject, spec=weights, layers=layers))


def _content(exported: ExportedModel, *, is_step: bool) -> tuple[bytes, tuple[LayerForm, ...]]:
    if not is_step:
        return exported.content, exported.layers
    if exported.step is None:
        raise ValueError("the writer made no step form")
    return exported.step.content or exported.content, exported.step.layers


def _export(spec: SeqSpec, model_format: Format, target: str, role: Role) -> ExportedModel:
    compute: Compute | None = "int8" if role == "int8 compute" else None
    return write_model(spec, model_format, "unit", choose(spec, model_format, target, compute=compute))


def summary(layers: tuple[LayerForm, ...]) -> tuple[str, Compute]:
    """The form of the layer that takes the time, and int8 where any layer multiplies in int8."""
    heaviest = next((each for each in layers if each.kind in ("GRU", "LSTM", "Attention")), layers[0])
    int8 = any(each.product.compute == "int8" for each in layers)
    loop = f"-{heaviest.chunk_frames}" if heaviest.chunk_frames else ""
    return f"{heaviest.form}{loop}/{heaviest.product.name}", "int8" if int8 else "fp32"


def op_subjects(model: Model, lengths: Sequence[int | None], folder: Path) -> list[Subject]:
    """torch.onnx.export's files, a second time through an IOBinding, and quantize_dynamic of them."""
    subjects = []
    for case in _torch_cases(model, lengths):
        stem = f"{case.label}-op".replace(" ", "-").replace(",", "")
        plain, quantized = folder / f"{stem}.onnx", folder / f"{stem}-quantized.onnx"
        if not plain.exists():
            export_op(model, case.frames, plain)
            quantize_op(plain, quantized)
        call = "op step" if case.frames is None else "op"
        subjects.append(_op_subject(case, "op", call, plain))
        subjects.append(_op_subject(case, "op bound", f"{call}, bound", plain))
        subjects.append(_op_subject(case, "op quantize_dynamic", call, quantized))
    return subjects


def _op_subject(case: Case, role: Role, call: str, path: Path) -> Subject:
    compute: Compute = "int8" if computes_in_int8(path) else "fp32"
    return Subject(case, role, "onnx", compute, "operator", "", call, path, path.stat().st_size)


def torch_subjects(model: Model, lengths: Sequence[int | None]) -> list[Subject]:
    """The torch module and its quantize_dynamic."""
    roles: tuple[tuple[Role, Compute], ...] = (("torch", "fp32"), ("torch quantize_dynamic", "int8"))
    cases = _torch_cases(model, lengths)
    return [Subject(case, role, "torch", compute, "module") for case in cases for role, compute in roles]


def _torch_cases(model: Model, lengths: Sequence[int | None]) -> list[Case]:
    """The step form of a Transformer is another model, which torch does not have."""
    cases = [Case(model.family, model.hidden, frames) for frames in lengths]
    return [case for case in cases if model.family != "transformer" or case.frames is not None]


def null_jobs(frames: int, folder: Path) -> dict[str, dict[str, str]]:
    """For a probe, a model without a weight as edgeseq's is opened in each runtime, and as the baseline's."""
    jobs = {}
    for model_format in FORMATS:
        path = folder / f"null.{model_format}"
        path.write_bytes(write_model(null_spec(), model_format, "unit").content)
        jobs[f"null {model_format}"] = {"runtime": model_format, "path": str(path), "call": "sequence"}
    path = folder / "null-op.onnx"
    export_null(frames, path)
    return {**jobs, "null op": {"runtime": "onnx", "path": str(path), "call": "op"}}
