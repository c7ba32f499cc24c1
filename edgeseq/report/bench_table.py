"""A benchmark result as a table: one column per format, one row per figure, a reason for each gap."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from edgeseq.report.bench_figures import DETAILS, FIGURES, NOT_MEASURED, Model, cell, size, step_file
from edgeseq_device.measuring.assemble import name
from edgeseq_device.measuring.keys import KEYS, MODEL, needs_step

NOTE_WIDTH = 100
NOT_ASKED = "not asked for"

Row = tuple[str, ...]


def bench_title(result: Mapping[str, Any]) -> str:
    """What was measured on what."""
    counts = result["threads"]
    threads = ", ".join(map(str, counts)) + (" thread" if counts == [1] else " threads")
    emulated = " emulated" if result["emulated"] else ""
    return f"{result['artifact']['name']} on {result['board']}{emulated}, {threads}"


def bench_columns(result: Mapping[str, Any]) -> Row:
    """The heads: the figure, each format (with its threads), and the device where it is emulated."""
    heads = ("", *(name(model) for model in result["models"]))
    return (*heads, "device") if result["emulated"] else heads


def bench_rows(result: Mapping[str, Any]) -> list[Row]:
    """The rows under `bench_columns`. On an emulated device every row says so."""
    models: list[Model] = result["models"]
    splits = sorted({split for model in models for split in model["accuracy"]})
    rows = [_row("runtime", models, lambda model: model["runtime"] or NOT_MEASURED)]
    rows.append(_row("model file", models, lambda model: size(model["model_bytes"])))
    if any(model["step_file"] not in (None, model["file"]) for model in models):
        rows.append(_row("step file", models, step_file))
    rows += [_accuracy_row(split, models) for split in splits]
    rows += [_row(label, models, cell(key, show)) for label, key, show in _shown(models)]
    where = (f"{result['board']} emulated",) if result["emulated"] else ()
    return [(*row, *where) for row in rows]


def bench_notes(result: Mapping[str, Any]) -> list[str]:
    """Lines: what the figures mean, why some are missing, and whatever casts doubt on them."""
    notes = [
        f"device: {result['board_description']}",
        "accuracy: from the provenance, measured by the export with these files on its host",
        "RAM: resident memory of a process of its own, Python and numpy included; MB = 10^6 bytes",
    ]
    if any(model["parity_error"] is not None for model in result["models"]):
        notes.append("parity: error to the reference interpreter on the golden vectors (tolerance)")
    latency = next((model for model in result["models"] if model["latency_p50_ms"] is not None), None)
    if latency:
        notes.append(f"latency: {_inputs(latency)}; [95 % bootstrap interval of p50]")
    counted = next((model for model in result["models"] if model["instructions"] is not None), None)
    if counted:
        notes.append(f"instructions: {_inputs(counted)}, from Python, all threads")
    if any(model["realtime_n"] is not None for model in result["models"]):
        notes.append(
            "paced step: one frame per period of real time, without its features; due before the next frame"
        )
    if any(model["sustained_n"] is not None for model in result["models"]):
        notes.append(
            "sustained: the first minute against the last, a fifth of the time where that is shorter"
        )
    if any(model["power_w"] is not None for model in result["models"]):
        notes.append("power: of the board's own rails, as its PMIC reads them, not of its supply")
    if _has_steps(result["models"]):
        notes.append("step: one frame of that input, its state kept from frame to frame, from Python")
    notes += _gaps(result)
    for model in result["models"]:
        notes += [f"warning: {name(model)}: {text}" for text in model["warnings"]]
    notes += [f"warning: {text}" for text in result["warnings"]]
    notes += [f"INVALID: {text}" for text in result["invalid_because"]]
    prefix = f"{result['board']} emulated: " if result["emulated"] else ""
    return [prefix + line for note in notes for line in textwrap.wrap(note, NOTE_WIDTH - len(prefix))]


def _row(label: str, models: list[Model], show: Callable[[Model], str]) -> Row:
    return (label, *(show(model) for model in models))


def _accuracy_row(split: str, models: list[Model]) -> Row:
    counts = {model["accuracy"][split]["n"] for model in models if split in model["accuracy"]}
    label = f"accuracy {split}, n {max(counts)}"

    def show(model: Model) -> str:
        entry = model["accuracy"].get(split)
        if entry is None:
            return NOT_MEASURED
        fp32 = "" if entry["fp32"] is None else f" (fp32 {100 * entry['fp32']:.2f})"
        return f"{100 * entry['exported']:.2f} %{fp32}"

    return _row(label, models, show)


def _has_steps(models: list[Model]) -> bool:
    return any(model["step_file"] is not None for model in models)


def _shown(models: list[Model]) -> list[tuple[str, str, Callable[[Model], str]]]:
    return [figure for figure in FIGURES if _has_row(figure[1], models)]


def _has_row(key: str, models: list[Model]) -> bool:
    """Whether a figure was asked for, and is more than a detail or one of steps that no model has."""
    if any(model[key] is not None for model in models):
        return True
    if all(model["not_measured"].get(key) == NOT_ASKED for model in models):
        return False
    return key not in DETAILS and (_has_steps(models) or not needs_step(KEYS[f"{MODEL}{key}"].kind))


def _inputs(model: Model) -> str:
    return f"one inference of {model['frames']} frames, the golden input of median length"


def _gaps(result: Mapping[str, Any]) -> list[str]:
    """Why figures of the table are missing, one line per reason."""
    models: list[Model] = result["models"]
    by_reason: dict[str, dict[str, list[str]]] = {}
    for label, key, _show in _shown(models):
        for model in models:
            if key in model["not_measured"] and model["not_measured"][key] != NOT_ASKED:
                formats = by_reason.setdefault(model["not_measured"][key], {})
                formats.setdefault(label, []).append(name(model))
    lines = []
    for reason, formats_by_label in by_reason.items():
        formats_here = list(dict.fromkeys(each for names in formats_by_label.values() for each in names))
        where = "" if len(formats_here) == len(models) else f" ({', '.join(formats_here)})"
        lines.append(f"{NOT_MEASURED}{where}: {', '.join(formats_by_label)}: {reason}")
    return lines


_PROFILE_FORMS = {"calls": "g", "us": ".1f", "percent": ".1f"}


def _or_dash(value: float | None, form: str) -> str:
    """A dash for an operator that is too short to time."""
    return "-" if value is None else format(value, form)


def profile_tables(result: Mapping[str, Any]) -> list[tuple[str, Row, list[Row]]]:
    """(title, heads, rows) of each model's operators by time; none where no profile was asked for."""
    return [
        (
            f"operators of {name(model)} on {result['board']}, mean of {model['profile_n']} inferences",
            ("operator", "calls", "us", "%"),
            [
                (each["op"], *(_or_dash(each[key], form) for key, form in _PROFILE_FORMS.items()))
                for each in model["profile"]
            ],
        )
        for model in result["models"]
        if model["profile"] is not None
    ]
