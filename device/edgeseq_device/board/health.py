"""Whether a board answers as it should: all golden vectors, in a fresh process for each form of a model."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeseq_device.artifact import Artifact
from edgeseq_device.errors import DeviceError, GateError
from edgeseq_device.manifest import RUNTIMES, ModelFile
from edgeseq_device.measuring.agent import files_of
from edgeseq_device.measuring.verdict import out_of_parity, parity_figures
from edgeseq_device.measuring.workers import run_worker

NOT_REACHED, NO_RUNTIME = "not reached", "no runtime"
"""How the reason begins why a form was not checked, where it is one of these."""
FORMS = ("parity", "step_parity")
"""The kinds of measurement that hold a form of a model against its reference."""


@dataclass
class Health:
    """What a health check found.

    formats: for each format {"format", "runtime", "parity", "step_parity", "not_checked"}, where a form's
    figures are {"error", "tolerance", "n", "decisions_changed", "ok"}, or None with a reason in not_checked.
    fault: why the board must not use the artifact, None where it may; exit_code: of that fault.
    """

    formats: list[dict[str, Any]] = field(default_factory=list)
    fault: str | None = None
    exit_code: int = 0


def check_health(
    artifact: Artifact,
    command: Sequence[str] | None,
    timeout_s: float,
    tell: Callable[[str], None],
) -> Health:
    """Let every form of every model that the board has a runtime for answer all golden vectors.

    command: the argv prefix of a fresh Python, None for this one. timeout_s: for one form. `tell` hears what
    is checked next. The first fault ends it: a crash, a hang, an answer out of parity, no runtime at all.
    """
    found = Health()
    for model in artifact.models:
        entry: dict[str, Any] = {"format": model.format, "runtime": None, "not_checked": {}}
        entry.update(dict.fromkeys(FORMS))
        found.formats.append(entry)
        reason = _no_runtime(model.format)
        for form in FORMS:
            if found.fault:
                reason = f"{NOT_REACHED}: another form failed"
            elif form == "step_parity" and model.step is None:
                reason = reason or f"no step form: {model.step_reason}"
            if reason:
                entry["not_checked"][form] = reason
                continue
            tell(f"golden vectors, {model.format}{' step' if form == 'step_parity' else ''}")
            job = _job(artifact, model, form)
            _take(found, entry, form, run_worker(command or (sys.executable,), job, timeout_s=timeout_s))
    if not found.fault and not any(entry["parity"] for entry in found.formats):
        wanted = " or ".join(RUNTIMES[model.format][0].replace("_", "-") for model in artifact.models)
        found.fault = (
            f"this board has no runtime for {artifact.name}; install {wanted} with `edgeseq device setup`"
        )
        found.exit_code = DeviceError.exit_code
    return found


def _no_runtime(model_format: str) -> str | None:
    packages = RUNTIMES[model_format]
    if any(importlib.util.find_spec(each) for each in packages):
        return None
    return f"{NO_RUNTIME}: {' or '.join(each.replace('_', '-') for each in packages)} is not installed"


def _job(artifact: Artifact, model: ModelFile, form: str) -> dict[str, Any]:
    return {
        "kind": form,
        "task": artifact.task,
        "format": model.format,
        "threads": 1,
        "golden": str(artifact.golden_path),
        "golden_shape": [artifact.golden_count, artifact.features_count, artifact.outputs_count],
        "dtype": artifact.features_dtype,
        "artifact": str(artifact.path),
        **files_of(model),
    }


def _take(found: Health, entry: dict[str, Any], form: str, outcome: dict[str, Any]) -> None:
    """Add one worker's outcome to what was found."""
    what = f"{entry['format']}{', step form' if form == 'step_parity' else ''}"
    if "error" in outcome:
        entry["not_checked"][form] = str(outcome["error"])
        found.fault = f"{what}: {outcome['error']}"
        found.exit_code = int(outcome.get("exit_code", DeviceError.exit_code))
        return
    figures = parity_figures(outcome["values"])
    entry[form], entry["runtime"] = figures, outcome["runtime"]
    if not figures["ok"]:
        found.fault = out_of_parity(what, figures)
        found.exit_code = GateError.exit_code
