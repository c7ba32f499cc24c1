"""Measuring an artifact on a device: verify, prepare, run the agent, put the result together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeseq import __version__
from edgeseq.artifacts import read_provenance
from edgeseq.devices.agent_link import Device, Launch, OnEvent, run_agent
from edgeseq.devices.cache import Progress
from edgeseq.devices.local import LocalDevice
from edgeseq.names import unknown
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError, GateError, UsageError
from edgeseq_device.measure import compare_logits
from edgeseq_device.protocol import validate_result
from edgeseq_device.request import Limits, Request
from edgeseq_device.system import describe_system

EMULATED_TIMEOUT_S = 900.0
"""For one measurement on a virtual board; a real processor gets the default of `Limits`."""

_PROVENANCE = ("created_utc", "task", "precision", "target", "data", "versions")
QUICK = Limits(warmup_s=0.1, warmup_max_s=1.0, steady_runs=200, steady_s=0.2, steady_max_s=2.0, launches=1)


@dataclass(frozen=True)
class BenchOptions:
    """threads: of the runtime. formats: those to measure, empty for all. quick: one short launch."""

    threads: int = 1
    formats: tuple[str, ...] = ()
    quick: bool = False


def bench(
    folder: Path, device: Device, options: BenchOptions, on_prepare: Progress, on_event: OnEvent
) -> dict[str, Any]:
    """Measure the artifact in `folder` on `device` and return the complete, checked result.

    The artifact is verified before anything else happens: DataError if it was tampered with. `on_prepare`
    hears of the device being made ready, `on_event` of each measurement.
    """
    artifact = open_artifact(folder)
    formats = _formats(artifact, options)
    if device.cores is not None and options.threads > device.cores:
        raise DeviceError(
            f"--threads {options.threads}: {device.name} has {device.cores} cores; ask for fewer"
        )
    launch = device.prepare(on_prepare)
    request = Request(
        artifact=str(artifact.path.resolve()),
        formats=formats,
        threads=options.threads,
        limits=_limits(device, options),
        worker_command=launch.python,
        counting_worker_command=launch.counting_python,
    )
    result = run_agent(launch, request, on_event)
    if result["emulated"] != device.emulated:
        raise DeviceError(f"{device.name}: the agent found emulated={result['emulated']}; prepare it again")
    for model in result["models"]:
        known = artifact.model(model["format"])
        if model["sha256"] != known.sha256:
            raise DataError(f"{artifact.path / model['file']}: changed while it was measured; run it again")
        if known.step is not None and model["step_sha256"] != known.step.sha256:
            raise DataError(f"{known.step.path}: changed while it was measured; run it again")
    logits, reason = _host_logits(request, device)
    _complete(result, artifact, device)
    for model in result["models"]:
        _add_host_figures(model, artifact, logits.get(model["format"]), reason)
    validate_result(result, complete=True)
    return result


def verdict(result: Mapping[str, Any]) -> EdgeseqError | None:
    """What a result is failed for: out of parity, then an unfit device; None if all is well."""
    where = f"{result['board']} emulated" if result["emulated"] else result["board"]
    for model in result["models"]:
        for kind, form in (("parity", model["file"]), ("step_parity", f"{model['step_file']}, step form,")):
            if model[f"{kind}_ok"] is False:
                return GateError(
                    f"{where}: {form} is out of parity: error {_short(model[f'{kind}_error'])} of "
                    f"{_short(model[f'{kind}_tolerance'])}, decisions changed: "
                    f"{model[f'{kind}_decisions_changed']}; do not use it on this device"
                )
    if result["invalid_because"]:
        return DeviceError(f"{where}: not a valid result: {'; '.join(result['invalid_because'])}")
    return None


def _short(error: float | None) -> str:
    return "NaN or infinite" if error is None else f"{error:.1e}"


def _formats(artifact: Artifact, options: BenchOptions) -> tuple[str, ...]:
    there = tuple(model.format for model in artifact.models)
    for wanted in options.formats:
        if wanted not in there:
            raise UsageError(f"{artifact.name}: {unknown('format', wanted, there)}")
    return tuple(dict.fromkeys(options.formats)) or there


def _limits(device: Device, options: BenchOptions) -> Limits:
    limits = QUICK if options.quick else Limits()
    return replace(limits, timeout_s=EMULATED_TIMEOUT_S) if device.emulated else limits


def _host_logits(request: Request, device: Device) -> tuple[dict[str, Any], str]:
    """This host's answers to the golden vectors, by format, and why one may be missing."""
    if isinstance(device, LocalDevice):
        return {}, "the device is this host"
    here = replace(
        request,
        kinds=("parity",),
        threads=1,
        limits=Limits(),
        worker_command=None,
        counting_worker_command=None,
    )
    launch: Launch = LocalDevice().prepare(lambda _fraction, _label: None)
    found = run_agent(launch, here, lambda _event: None)
    missing = "; ".join(found["invalid_because"]) or "this host gave no answer"
    return {each["format"]: each["logits"] for each in found["models"] if each["logits"]}, missing


def _complete(result: dict[str, Any], artifact: Artifact, device: Device) -> None:
    known = {**artifact.manifest, **read_provenance(artifact.path)}
    result["board"] = device.name
    result["board_description"] = device.description
    result["artifact"] = {
        "name": artifact.name,
        "manifest_sha256": artifact.manifest_sha256,
        **{key: known.get(key) for key in _PROVENANCE},
        "labels": len(artifact.labels),
        "features": artifact.features_count,
    }
    result["host"] = {"edgeseq": __version__, **describe_system()}


def _add_host_figures(
    model: dict[str, Any], artifact: Artifact, host_logits: list[list[float]] | None, reason: str
) -> None:
    """The provenance's accuracies of this format, and how far the board's answers are from this host's."""
    name = model["format"]
    splits = read_provenance(artifact.path).get("accuracy")
    model["accuracy"] = {
        split: {"n": entry["n"], "fp32": entry.get("fp32"), "exported": entry[name]}
        for split, entry in (splits.items() if isinstance(splits, dict) else ())
        if isinstance(entry, dict) and "n" in entry and name in entry
    }
    model["host_error"] = None
    if model["logits"] is None:
        reason = model["not_measured"]["logits"]
    elif host_logits is not None:
        parity = compare_logits(model["logits"], host_logits, model["parity_tolerance"])
        model["host_error"] = parity.error
        return
    model["not_measured"]["host_error"] = reason
