"""Teachers, the student from scratch and the distilled one, each in fp32 and in int8 files, side by side.

Latency is taken on this machine in one run: all models take turns over the same recordings, one thread each,
in the runtimes that a board uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Literal

from edgeseq.distill.answers import cached_logits, in_order, together
from edgeseq.distill.held_out import Figures, HeldOut, Part, figures_of
from edgeseq.distill.latency import ROUNDS, latencies_ms
from edgeseq.distill.teachers import Teacher, Watched
from edgeseq.evaluate import one_by_one
from edgeseq.export.board_files import board_files
from edgeseq.export.options import ExportOptions, as_fitted
from edgeseq.export.plans import spec_to_export
from edgeseq.export.run import artifact_folder
from edgeseq.features import FloatArray
from edgeseq.runs import Run
from edgeseq_device import runtimes
from edgeseq_export import Format
from edgeseq_export.bundle import model_file
from edgeseq_export.choice import TARGETS

BYTES_OF_A_PARAMETER = 4
Role = Literal["teacher", "ensemble", "scratch", "distilled"]
Precision = Literal["fp32", "int8"]


@dataclass(frozen=True)
class Row:
    """One form of one model.

    form: onnx, tflite, or torch for a Hugging Face model: it is not exported, and its bytes are those of its
    parameters. bytes: of all that a board needs of an exported one; model_bytes: of its model file alone.
    figures: of an int8 file its own, in fp32 those of the trained module. latency_p50_ms: on this machine.
    """

    role: Role
    name: str
    form: str
    precision: Precision
    parameters: int
    bytes: int
    model_bytes: int
    figures: Figures
    latency_p50_ms: float = 0.0


@dataclass(frozen=True, eq=False)
class _Subject:
    """A row without its latency. run: answers the timed recording of a number."""

    row: Row
    run: Callable[[int], object]


def compare(
    teachers: Sequence[Teacher], twin: Run | None, student: Run, held_out: HeldOut, watch: Watched
) -> list[Row]:
    """The rows of the table. `watch` is told what is done."""
    with TemporaryDirectory(prefix="edgeseq-distill-") as folder:
        scratch = Path(folder)
        subjects = [each for teacher in teachers for each in _teacher(teacher, held_out, scratch, watch)]
        if len(teachers) > 1:
            subjects += _ensemble(teachers, subjects, held_out, watch)
        if twin is not None:
            subjects += _run("scratch", twin, held_out, scratch)
            subjects += _int8("scratch", twin, held_out, scratch, watch)
        subjects += _run("distilled", student, held_out, scratch)
        subjects += _int8("distilled", student, held_out, scratch, watch)
        told = partial(watch, f"latency of {len(subjects)} models, in turns, {ROUNDS} rounds")
        taken = latencies_ms([each.run for each in subjects], len(held_out.timed()), told)
    return [replace(each.row, latency_p50_ms=latency) for each, latency in zip(subjects, taken, strict=True)]


def _teacher(teacher: Teacher, held_out: HeldOut, scratch: Path, watch: Watched) -> list[_Subject]:
    if teacher.run is not None:
        return _run("teacher", teacher.run, held_out, scratch)
    figures = held_out.figures(partial(_answers, [teacher], held_out, watch))
    size = BYTES_OF_A_PARAMETER * teacher.parameters
    row = Row("teacher", teacher.source.reference, "torch", "fp32", teacher.parameters, size, size, figures)
    encoded = [teacher.encode([str(text)]) for text in held_out.timed()]
    return [_Subject(row, lambda number: teacher.answer(encoded[number]))]


def _ensemble(
    teachers: Sequence[Teacher], members: Sequence[_Subject], held_out: HeldOut, watch: Watched
) -> list[_Subject]:
    """All of them one after the other, in each form that all of them have."""
    figures = held_out.figures(partial(_answers, teachers, held_out, watch))
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


def _all(runs: Sequence[Callable[[int], object]], number: int) -> None:
    for run in runs:
        run(number)


def _answers(teachers: Sequence[Teacher], held_out: HeldOut, watch: Watched, part: Part) -> FloatArray:
    """[n, C]: what teachers answer together to a part, in the order of the data's labels."""
    found = []
    for teacher in teachers:
        told = partial(watch, f"teacher {teacher.source.reference} answers {part.name}")
        logits = cached_logits(teacher, part.asked, told)
        found.append(in_order(logits, teacher.labels, held_out.prepared.dataset.labels))
    return together(found)


def _run(role: Role, run: Run, held_out: HeldOut, scratch: Path) -> list[_Subject]:
    """A run's module, written in both formats."""
    return [
        _Subject(
            Row(role, run.name, form, "fp32", run.parameters, *sizes, figures_of(run)),
            _timed(run, loaded, held_out),
        )
        for form, sizes, loaded in _written(run, "fp32", held_out, scratch)
    ]


def _int8(role: Role, run: Run, held_out: HeldOut, scratch: Path, watch: Watched) -> list[_Subject]:
    """A run's int8 files, each with figures of its own."""
    found = []
    for form, sizes, loaded in _written(run, "int8", held_out, scratch):
        file = f"{run.name} as an int8 {form} file"
        figures = held_out.figures(partial(_file_answers, loaded, file, watch))
        row = Row(role, run.name, form, "int8", run.parameters, *sizes, figures)
        found.append(_Subject(row, _timed(run, loaded, held_out)))
    return found


def _file_answers(loaded: runtimes.LoadedModel, file: str, watch: Watched, part: Part) -> FloatArray:
    return one_by_one(loaded.run, part.data.features, partial(watch, f"{file} answers {part.name}"))


def _written(
    run: Run, precision: Precision, held_out: HeldOut, scratch: Path
) -> Iterator[tuple[Format, tuple[int, int], runtimes.LoadedModel]]:
    """Each format as an export would write it: its name; bytes on a board and of the model file; the model.

    For the target that the run was quantized for, with a step form unless it was fitted without one.
    """
    target = "generic" if run.recipe.qat is None else run.recipe.qat.target
    options = ExportOptions(precision, TARGETS[target].formats, target=target)
    options = as_fitted(options, run.recipe.fit, None, None)
    options = replace(options, name=artifact_folder(run, options).name)
    files = board_files(
        str(run.path),
        spec_to_export(run, run.spec(), options),
        run.front_end,
        options,
        held_out.prepared.splits.train.median_frames,
        rejects=bool(held_out.prepared.splits.out_of_scope),
    )
    for form, model in files.models.items():
        path = Path(mkdtemp(dir=scratch)) / model_file(model)
        path.write_bytes(model.content)
        yield form, (files.sizes[form].bytes, len(model.content)), runtimes.load(path, form)


def _timed(run: Run, loaded: runtimes.LoadedModel, held_out: HeldOut) -> Callable[[int], object]:
    """Answers the timed recording of a number; its features are ready."""
    rate_hz = held_out.prepared.dataset.sample_rate_hz
    features = [
        run.front_end.features(each, rate_hz) if isinstance(each, str) else each for each in held_out.timed()
    ]
    return lambda number: loaded.run(features[number])
