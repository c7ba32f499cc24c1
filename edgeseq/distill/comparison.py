"""Teachers, the student from scratch and the distilled one, each in fp32 and in int8 files, side by side.

Of a forecaster the linear baseline too. Latency is taken on this machine in one run: all models take turns
over the same inputs, one thread each, in the runtimes that a board uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Literal

from edgeseq.distill.exam import Exam, SplitFigures, Timed, Written
from edgeseq.distill.held_out import Figures
from edgeseq.distill.latency import ROUNDS, latencies_ms
from edgeseq.distill.teachers import Teacher, Watched
from edgeseq.export.board_files import board_files
from edgeseq.export.golden import load_steps
from edgeseq.export.options import ExportOptions, as_fitted
from edgeseq.export.plans import spec_to_export
from edgeseq.export.run import artifact_folder
from edgeseq.runs import Run
from edgeseq_device import runtimes
from edgeseq_export import SeqSpec
from edgeseq_export.bundle import model_file, model_files
from edgeseq_export.targets import TARGETS

BYTES_OF_A_PARAMETER = 4
Role = Literal["teacher", "ensemble", "linear", "scratch", "distilled"]
Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


@dataclass(frozen=True)
class Row:
    """One form of one model.

    form: onnx, tflite, or torch for a Hugging Face model: it is not exported, and its bytes are those of its
    parameters. bytes: of all that a board needs of an exported one; model_bytes: of its model file alone.
    figures: of an int8 file its own, in fp32 those of the trained module. latency_p50_ms: on this machine,
    of a language model for a token.
    """

    role: Role
    name: str
    form: str
    precision: Precision
    parameters: int
    bytes: int
    model_bytes: int
    figures: Figures | SplitFigures
    latency_p50_ms: float = 0.0


@dataclass(frozen=True, eq=False)
class _Subject:
    """A row without its latency. run: answers the timed input of a number."""

    row: Row
    run: Timed


@dataclass(frozen=True, eq=False)
class _Model:
    """What gets a row for each form. run: it, or the run that it was trained beside. figures: in fp32."""

    role: Role
    name: str
    run: Run
    spec: SeqSpec
    parameters: int
    figures: Figures | SplitFigures


def compare(
    teachers: Sequence[Teacher], twin: Run | None, student: Run, exam: Exam, watch: Watched
) -> list[Row]:
    """The rows of the table. `watch` is told what is done."""
    with TemporaryDirectory(prefix="edgeseq-distill-") as folder:
        rows_of = partial(_subjects, exam=exam, scratch=Path(folder), watch=watch)
        subjects = [each for teacher in teachers for each in _teacher(teacher, exam, rows_of, watch)]
        if len(teachers) > 1:
            subjects += _ensemble(teachers, subjects, exam, watch)
        subjects += [each for model in _linear(student) for each in rows_of(model)]
        if twin is not None:
            subjects += rows_of(_model("scratch", twin, exam))
        subjects += rows_of(_model("distilled", student, exam))
        told = partial(watch, f"latency of {len(subjects)} models, in turns, {ROUNDS} rounds")
        taken = latencies_ms([each.run for each in subjects], exam.timed_inputs, told)
    return [replace(each.row, latency_p50_ms=latency) for each, latency in zip(subjects, taken, strict=True)]


def _teacher(
    teacher: Teacher, exam: Exam, rows_of: Callable[..., list[_Subject]], watch: Watched
) -> list[_Subject]:
    if teacher.run is not None:
        precisions = PRECISIONS if exam.int8_teachers else PRECISIONS[:1]
        return rows_of(_model("teacher", teacher.run, exam), precisions)
    figures = exam.of_teachers([teacher], watch)
    size = BYTES_OF_A_PARAMETER * teacher.parameters
    row = Row("teacher", teacher.source.reference, "torch", "fp32", teacher.parameters, size, size, figures)
    return [_Subject(row, exam.timed_teacher(teacher))]


def _ensemble(
    teachers: Sequence[Teacher], members: Sequence[_Subject], exam: Exam, watch: Watched
) -> list[_Subject]:
    """All of them one after the other in fp32, in each form that all of them have."""
    figures = exam.of_teachers(teachers, watch)
    members = [each for each in members if each.row.precision == "fp32"]
    found = []
    for form in dict.fromkeys(each.row.form for each in members):
        of_form = [each for each in members if each.row.form == form]
        if len(of_form) == len(teachers):
            parameters, size, model_size = (
                sum(getattr(e.row, each) for e in of_form) for each in ("parameters", "bytes", "model_bytes")
            )
            name = f"all {len(teachers)} teachers"
            row = Row("ensemble", name, form, "fp32", parameters, size, model_size, figures)
            found.append(_Subject(row, partial(_all, [each.run for each in of_form])))
    return found


def _all(runs: Sequence[Timed], number: int) -> None:
    for run in runs:
        run(number)


def _model(role: Role, run: Run, exam: Exam) -> _Model:
    return _Model(role, run.name, run, run.spec(), run.parameters, exam.of_run(run))


def _linear(student: Run) -> list[_Model]:
    """The linear baseline of a forecaster, none of any other student."""
    module = student.linear()
    if module is None:
        return []
    reached = {split: each for split, each in student.metrics["linear"].items() if split != "train"}
    parameters = sum(each.numel() for each in module.parameters())
    return [_Model("linear", "the linear baseline", student, module.to_spec(), parameters, reached)]


def _subjects(
    model: _Model,
    precisions: Sequence[Precision] = PRECISIONS,
    *,
    exam: Exam,
    scratch: Path,
    watch: Watched,
) -> list[_Subject]:
    """A model written in both formats, for each precision; int8 files with figures of their own."""
    found = []
    for precision in precisions:
        for each in _written(model, precision, exam, scratch):
            sizes = each.bytes, each.model_bytes
            figures = model.figures if precision == "fp32" else exam.of_file(each, model.run, watch)
            row = Row(model.role, model.name, each.form, precision, model.parameters, *sizes, figures)
            found.append(_Subject(row, exam.timed(each, model.run)))
    return found


def _written(model: _Model, precision: Precision, exam: Exam, scratch: Path) -> Iterator[Written]:
    """Each format as an export would write it.

    For the target that the run was quantized for, with a step form unless it was fitted without one.
    """
    run, splits = model.run, exam.prepared.splits
    target = "generic" if run.recipe.qat is None else run.recipe.qat.target
    options = ExportOptions(precision, TARGETS[target].formats, target=target)
    options = as_fitted(options, run.recipe.fit, None, None)
    options = replace(options, name=artifact_folder(run, options).name)
    files = board_files(
        str(run.path),
        spec_to_export(run, model.spec, options),
        run.front_end,
        options,
        splits.train.median_frames,
        rejects=bool(splits.out_of_scope),
    )
    folder = Path(mkdtemp(dir=scratch))
    for written in files.models.values():
        for name, content in model_files(written).items():
            (folder / name).write_bytes(content)
    steps = load_steps(folder, files.models) if model.spec.carries else {}
    for form, written in files.models.items():
        loaded = runtimes.load(folder / model_file(written), form)
        sizes = files.sizes[form].bytes, len(written.content)
        yield Written(f"{model.name} as an {precision} {form} file", form, *sizes, loaded, steps.get(form))
