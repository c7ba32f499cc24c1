"""The three gates of an export: size, parity, accuracy drop. Each shows what it measured, then judges it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeseq.tasks import WORDS
from edgeseq_device.errors import BudgetError, GateError
from edgeseq_device.tasks import Task
from edgeseq_export import SeqSpec
from edgeseq_export.budget import SizeCheck, TensorSize, tensor_sizes
from edgeseq_export.layers import Embedding
from edgeseq_export.parity import TOLERANCE, Parity

MIN_NET_FLIPS = 2
"""A single recording that changes sides is within chance, however few there are."""

Watch = Callable[[str, Sequence[Any]], None]
"""Called with what a gate measured: a table's name ("size", "parity", "forms" ...) and its rows."""


@dataclass(frozen=True)
class Yardstick:
    """How the accuracy gate judges the models of a task, by its metric. title: of its table.

    unit: of a drop; worse: what a model that lost does; max_drop: allowed unless one is given; few: a gate
    that is judged on fewer says so; spare: how less is lost.
    """

    title: str
    unit: str
    worse: str
    max_drop: float
    few: int
    spare: str


_WEIGHTS = "spare layers with --keep-fp32"
YARDSTICKS: Mapping[Task, Yardstick] = {
    "classify": Yardstick(
        *("Accuracy", "points", "accuracy drops"),
        max_drop=1.0,
        few=200,
        spare="train it on with `edgeseq train --from RUN --qat`, ask --sensitivity which layers --keep-fp32"
        " should spare",
    ),
    "lm": Yardstick(
        *("Nats per token", "nats", "nats per token rise"),
        max_drop=0.01,
        few=1000,
        spare=_WEIGHTS,
    ),
    "forecast": Yardstick(
        *("MSE of standardised values", "%", "the MSE rises"),
        max_drop=1.0,
        few=200,
        spare=_WEIGHTS,
    ),
}


@dataclass(frozen=True)
class AccuracyDrop:
    """An exported model against the trained fp32 model, on a split, by its task's yardstick.

    fp32, exported: in the yardstick's metric. flips: of a classifier, recordings that were right before and
    are wrong now, less those the other way round.
    """

    format: str
    split: str
    n: int
    fp32: float
    exported: float
    flips: int | None
    max_drop: float
    task: Task = "classify"

    @property
    def drop(self) -> float:
        """In the yardstick's unit; below 0 where the exported model is the better one, infinite where the
        trained one made no error and the exported one does."""
        if self.task == "lm":
            return self.exported - self.fp32
        if self.task == "forecast":
            if not self.fp32:
                return math.inf if self.exported > 0 else 0.0
            return 100 * (self.exported - self.fp32) / self.fp32
        return 100 * (self.fp32 - self.exported)

    @property
    def passed(self) -> bool:
        """Not over the limit; of a classifier by at least MIN_NET_FLIPS recordings."""
        return self.drop <= self.max_drop or (self.flips is not None and self.flips < MIN_NET_FLIPS)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, which has no infinity: such a drop is None."""
        metric, unit = WORDS[self.task].metric, YARDSTICKS[self.task].unit
        drop = self.drop if math.isfinite(self.drop) else None
        return {**asdict(self), "metric": metric, "unit": unit, "drop": drop, "passed": self.passed}


def judge_size(spec: SeqSpec, sizes: Sequence[SizeCheck], watch: Watch) -> None:
    """Raises BudgetError where a format is over its budget, after showing where its bytes are."""
    watch("size", sizes)
    over = [each for each in sizes if not each.passed]
    if over:
        tensors = tensor_sizes(spec)
        rest = over[0].bytes - sum(tensor.bytes for tensor in tensors)
        watch("tensors", [*tensors, TensorSize(f"graph and the rest ({over[0].format})", (), "", rest)])
        found = ", ".join(
            f"{each.format} takes {each.bytes:,} bytes for {' + '.join(each.files)}" for each in over
        )
        advice = _smaller(spec, tensors, over[0].max_bytes)
        raise BudgetError(
            f"over the budget of {over[0].max_bytes:,} bytes: {found}; {advice}, or raise --max-size"
        )


def _smaller(spec: SeqSpec, tensors: Sequence[TensorSize], max_bytes: int) -> str:
    """How to train a smaller model: by the widths that the largest of its tensors has."""
    quantize = "" if any(tensor.dtype == "int8" for tensor in tensors) else "use --int8, "
    if spec.task != "classify":
        other = "--embedding" if spec.task == "lm" else "--context"
        return f"{quantize}train with a smaller --hidden or {other}"
    tables = tuple(f"{layer.name}." for layer in spec.layers if isinstance(layer, Embedding))
    widths = "--buckets or --embedding" if tensors[0].name.startswith(tables) else "--hidden"
    return f"{quantize}train with a smaller {widths} or with --fit {max_bytes}"


def judge_parity(checks: Sequence[Parity], watch: Watch) -> None:
    """Raises GateError on answers out of parity: never a loss by quantization, which both sides have."""
    watch("parity", checks)
    for check in checks:
        if not check.passed:
            flips = "" if check.flips is None else f", {check.flips} of {check.n} decisions differ"
            raise GateError(
                f"{check.subject} is out of parity with {check.against}: error {error_text(check)}"
                f" (tolerance {check.tolerance:.0e}) at {check.worst}{flips}; {_parity_advice(check)}"
            )


def _parity_advice(check: Parity) -> str:
    if check.noise_error is None or check.noise_error < check.tolerance:
        return "this is a fault of the exporter: please report it with the recipe"
    return (
        "the model amplifies every rounding from frame to frame (noise in the seventh digit moves the"
        f" reference by {check.noise_error:.0e}): train it with a larger --weight-decay"
    )


def widened_warning(check: Parity) -> str | None:
    """What to say of a parity that was judged by a wider tolerance than usual."""
    if check.noise_error is None or check.tolerance <= TOLERANCE["int8"]:
        return None
    return (
        f"{check.subject}: parity was judged at {check.tolerance:.1e} instead of {TOLERANCE['int8']:.0e}: the"
        f" reference itself moves by {check.noise_error:.1e} when its activations change in the seventh digit"
    )


def error_text(check: Parity) -> str:
    """Such as 4.1e-07."""
    return "not a number" if check.max_error is None else f"{check.max_error:.1e}"


def judge_accuracy(drops: Sequence[AccuracyDrop], watch: Watch) -> None:
    """Raises GateError on a format that lost more than the limit and, of a classifier, chance allow."""
    watch("accuracy", drops)
    for each in drops:
        if not each.passed:
            yardstick = YARDSTICKS[each.task]
            flips = "" if each.flips is None else f" ({each.flips} net flips)"
            raise GateError(
                f"{each.format}: {yardstick.worse} by {drop_text(each)} {yardstick.unit} on {each.n:,}"
                f" {each.split} {WORDS[each.task].counted}{flips}, over --max-drop {each.max_drop:g};"
                f" {yardstick.spare}, train a larger model or raise the limit"
            )


def drop_text(drop: AccuracyDrop) -> str:
    """Such as 0.42; 0.0042 of nats."""
    return f"{drop.drop:.4f}" if drop.task == "lm" else f"{drop.drop:.2f}"


def slower_warning(model_format: str, layers: Sequence[str], target: str) -> str:
    """What to say of int8 compute that was asked for where fp32 compute is faster."""
    return (
        f"{model_format}: {', '.join(layers)} compute in int8, which measured slower than fp32 compute on"
        f" {target}; leave --compute int8 out, unless RAM decides"
    )


def other_rounding_warning(model_format: str, layers: Sequence[str], qat_target: str, qat_format: str) -> str:
    """What to say of activations that are rounded in another way than quantization-aware training did."""
    return (
        f"{model_format}: {', '.join(layers)} round activations otherwise than the training with --qat, which"
        f" was for {qat_format} on {qat_target}; train with the --target and --qat-format that are exported"
    )


def few_warning(task: Task, n: int) -> str | None:
    """What to say of an accuracy gate that was judged on little."""
    few, counted = YARDSTICKS[task].few, WORDS[task].counted
    if n >= few:
        return None
    one = f": one recording is {100 / n:.1f} points" if task == "classify" else ""
    return f"the accuracy gate was judged on {n} validation {counted}, fewer than {few}{one}"


def worse_than_linear_warning(
    accuracy: Mapping[str, Mapping[str, Any]], formats: Iterable[str]
) -> str | None:
    """What to say of a forecaster's files that a linear model beats, on the test split where there is one:
    validation chose the weights.

    accuracy: MSE by split and then by form, "linear" among them where it was measured.
    """
    split = "test" if "test" in accuracy else "validation"
    errors = accuracy.get(split, {})
    linear = errors.get("linear")
    if linear is None:
        return None
    worse = [f"{form} {errors[form]:.4f}" for form in formats if form in errors and errors[form] > linear]
    if not worse:
        return None
    return (
        f"the linear baseline is better on the {split} split: MSE {linear:.4f} against {', '.join(worse)};"
        " export it instead (edgeseq train --task forecast --model linear), or train longer"
    )
