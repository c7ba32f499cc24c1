"""What an export is asked for, checked before anything is read or computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edgeseq.data.dataset import Kind
from edgeseq.gates import YARDSTICKS
from edgeseq.names import unknown
from edgeseq.training.recipe import FitConfig
from edgeseq_device.errors import UsageError
from edgeseq_device.tasks import Task
from edgeseq_export import FORMATS, Format, SeqSpec
from edgeseq_export.forms import Compute
from edgeseq_export.spec import quantized_layers
from edgeseq_export.targets import TARGETS


@dataclass(frozen=True)
class ExportOptions:
    """What to export and what it must keep to.

    max_drop: in the unit of the task's yardstick, None for its usual one. batch: the files must take several
    sequences at once. keep_fp32: layers whose weights stay float32. compute: of every int8 layer, None for
    what is faster. sensitivity: also measure what int8 costs layer by layer. tune: measure every plan on the
    target's device. step: with the form that takes one frame at a time, where the model has one; None: of all
    but texts that are classified.
    """

    precision: Literal["int8", "fp32"] = "int8"
    formats: tuple[Format, ...] = FORMATS
    max_bytes: int = 100_000_000
    max_drop: float | None = None
    target: str = "generic"
    batch: bool = False
    keep_fp32: tuple[str, ...] = ()
    compute: Compute | None = None
    sensitivity: bool = False
    tune: bool = False
    step: bool | None = None
    name: str | None = None
    data: str | None = None

    def step_of(self, spec: SeqSpec) -> bool:
        """Whether a step form of this model is wanted."""
        if self.step is not None:
            return self.step
        return spec.task == "lm" or steps_by_default("text" if spec.takes_ids else "series")

    def drop_of(self, task: Task) -> float:
        """What a model of this task may lose."""
        return YARDSTICKS[task].max_drop if self.max_drop is None else self.max_drop


def as_fitted(
    options: ExportOptions, fit: FitConfig | None, max_bytes: int | None, step: bool | None
) -> ExportOptions:
    """`options` with a budget and a step form as they were given, else as the run was fitted to a size.

    max_bytes, step: None where they were not given. The size of a fit is that of an int8 artifact.
    """
    if fit is not None and options.precision == "int8":
        max_bytes = max_bytes or fit.max_bytes
    if fit is not None and step is None:
        step = fit.step
    return replace(options, max_bytes=max_bytes or options.max_bytes, step=step)


def steps_by_default(kind: Kind) -> bool:
    """Whether a classifier's artifact has a step form where nothing is said.

    Tokens hardly come one at a time, and in ONNX the form is a second file with their whole table.
    """
    return kind != "text"


def check_target(name: str) -> str:
    """`name`; raises UsageError, naming the nearest target, where there is none of that name."""
    if name not in TARGETS:
        raise UsageError(unknown("target", name, TARGETS))
    return name


def formats_for(target: str, asked: Sequence[str], *, batch: bool) -> tuple[Format, ...]:
    """The formats of an artifact: those asked for, else every one that the target and a batch allow.

    Raises UsageError where a format that was asked for is not among these.
    """
    allowed = TARGETS[check_target(target)].formats
    for each in asked:
        if each not in allowed:
            raise UsageError(
                f"--format {each}: there is no {each} runtime for {target}; leave it out, or take"
                f" {', '.join(allowed)}"
            )
    if batch and "onnx" not in (asked or allowed):
        raise UsageError("--batch: a TFLite file takes one sequence at a time; only --format onnx takes more")
    if batch and "tflite" in asked:
        raise UsageError("--batch: a TFLite file takes one sequence at a time; leave out --format tflite")
    usable = [each for each in allowed if each == "onnx" or not batch]
    return tuple(each for each in FORMATS if each in usable and (not asked or each in asked))


def check_options(options: ExportOptions) -> None:
    """Raises UsageError where options contradict each other."""
    if options.precision == "fp32" and (
        options.keep_fp32 or options.sensitivity or options.compute == "int8"
    ):
        raise UsageError(
            "--fp32: no layer is int8 then; leave out --keep-fp32, --sensitivity, --compute int8"
        )
    if options.tune and options.compute:
        raise UsageError("--tune measures both kinds of compute; leave out --compute")
    if options.batch and options.compute == "int8":
        raise UsageError(
            "--batch: ONNX Runtime's int8 compute rounds over all sequences at once; leave out --compute int8"
        )


def check_task(options: ExportOptions, task: Task) -> None:
    """Raises UsageError for what is asked of classifiers alone, or cannot be left out."""
    if task == "classify":
        return
    kind = "a language model" if task == "lm" else "a forecaster"
    for name in ("sensitivity", "batch", "tune"):
        if getattr(options, name):
            raise UsageError(f"--{name} is for classifiers, and this is {kind}; leave it out")
    if task == "lm" and options.step is False:
        raise UsageError("--no-step: a language model speaks by its step form; leave it out")
    if task == "forecast" and options.step:
        raise UsageError("--step: a forecaster reads its whole context at once; leave it out")


def check_kept_layers(spec: SeqSpec, keep_fp32: Sequence[str]) -> None:
    """Raises UsageError, naming the nearest layer, where one to keep in fp32 has no weights to quantize."""
    known = quantized_layers(spec)
    for name in keep_fp32:
        if name not in known:
            raise UsageError(f"--keep-fp32: {unknown('layer', name, known)}")
