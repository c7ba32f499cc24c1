"""What this host adds to an agent's result: provenance, its own answers to the golden vectors, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeseq import __version__
from edgeseq.artifacts import read_provenance
from edgeseq.bench.asking import run_once
from edgeseq.devices.links import Device, LocalLink
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.profiles import profile, profile_names
from edgeseq.devices.registry import configured_device
from edgeseq.gates import worse_than_linear_warning
from edgeseq_device.artifact import Artifact
from edgeseq_device.errors import EdgeseqError
from edgeseq_device.measuring.keys import INTERRUPTED
from edgeseq_device.measuring.measure import compare_logits
from edgeseq_device.measuring.request import Request
from edgeseq_device.system import describe_system
from edgeseq_export.targets import TARGETS, Target

_PROVENANCE = ("created_utc", "task", "precision", "target", "data", "versions")


def complete(result: dict[str, Any], artifact: Artifact, formats: tuple[str, ...], device: Device) -> None:
    """Complete the result of an agent that measured these formats of an artifact on a device."""
    logits: dict[str, Any] = {}
    reason = INTERRUPTED
    if INTERRUPTED not in result["invalid_because"]:
        try:
            logits, reason = _host_logits(artifact, formats, device)
        except KeyboardInterrupt:  # what the device has measured is kept
            result["valid"] = False
            result["invalid_because"].append(INTERRUPTED)
    provenance = read_provenance(artifact.path)
    accuracy = _accuracy(provenance)
    result["board"] = device.name
    result["board_description"] = device.description
    result["artifact"] = _about(artifact, provenance)
    result["host"] = {"edgeseq": __version__, **describe_system()}
    # Whoever measures may have seen neither the training nor the export, which say it too.
    worse = worse_than_linear_warning(accuracy, formats)
    result["warnings"] += [*_other_target(artifact, device), *([worse] if worse else [])]
    for model in result["models"]:
        form = model["format"]
        model["accuracy"] = {
            split: {"n": entry["n"], "fp32": entry.get("fp32"), "exported": entry[form]}
            for split, entry in accuracy.items()
            if form in entry
        }
        _add_host_error(model, logits.get(form), reason)


def _host_logits(artifact: Artifact, formats: tuple[str, ...], device: Device) -> tuple[dict[str, Any], str]:
    """This host's answers to the golden vectors, by format, and why one may be missing."""
    if isinstance(device, LocalDevice):
        return {}, "the device is this host"
    request = Request(str(artifact.path.resolve()), formats, ("parity",), runners=("python",))
    try:
        found = run_once(LocalLink(), request)
    except EdgeseqError as error:
        return {}, f"this host gave no answer: {error}"
    missing = "; ".join(found["invalid_because"]) or "this host gave no answer"
    return {each["format"]: each["logits"] for each in found["models"] if each["logits"]}, missing


def _accuracy(provenance: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What the export measured, by split: the metric by form, and n."""
    splits = provenance.get("accuracy")
    return {
        split: entry
        for split, entry in (splits.items() if isinstance(splits, dict) else ())
        if isinstance(entry, dict) and "n" in entry
    }


def _about(artifact: Artifact, provenance: Mapping[str, Any]) -> dict[str, Any]:
    known = {**artifact.manifest, **provenance}
    return {
        "name": artifact.name,
        "manifest_sha256": artifact.manifest_sha256,
        **{key: known.get(key) for key in _PROVENANCE},
        "labels": len(artifact.labels),
        "features": artifact.features_count,
    }


def _other_target(artifact: Artifact, device: Device) -> list[str]:
    """A warning where the forms were chosen for a board with another kind of core."""
    chosen, own = TARGETS.get(artifact.manifest.get("target", "")), _target(device)
    if chosen is None or own is None or chosen.name == "generic" or chosen.core == own.core:
        return []
    advice = f"export with --target {own.name} for those that are fastest there"
    return [f"{device.name}: the forms of {artifact.name} were chosen for {chosen.name}; {advice}"]


def _target(device: Device) -> Target | None:
    """What an artifact for a known board is exported for; None of this machine and of other ones."""
    if isinstance(device, LocalDevice):
        return None
    configured = configured_device(device.name)
    board = device.name if configured is None else configured.board
    return TARGETS[profile(board).target] if board in profile_names() else None


def _add_host_error(model: dict[str, Any], host_logits: list[list[float]] | None, reason: str) -> None:
    """How far the board's answers are from this host's, or why that is not known."""
    model["host_error"] = None
    if model["logits"] is None:
        reason = model["not_measured"]["logits"]
    elif host_logits is not None:
        parity = compare_logits(model["logits"], host_logits, model["parity_tolerance"])
        model["host_error"] = parity.error
        return
    model["not_measured"]["host_error"] = reason
