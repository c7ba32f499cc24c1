"""What a result is failed for: an interruption, answers out of parity, an unfit board, too little RAM."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from edgeseq_device.errors import BudgetError, DeviceError, EdgeseqError, GateError
from edgeseq_device.measuring.keys import INTERRUPTED, NOT_ASKED, STEP

FIGURES = ("error", "tolerance", "n", "decisions_changed", "ok")
"""Of the parity of one form of a model; forecasts decide nothing, and have no such figure."""


class InterruptedBenchError(EdgeseqError):
    """Ctrl-C or SIGTERM ended a benchmark before it was through (exit code 130, as shells tell it)."""

    exit_code = 128 + signal.SIGINT


def judge(result: Mapping[str, Any], board: str | None = None) -> EdgeseqError | None:
    """What a result is failed for: interrupted, then out of parity, then an unfit device, then a model that
    does not fit into the RAM it was given, or of which that could not be told; None if all is well.

    board: its name, to begin the message with.
    """
    told = " ".join(filter(None, (board, "emulated" if result["emulated"] else None)))
    where = f"{told}: " if told else ""
    if INTERRUPTED in result["invalid_because"]:
        return InterruptedBenchError(f"{where}{INTERRUPTED}")
    for model in result["models"]:
        file, step_file = (f"{model[name]}{_by(model)}" for name in ("file", "step_file"))
        for prefix, form in (("", file), (STEP, f"{step_file}, step form,")):
            figures = parity_figures(model, prefix)
            if figures["ok"] is False:
                return GateError(f"{where}{out_of_parity(form, figures)}; do not use it on this device")
    if result["invalid_because"]:
        return DeviceError(f"{where}not a valid result: {'; '.join(result['invalid_because'])}")
    return _does_not_fit(result["models"], where) or _fit_unknown(result, where)


def _does_not_fit(models: Sequence[Mapping[str, Any]], where: str) -> BudgetError | None:
    for model in models:
        if model["fits_ram"] is False:
            limit = f"{model['ram_limit_bytes'] / 1e6:.4g} MB of RAM"
            advice = "take a smaller model or another format, or allow more with --max-ram"
            both = len({each["runner"] for each in models}) > 1
            whose = _by(model) or (" by Python" if both else "")
            return BudgetError(f"{where}{model['file']}{whose} does not fit into {limit}; {advice}")
    return None


def _fit_unknown(result: Mapping[str, Any], where: str) -> DeviceError | None:
    """A script that asked must not take silence for "fits". Only the first number of threads is asked."""
    for model in result["models"]:
        reason = model["not_measured"].get("fits_ram", NOT_ASKED)
        if reason != NOT_ASKED and model["threads"] == result["threads"][0]:
            what = f"whether {model['file']}{_by(model)} fits into the RAM of --max-ram"
            return DeviceError(f"{where}{what} could not be measured: {reason}")
    return None


def _by(model: Mapping[str, Any]) -> str:
    return " by the native runner" if model["runner"] == "native" else ""


def parity_figures(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The figures of one form's parity, by their names in FIGURES, out of a model's or a worker's values."""
    return {name: values.get(f"{prefix}parity_{name}") for name in FIGURES}


def out_of_parity(form: str, figures: Mapping[str, Any]) -> str:
    """Says by how much the answers of `form` are off."""
    error = "NaN or infinite" if figures["error"] is None else f"{figures['error']:.1e}"
    return f"{form} is out of parity: error {error} of {figures['tolerance']:.1e}{_decisions(figures)}"


def _decisions(figures: Mapping[str, Any]) -> str:
    if figures["decisions_changed"] is None:  # of a forecast
        return f" over {figures['n']} forecasts"
    return f", decisions changed: {figures['decisions_changed']} of {figures['n']}"
