"""The lines under a benchmark's tables: what figures mean, why some are missing, what casts doubt on them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgeseq.report.bench_figures import NOT_MEASURED, Model, is_native, is_no_gap
from edgeseq.report.bench_table import (
    EMULATED,
    WIDTH_MAX,
    has_steps,
    is_asked,
    quality,
    shown_figures,
    splits_of,
    task_of,
)
from edgeseq.report.native_notes import default_notes, native_notes
from edgeseq_device.measuring.assemble import name
from edgeseq_device.measuring.keys import NOT_ASKED
from edgeseq_device.measuring.profile import REST
from edgeseq_device.measuring.sustained import compared_s
from edgeseq_device.measuring.words import worded

_NOTE_WIDTH_MIN = 30
_SLOWED = 1.1
"""A profile whose operators take so many times the plain inference says so."""


def bench_notes(
    result: Mapping[str, Any], width: int = WIDTH_MAX, *, runner_chosen: bool = True
) -> list[str]:
    """Lines of at most `width` columns. Of an emulated device each says so. runner_chosen: whether the user
    said which runner measures; else a native one is the board's default, and a line says so."""
    models: list[Model] = result["models"]
    notes = [
        f"device: {result['board_description']}",
        *([] if runner_chosen else default_notes(models)),
        *native_notes(models),
        *_meanings(models),
        *_gaps(result),
    ]
    for model in models:
        notes += [f"warning: {name(model)}: {text}" for text in model["warnings"]]
    notes += [f"warning: {text}" for text in result["warnings"]]
    notes += [f"INVALID: {text}" for text in result["invalid_because"]]
    prefix = f"{result['board']} {EMULATED}: " if result["emulated"] else ""
    room = max(_NOTE_WIDTH_MIN, width - len(prefix))
    wrapper = textwrap.TextWrapper(room, subsequent_indent="  ", break_on_hyphens=False)
    return [prefix + line for note in notes for line in wrapper.wrap(note)]


def _meanings(models: Sequence[Model]) -> Iterator[str]:
    """What the figures mean that any model has."""
    counts = "; ".join(f"{split} n {count}" for split, count in splits_of(models).items())
    told = f"; {counts}" if counts else ""
    yield f"{quality(models)}: from the provenance, measured by the export with these files on its host{told}"
    yield f"RAM: resident memory of a process of its own{_included(models)}; MB = 10^6 bytes"
    if _has("fits_ram", models):
        yield (
            "RAM limit: a process held to it, all included. Its peak may lie above the limit: it counts"
            " the pages of libraries that the kernel charges to other processes, which read them first"
        )
    if _has("parity_error", models):
        yield "parity: error to the reference interpreter on the golden vectors (tolerance)"
    latency, task = _first("latency_p50_ms", models), task_of(models)
    if latency:
        yield f"{worded('latency', task)}: {_inputs(latency)}; interval: 95 %, by bootstrap"
    counted = _first("instructions", models)
    if counted:
        yield f"{worded('instructions', task)}: {_inputs(counted)}, {_caller(models)}, all threads"
    if _has("realtime_n", models):
        yield (
            "paced step: one frame per period of real time, without its features; due before the next frame."
            " It is slower than a step without a pause: caches are cold and the core wakes up for each frame"
        )
        yield (
            "real-time factor: time of the steps by time of their frames; above 1 the board falls behind."
            " CPU: of one core"
        )
    sustained = _first("sustained_n", models)
    if sustained:
        part_s = compared_s(sustained["sustained_s"])
        yield (
            f"sustained: p50 of the first {part_s:.3g} s -> of the last {part_s:.3g} s, of"
            f" {sustained['sustained_s']:.3g} s without a pause; the JSON has temperature and clock by time"
        )
    if _has("power_w", models):
        yield "power: of the board's own rails, as its PMIC reads them, not of its supply"
    if has_steps(models) and task == "lm":
        yield (
            f"token: one step of the step form, its state kept from token to token, {_caller(models)};"
            " drawing the next one from its logits comes on top. tokens/s: by the p50"
        )
        cache = ", a Transformer's keys and values" if any(model["window"] for model in models) else ""
        yield f"state, RAM: what a step carries to the next one{cache}, float32"
    elif has_steps(models):
        yield f"step: one frame of that input, its state kept from frame to frame, {_caller(models)}"
    yield from _of_profiles(models)


def _included(models: Sequence[Model]) -> str:
    """What of a process counts as RAM of a model."""
    if all(map(is_native, models)):
        return ""
    without = "; the native runner has neither" if any(map(is_native, models)) else ""
    return f", Python and numpy included{without}"


def _caller(models: Sequence[Model]) -> str:
    """Which program gives a model its input and takes its answer."""
    natively = [is_native(model) for model in models]
    if all(natively):
        return "from C"
    return "from Python, or from C by the native runner" if any(natively) else "from Python"


def _of_profiles(models: Sequence[Model]) -> Iterator[str]:
    profiled = [model for model in models if model["profile"] is not None]
    for model in profiled:
        told_us = sum(row["us"] or 0.0 for row in model["profile"] if row["op"] != REST)
        plain_us = 1000 * (model["latency_p50_ms"] or 0.0)
        if plain_us and told_us > _SLOWED * plain_us:
            yield (
                f"operators of {name(model)}: a profiled inference takes {told_us / plain_us:.1f} times"
                " the plain one; use the shares only"
            )
    if any(row["us"] is None for model in profiled for row in model["profile"]):
        yield "operators: - is too short for the runtime's profiler, which counts in whole us"


def _has(key: str, models: Sequence[Model]) -> bool:
    return _first(key, models) is not None


def _first(key: str, models: Sequence[Model]) -> Model | None:
    return next((model for model in models if model[key] is not None), None)


def _inputs(model: Model) -> str:
    if model["task"] == "lm":
        return f"one run of the sequence form over {model['frames']} tokens, a golden input"
    if model["task"] == "forecast":
        return f"one forecast of {model['horizon']} moments from {model['context']}, a golden input"
    return f"one inference of {model['frames']} frames, the golden input of median length"


def _gaps(result: Mapping[str, Any]) -> list[str]:
    """Why figures of the tables are missing, one line per reason; of a failure, INVALID tells it."""
    models: list[Model] = result["models"]
    figures = [(label, key) for label, key, _show in shown_figures(models)]
    if is_asked("profile", models):
        figures.append(("operators", "profile"))
    by_reason: dict[str, dict[str, list[str]]] = {}
    for label, key in figures:
        for model in models:
            if model["not_measured"].get(key, NOT_ASKED) != NOT_ASKED and not is_no_gap(key, model):
                labels = by_reason.setdefault(model["not_measured"][key], {})
                labels.setdefault(label, []).append(name(model))
    lines = []
    for reason, names_by_label in by_reason.items():
        names = list(dict.fromkeys(each for names in names_by_label.values() for each in names))
        where = "" if len(names) == len(models) else f" ({'; '.join(names)})"
        is_told = any(reason in each for each in result["invalid_because"])
        why = "INVALID below says why" if is_told else reason
        lines.append(f"{NOT_MEASURED}{where}: {'; '.join(names_by_label)}: {why}")
    return lines
