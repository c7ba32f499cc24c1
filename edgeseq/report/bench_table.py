"""A benchmark result as a table: one column per format, one row per figure, a reason for each gap."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from edgeseq_device.protocol import is_of_step

NOTE_WIDTH = 100
NOT_MEASURED = "not measured"

Model = Mapping[str, Any]
Row = tuple[str, ...]


def bench_title(result: Mapping[str, Any]) -> str:
    """What was measured on what."""
    threads = f"{result['threads']} thread" + ("" if result["threads"] == 1 else "s")
    emulated = " emulated" if result["emulated"] else ""
    return f"{result['artifact']['name']} on {result['board']}{emulated}, {threads}"


def bench_columns(result: Mapping[str, Any]) -> Row:
    """The heads: the figure, each format, and the device where it is emulated."""
    heads = ("", *(model["format"] for model in result["models"]))
    return (*heads, "device") if result["emulated"] else heads


def bench_rows(result: Mapping[str, Any]) -> list[Row]:
    """The rows under `bench_columns`. On an emulated device every row says so."""
    models: list[Model] = result["models"]
    splits = sorted({split for model in models for split in model["accuracy"]})
    rows = [_row("runtime", models, lambda model: model["runtime"] or NOT_MEASURED)]
    rows.append(_row("model file", models, lambda model: size(model["model_bytes"])))
    if any(model["step_file"] not in (None, model["file"]) for model in models):
        rows.append(_row("step file", models, _step_file))
    rows += [_accuracy_row(split, models) for split in splits]
    rows += [_row(label, models, _cell(key, show)) for label, key, show in _shown(models)]
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
    if _has_steps(result["models"]):
        notes.append("step: one frame of that input, its state kept from frame to frame, from Python")
    notes += _gaps(result)
    for model in result["models"]:
        notes += [f"warning: {model['format']}: {text}" for text in model["warnings"]]
    notes += [f"warning: {text}" for text in result["warnings"]]
    notes += [f"INVALID: {text}" for text in result["invalid_because"]]
    prefix = f"{result['board']} emulated: " if result["emulated"] else ""
    return [prefix + line for note in notes for line in textwrap.wrap(note, NOTE_WIDTH - len(prefix))]


def size(count: int) -> str:
    """Bytes for people, such as `31.2 KB` (10^3) or `4.10 MB` (10^6)."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} KB"


def milliseconds(value: float) -> str:
    """Three significant digits, such as `0.412` or `1230`."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


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


def _cell(key: str, show: Callable[[Model], str]) -> Callable[[Model], str]:
    return lambda model: NOT_MEASURED if model[key] is None else show(model)


def _ram(key: str) -> Callable[[Model], str]:
    return lambda model: f"{model[key] / 1e6:.1f} MB"


def _ms(key: str) -> Callable[[Model], str]:
    return lambda model: f"{milliseconds(model[key])} ms"


def _step_file(model: Model) -> str:
    if model["step_file"] is None:
        return "none"
    return "in the same file" if model["step_file"] == model["file"] else size(model["step_bytes"])


def _parity(kind: str = "parity") -> Callable[[Model], str]:
    def show(model: Model) -> str:
        state = "ok" if model[f"{kind}_ok"] else "FAILED"
        return f"{state}, {model[f'{kind}_error']:.1e} ({model[f'{kind}_tolerance']:.0e})"

    return show


def _decisions(model: Model) -> str:
    return f"{model['parity_n'] - model['parity_decisions_changed']} of {model['parity_n']}"


def _p50(kind: str = "latency") -> Callable[[Model], str]:
    def show(model: Model) -> str:
        low, high = milliseconds(model[f"{kind}_p50_low_ms"]), milliseconds(model[f"{kind}_p50_high_ms"])
        return f"{milliseconds(model[f'{kind}_p50_ms'])} ms [{low}, {high}]"

    return show


def _samples(model: Model) -> str:
    return f"{model['latency_n']} in {model['latency_launches']} launches"


def _launch_spread(model: Model) -> str:
    return f"{model['latency_spread_percent']:.1f} %"


def _instructions(kind: str = "instructions") -> Callable[[Model], str]:
    return lambda model: f"{model[kind] / 1e3:,.0f} k"


def _instructions_spread(model: Model) -> str:
    return f"{model['instructions_spread_percent']:.2f} % (n {model['instructions_n']})"


_FIGURES: tuple[tuple[str, str, Callable[[Model], str]], ...] = (
    ("parity", "parity_error", _parity()),
    ("step parity", "step_parity_error", _parity("step_parity")),
    ("same decision", "parity_decisions_changed", _decisions),
    ("error to this host", "host_error", lambda model: f"{model['host_error']:.1e}"),
    ("latency p50", "latency_p50_ms", _p50()),
    ("latency p90", "latency_p90_ms", _ms("latency_p90_ms")),
    ("latency p99", "latency_p99_ms", _ms("latency_p99_ms")),
    ("latency samples", "latency_n", _samples),
    (
        "spread of launches",
        "latency_spread_percent",
        _launch_spread,
    ),
    ("step p50", "step_latency_p50_ms", _p50("step_latency")),
    ("step p99", "step_latency_p99_ms", _ms("step_latency_p99_ms")),
    ("process start", "start_ms", _ms("start_ms")),
    ("numpy, input", "numpy_ms", _ms("numpy_ms")),
    ("import", "import_ms", _ms("import_ms")),
    ("load", "load_ms", _ms("load_ms")),
    ("load, step form", "step_load_ms", _ms("step_load_ms")),
    ("first inference", "first_inference_ms", _ms("first_inference_ms")),
    ("all to first answer", "first_answer_ms", _ms("first_answer_ms")),
    ("instructions", "instructions", _instructions()),
    ("step instructions", "step_instructions", _instructions("step_instructions")),
    ("instructions' spread", "instructions_spread_percent", _instructions_spread),
    ("RAM, Python", "ram_start_bytes", _ram("ram_start_bytes")),
    ("RAM, + numpy, input", "ram_numpy_bytes", _ram("ram_numpy_bytes")),
    ("RAM, + runtime", "ram_runtime_bytes", _ram("ram_runtime_bytes")),
    ("RAM, + model", "ram_loaded_bytes", _ram("ram_loaded_bytes")),
    ("RAM, first inference", "ram_first_bytes", _ram("ram_first_bytes")),
    ("RAM, steady", "ram_steady_bytes", _ram("ram_steady_bytes")),
    ("RAM, peak", "ram_peak_bytes", _ram("ram_peak_bytes")),
    ("RAM, proportional", "ram_pss_bytes", _ram("ram_pss_bytes")),
)
_DETAILS = {
    "host_error",
    "latency_n",
    "latency_spread_percent",
    "start_ms",
    "numpy_ms",
    "import_ms",
    "first_answer_ms",
    "instructions_spread_percent",
    "step_load_ms",
}
"""Figures without a row of their own where no format has them."""


def _has_steps(models: list[Model]) -> bool:
    return any(model["step_file"] is not None for model in models)


def _shown(models: list[Model]) -> list[tuple[str, str, Callable[[Model], str]]]:
    figures = [each for each in _FIGURES if _has_steps(models) or not is_of_step(each[1])]
    return [
        figure
        for figure in figures
        if figure[1] not in _DETAILS or any(model[figure[1]] is not None for model in models)
    ]


def _inputs(model: Model) -> str:
    return f"one inference of {model['frames']} frames, the golden input of median length"


def _gaps(result: Mapping[str, Any]) -> list[str]:
    """Why figures of the table are missing, one line per reason."""
    models: list[Model] = result["models"]
    by_reason: dict[str, dict[str, list[str]]] = {}
    for label, key, _show in _shown(models):
        for model in models:
            if key in model["not_measured"]:
                formats = by_reason.setdefault(model["not_measured"][key], {})
                formats.setdefault(label, []).append(model["format"])
    lines = []
    for reason, formats_by_label in by_reason.items():
        formats_here = list(dict.fromkeys(name for each in formats_by_label.values() for name in each))
        where = "" if len(formats_here) == len(models) else f" ({', '.join(formats_here)})"
        lines.append(f"{NOT_MEASURED}{where}: {', '.join(formats_by_label)}: {reason}")
    return lines
