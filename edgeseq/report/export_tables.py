"""The tables of an export: the forms that were chosen, and one for each gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table

from edgeseq.evaluate import OutOfScope
from edgeseq.export.report import ExportReport
from edgeseq.export.sensitivity import LayerSensitivity
from edgeseq.export.tune import Tuning
from edgeseq.gates import YARDSTICKS, AccuracyDrop, drop_text, error_text
from edgeseq.report.rejection_table import rejection_table
from edgeseq.report.table import percent, table
from edgeseq.tasks import WORDS
from edgeseq_device.tasks import Task
from edgeseq_export import FORMATS, ExportedModel, Plan
from edgeseq_export.budget import SizeCheck, TensorSize
from edgeseq_export.forms import NO_PRODUCT
from edgeseq_export.parity import Parity

_TENSORS_SHOWN = 12
_METRICS = {"instructions": "instructions", "latency_p50_ms": "p50 (ms)"}
_DIGITS = {"instructions": 0, "latency_p50_ms": 4}


def gate_table(name: str, rows: Sequence[Any]) -> Table:
    """The table of what a Watch was told: "forms", "tuning", "sensitivity", or a gate's."""
    return _TABLES[name](rows)


def _size(rows: Sequence[SizeCheck]) -> Table:
    return table(
        "Size: everything a board needs",
        ("format", "files", "bytes", "budget", "verdict"),
        [
            (r.format, " + ".join(r.files), f"{r.bytes:,}", f"{r.max_bytes:,}", verdict(r.passed))
            for r in rows
        ],
    )


def _tensors(rows: Sequence[TensorSize]) -> Table:
    *tensors, graph = rows
    shown = [(r.name, "x".join(map(str, r.shape)), r.dtype, f"{r.bytes:,}") for r in tensors[:_TENSORS_SHOWN]]
    if rest := tensors[_TENSORS_SHOWN:]:
        shown.append((f"{len(rest)} more", "", "", f"{sum(r.bytes for r in rest):,}"))
    shown.append((graph.name, "", "", f"{graph.bytes:,}"))
    return table("Bytes per tensor, the largest first", ("tensor", "shape", "dtype", "bytes"), shown)


def _parity(rows: Sequence[Parity]) -> Table:
    """Forecasts decide nothing, so that there are no decisions that differ."""
    flips = ["decisions that differ"] * (rows[0].flips is not None)
    shown = [
        (
            *(r.subject, r.against, r.n, error_text(r), f"{r.tolerance:.0e}"),
            *([r.flips] * len(flips)),
            verdict(r.passed),
        )
        for r in rows
    ]
    columns = ("answers of", "against", "n", "max error", "tolerance", *flips, "verdict")
    return table("Parity on the golden vectors", columns, shown)


def _accuracy(rows: Sequence[AccuracyDrop]) -> Table:
    task = rows[0].task
    yardstick = YARDSTICKS[task]
    flips = ["net flips"] * (task == "classify")
    shown = [
        (
            *(r.format, f"{r.n:,}", _figure(r.task, r.fp32), _figure(r.task, r.exported)),
            *(drop_text(r), f"{r.max_drop:g}", *[r.flips] * len(flips), verdict(r.passed)),
        )
        for r in rows
    ]
    drop = f"{'drop' if task == 'classify' else 'rise'} ({yardstick.unit})"
    columns = ("format", "n", "trained fp32", "exported", drop, "limit", *flips, "verdict")
    return table(f"{yardstick.title} on the {rows[0].split} split", columns, shown)


def _figure(task: Task, value: float) -> str:
    return percent(value) if WORDS[task].is_share else f"{value:.4f}"


def _measured(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """A row for each form on each split. rows: as in `ExportReport.accuracy`, of tokens or of windows."""
    metric = rows[0][1]["metric"]
    (words,) = (each for each in WORDS.values() if each.metric == metric)
    shown = [
        (called, split, f"{entry['n']:,}", f"{entry[form]:.4f}", f"{entry[words.also][form]:.4f}")
        for split, entry in rows
        for form, called in _FORMS.items()
        if form in entry
    ]
    columns = ("form", "split", words.counted, words.called, words.also_called)
    return table("What was reached", columns, shown, text_columns=2)


_FORMS: Mapping[str, str] = {
    "fp32": "trained fp32",
    **dict(zip(FORMATS, FORMATS, strict=True)),
    "linear": "linear baseline",
}
"""What an entry may have figures of, and how it is called."""


def _forms(rows: Sequence[ExportedModel]) -> Table:
    """A row for each layer that has weights: its sequence form, then what its step form computes with."""
    shown = []
    for model in rows:
        steps = {form.layer: form.product for form in model.step.layers} if model.step else {}
        for form in model.layers:
            if form.product != NO_PRODUCT:
                frames = f", {form.chunk_frames} frames" if form.chunk_frames else ""
                product = form.product
                step = steps.get(form.layer)
                cells = (f"{form.form}{frames}", product.name, product.compute, step and step.compute)
                shown.append((form.layer, form.kind, model.format, *cells))
    columns = ("layer", "kind", "format", "form", "product", "compute", "compute of a step")
    return table("Forms", columns, shown)


def _tuning(rows: Sequence[Tuning]) -> Table:
    shown = []
    for tuning in rows:
        for each in tuning.candidates:
            figure = "not measured" if each.figure is None else f"{each.figure:,.{_DIGITS[tuning.metric]}f}"
            verdict = "kept" if each is tuning.winner else each.refused
            shown.append((tuning.format, plan_text(each.plan), figure, verdict))
    first = rows[0]
    where = f"{first.device}{' emulated' if first.emulated else ''}"
    return table(f"Plans measured on {where}", ("format", "plan", _METRICS[first.metric], "verdict"), shown)


def plan_text(plan: Plan) -> str:
    """The differing forms of a plan's layers, such as `unrolled 10 hybrid + rows hybrid`."""
    forms = [form for form in plan.sequence if form.product != NO_PRODUCT]
    texts = [
        " ".join(str(each) for each in (form.form, form.chunk_frames, form.product.name) if each)
        for form in forms
    ]
    return " + ".join(dict.fromkeys(texts))


def _sensitivity(rows: Sequence[LayerSensitivity]) -> Table:
    return table(
        f"What int8 costs alone in each layer, on {rows[0].n} validation recordings",
        (
            "layer",
            "kind",
            "bytes fp32",
            "bytes int8",
            "accuracy",
            "drop (points)",
            "net flips",
            "logit error",
        ),
        [
            (
                *(r.layer, r.kind, f"{r.fp32_bytes:,}", f"{r.int8_bytes:,}"),
                *(percent(r.accuracy), f"{r.drop:.2f}", r.flips, f"{r.logit_error:.1e}"),
            )
            for r in rows
        ],
    )


def fastest_lines(report: ExportReport) -> list[str]:
    """Which file to take, where there is more than one; what is not known is said too."""
    if len(report.models) < 2:
        return []
    sequence, step = report.fastest["sequence"], report.fastest["step"]
    how = "as measured" if report.tuning else "by the table in docs/export.md"
    whole, single = _WORDS[report.task]
    if report.task == "classify" and report.models[0].inputs[0].dtype == "int32":
        whole = "whole texts"
    told = [f"{whole} {sequence} ({how})" if sequence else f"{whole} not known, edgeseq bench measures them"]
    told += [f"{single} {step}"] if step else []
    return [f"fastest on {report.target}: {', '.join(told)}"]


_WORDS: Mapping[Task, tuple[str, str]] = {
    "classify": ("whole sequences", "frame by frame"),
    "lm": ("prompts", "token by token"),
    "forecast": ("forecasts", ""),
}


def _out_of_scope(rows: Sequence[tuple[str, OutOfScope]]) -> Table:
    return rejection_table(dict(rows))


def verdict(passed: bool) -> str:
    """How a gate ended."""
    return "passed" if passed else "FAILED"


_TABLES: dict[str, Callable[[Sequence[Any]], Table]] = {
    "forms": _forms,
    "tuning": _tuning,
    "sensitivity": _sensitivity,
    "size": _size,
    "tensors": _tensors,
    "parity": _parity,
    "accuracy": _accuracy,
    "measured": _measured,
    "out_of_scope": _out_of_scope,
}
