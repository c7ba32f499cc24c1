"""How often the model is right on this board, from recordings as they were read.

The board runs the front end too: its features may differ from those of the machine that trained the model.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeseq_device.artifact import sha256_of
from edgeseq_device.errors import DataError, EdgeseqError
from edgeseq_device.manifest import MANIFEST_FILE
from edgeseq_device.measuring.job import load_model, runtime_of


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """The share of the job's recordings that the model classifies rightly.

    Raises DataError where the recordings are missing, damaged, or not of the model's kind or classes,
    EdgeseqError where an answer is NaN or infinite.
    """
    import numpy as np

    from edgeseq_device.frontend import front_end_from_dict
    from edgeseq_device.measuring.readings import Readings

    path = _verified(job)
    manifest = json.loads((Path(job["artifact"]) / MANIFEST_FILE).read_text("utf-8"))
    front_end = front_end_from_dict(manifest["features"]["front_end"], Path(job["artifact"]))
    readings, numbers = Readings(path), {label: at for at, label in enumerate(manifest["labels"])}
    if readings.kind != front_end.takes:
        raise DataError(f"{path}: it holds {readings.kind}, the model takes {front_end.takes}")
    model, right = load_model(job), 0
    for name, label, raw in readings:
        if label not in numbers:
            raise DataError(f'{path}: {name}: the label "{label}" is unknown to the model')
        try:
            logits = model.run(front_end.features(raw, readings.sample_rate_hz))
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        if not np.isfinite(logits).all():
            raise EdgeseqError(f"{name}: the model answers NaN or infinity")
        right += int(logits.argmax()) == numbers[label]
    values = {
        "device_accuracy": right / len(readings),
        "device_accuracy_n": len(readings),
        "device_accuracy_split": readings.split,
    }
    return {"values": values, "not_measured": {}, **runtime_of(model)}


def _verified(job: dict[str, Any]) -> Path:
    """The file of recordings, whole."""
    if job.get("readings") is None:
        raise DataError("no recordings were sent to take the accuracy on; name them with --data")
    path = Path(job["readings"])
    if not path.is_file():
        raise DataError(f"{path}: not on this board; run the command that sent it again")
    if job.get("readings_sha256") not in (None, sha256_of(path)):
        raise DataError(f"{path}: its content changed on the way to this board; run the command again")
    return path
