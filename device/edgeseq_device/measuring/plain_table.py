"""A result as plain text, for people at the board: one line a figure, one column a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeseq_device.measuring.assemble import name
from edgeseq_device.measuring.keys import KEYS, MODEL, NOT_ASKED, Key, is_of_step
from edgeseq_device.measuring.words import worded

NOT_MEASURED = "not measured"

Model = Mapping[str, Any]
Row = tuple[str, ...]
_SUFFIXES = {"ms": "_ms", "s": "_s", "bytes": "_bytes", "W": "_w", "mJ": "_mj", "%": "_percent"}
"""How the name of a key ends, by the first word of its unit."""

DESCRIBED = ("states_bytes", "window", "context", "horizon")
"""What is told of a model that does not classify, each on a row of its own where it has it."""
LABELS = {
    "host_error": "error to this host",
    "latency_n": "latency samples",
    "latency_spread_percent": "spread of launches",
    "step_latency_p50_ms": "step p50",
    "step_latency_p99_ms": "step p99",
    "start_ms": "process start",
    "numpy_ms": "numpy, input",
    "step_load_ms": "load, step form",
    "first_answer_ms": "all to first answer",
    "ram_start_bytes": "RAM, start",
    "ram_numpy_bytes": "RAM, + numpy, input",
    "ram_runtime_bytes": "RAM, + runtime",
    "ram_loaded_bytes": "RAM, + model",
    "ram_first_bytes": "RAM, 1st inference",
    "ram_steady_bytes": "RAM, steady",
    "ram_peak_bytes": "RAM, peak",
    "ram_pss_bytes": "RAM, proportional",
    "energy_mj": "energy per inference",
}
"""As in the host's table, where the name of the key would say something else."""


def table_lines(result: Mapping[str, Any]) -> list[str]:
    """The figures of a result; on an emulated processor every line says so."""
    rows = [("", *(name(model) for model in result["models"])), *_rows(result["models"])]
    return _aligned(rows, "emulated" if result["emulated"] else "")


def note_lines(result: Mapping[str, Any], left_out: Sequence[str] = ()) -> list[str]:
    """Why figures are missing, and whatever casts doubt on the others; `left_out` goes with them."""
    device = result["device"]
    machine = device["board_model"] or device["cpu_model"] or device["machine"]
    notes = [f"device: {machine}, {device['os'] or 'unknown system'}, Python {device['python']}"]
    notes += [*left_out, *_gaps(result["models"])]
    for model in result["models"]:
        notes += [f"warning: {name(model)}: {text}" for text in model["warnings"]]
    notes += [f"warning: {text}" for text in result["warnings"]]
    notes += [f"INVALID: {text}" for text in result["invalid_because"]]
    if result["emulated"]:
        notes.insert(1, f"{result['emulated_because']}; there is no latency of an emulated processor")
    return [f"emulated: {note}" if result["emulated"] else note for note in notes]


def _rows(models: Sequence[Model]) -> list[Row]:
    rows: list[Row] = [
        ("runtime", *(model["runtime"] or NOT_MEASURED for model in models)),
        ("model", *(_shown(model["model_bytes"], KEYS[f"{MODEL}model_bytes"]) for model in models)),
    ]
    rows += [
        (each.replace("_bytes", ""), *(_shown(model[each], KEYS[f"{MODEL}{each}"]) for model in models))
        for each in DESCRIBED
        if any(model.get(each) for model in models) and models[0]["task"] != "classify"
    ]
    for kind, keys in _kinds(models).items():
        if _is_empty(keys, models):
            rows.append((_kind_label(kind, models), *([NOT_MEASURED] * len(models))))
        else:
            shown = (
                (_label(each, key, models), *(_shown(model[each], key) for model in models))
                for each, key in keys
            )
            rows += shown
    return rows


def _kind_label(kind: str, models: Sequence[Model]) -> str:
    return worded(kind.replace("_", " "), models[0]["task"])


def _kinds(models: Sequence[Model]) -> dict[str, list[tuple[str, Key]]]:
    """The kinds of measurement that were asked for, of a form that some model has, with their figures."""
    kinds: dict[str, list[tuple[str, Key]]] = {}
    for full_name, key in KEYS.items():
        each = full_name[len(MODEL) :]
        other = key.added_by != "agent" or models[0]["task"] not in key.tasks
        if not key.measured or other or list in key.types:
            continue
        asked = any(model["not_measured"].get(each) != NOT_ASKED for model in models)
        if asked and (not is_of_step(key.kind) or any(model["step_file"] for model in models)):
            kinds.setdefault(key.kind, []).append((each, key))
    return kinds


def _is_empty(keys: Sequence[tuple[str, Key]], models: Sequence[Model]) -> bool:
    return all(model[each] is None for each, _key in keys for model in models)


def _label(each: str, key: Key, models: Sequence[Model]) -> str:
    """Such as "latency p50" for latency_p50_ms: the unit stands behind the figure."""
    suffix = _SUFFIXES.get(key.unit.partition(" ")[0], "")
    bare = each[: -len(suffix)] if suffix and each.endswith(suffix) else each
    return worded(LABELS.get(each, bare.replace("_", " ")), models[0]["task"])


def _shown(value: Any, key: Key) -> str:
    unit = key.unit.partition(" ")[0]
    if value is None:
        return NOT_MEASURED
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, str):
        return value
    if unit == "bytes":
        return f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:.1f} KB"
    if unit in _SUFFIXES:
        return f"{value:.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
    return f"{value:.0f}" if isinstance(value, int) or value >= 100 else f"{value:.2g}"


def _gaps(models: Sequence[Model]) -> list[str]:
    """Why figures of the table are missing, one line per reason."""
    by_reason: dict[str, dict[str, list[str]]] = {}
    for kind, keys in _kinds(models).items():
        empty = _is_empty(keys, models)
        for each, key in keys:
            label = _kind_label(kind, models) if empty else _label(each, key, models)
            for model in models:
                if model[each] is None:
                    names = by_reason.setdefault(model["not_measured"][each], {}).setdefault(label, [])
                    names.extend([name(model)] if name(model) not in names else [])
    lines = []
    for reason, labels in by_reason.items():
        told = (
            f"{label} ({', '.join(of)})" if len(of) < len(models) else label for label, of in labels.items()
        )
        lines.append(f"{NOT_MEASURED}: {'; '.join(told)}: {reason}")
    return lines


def _aligned(rows: Sequence[Row], mark: str) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return [f"{line}  {mark}".rstrip() for line in lines]
