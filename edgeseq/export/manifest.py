"""What is written beside the model files: manifest.json for a board, provenance.json for whoever asks later.

A manifest holds what an application needs and nothing else, because it counts towards a size budget.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import numpy as np

from edgeseq.export.options import ExportOptions
from edgeseq.export.report import ExportReport
from edgeseq.runs import Run
from edgeseq_device import __version__
from edgeseq_device.frontend import FrontEnd
from edgeseq_export import ExportedModel, SeqSpec, bundle
from edgeseq_export.budget import weight_bytes
from edgeseq_export.state import why_no_step

NO_STEP = "left out; edgeseq export --step writes it"
_LIBRARIES = ("torch", "numpy", "onnx", "onnxruntime", "ai-edge-litert", "flatbuffers")


@dataclass(frozen=True)
class Judged:
    """What the gates leave in a model's entry. tolerance: of its parity; step_tolerance: of its step form's.

    rejection_threshold: answers whose largest probability is below it are of no class; None without one.
    """

    tolerance: float
    step_tolerance: float | None = None
    rejection_threshold: float | None = None


def manifest(
    name: str,
    options: ExportOptions,
    spec: SeqSpec,
    front_end: FrontEnd,
    fastest: Mapping[str, str | None],
    golden_count: int,
    tolerance: float,
    interval_s: float | None = None,
) -> dict[str, Any]:
    """manifest.json, but for its models. tolerance: the widest parity of its files; interval_s: of a
    forecaster, between two moments, where it is known.
    """
    return {
        "name": name,
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "edgeseq": __version__,
        "task": spec.task,
        "precision": options.precision,
        "target": options.target,
        "fastest": dict(fastest),
        "labels": list(spec.labels),
        **_reach(spec, interval_s),
        "features": {
            "count": front_end.features_count,
            "unit": front_end.unit,
            "front_end": _shortened(front_end.to_dict()),
        },
        "golden": {"file": bundle.GOLDEN_FILE, "count": golden_count},
        "parity": {"tolerance": tolerance},
    }


def _reach(spec: SeqSpec, interval_s: float | None) -> dict[str, Any]:
    """Of a forecaster: the moments that it reads and those that it says."""
    if spec.task != "forecast":
        return {}
    interval = {} if interval_s is None else {"interval_s": interval_s}
    return {"context": spec.frames, "horizon": spec.horizon, **interval}


def _shortened(front_end: dict[str, Any]) -> dict[str, Any]:
    """Mean and scale, which are float32, in as few digits as bring the same float32 back."""
    short = {
        name: [float(str(np.float32(each))) for each in front_end[name]]
        for name in ("mean", "scale")
        if front_end.get(name) is not None
    }
    return {**front_end, **short}


def model_entry(spec: SeqSpec, model: ExportedModel, judged: Judged, *, step: bool) -> dict[str, Any]:
    """A model's entry, with what a board judges its answers by. step: whether a step form was wanted."""
    entry = bundle.model_entry(model, weight_bytes(spec), why_no_step(spec) or (None if step else NO_STEP))
    entry["parity_tolerance"] = judged.tolerance
    if entry["step"]:
        entry["step"]["parity_tolerance"] = judged.step_tolerance
    if judged.rejection_threshold is not None:
        entry["rejection_threshold"] = judged.rejection_threshold
    return entry


def provenance(run: Run, options: ExportOptions, report: ExportReport) -> dict[str, Any]:
    """provenance.json: what was measured and how the artifact came about."""
    found = report.to_dict()
    measured = ("forms", "tuning", "sensitivity", "parity", "accuracy", "out_of_scope", "warnings")
    return {
        "keep_fp32": list(options.keep_fp32),
        **{name: found[name] for name in measured},
        "recipe": run.recipe.to_dict(),
        "data": {
            "reference": run.recipe.data,
            "channels": list(run.channels),
            "content_sha256": run.data_sha256,
            "splits_sha256": run.splits_sha256,
        },
        "versions": {
            "edgeseq": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    }
