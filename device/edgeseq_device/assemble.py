"""From the outcomes of the workers to one result: every figure there, or null with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeseq_device import __version__
from edgeseq_device.guards import judge_guards
from edgeseq_device.manifest import ModelFile
from edgeseq_device.protocol import (
    INSTRUCTIONS,
    KINDS,
    LATENCIES,
    SCHEMA,
    SCHEMA_VERSION,
    STEP,
    is_of_step,
    measured_keys,
)
from edgeseq_device.request import Request, request_to_dict

SPREAD_PERCENT_MAX = 10.0
"""Launches of the same model that differ by more are warned about."""


@dataclass(frozen=True)
class Measurement:
    """One worker process: which kind of measurement on which format, and which launch of several."""

    kind: str
    format: str
    launch: int = 0


@dataclass(frozen=True)
class Surroundings:
    """What the measurements happened in: when they began, the machine, its guards, the CPUs used."""

    started_utc: str
    device: Mapping[str, Any]
    guards_before: Mapping[str, Any]
    guards_after: Mapping[str, Any]
    affinity: list[int] | None


Outcomes = dict[Measurement, dict[str, Any]]
"""What each worker answered, or {"error": what became of it}."""


def assemble(
    models: Sequence[ModelFile], outcomes: Outcomes, request: Request, surroundings: Surroundings
) -> dict[str, Any]:
    """The result as the agent sends it. A broken guard or a failed worker makes it invalid."""
    device = surroundings.device
    broken, warnings = judge_guards(surroundings.guards_before, surroundings.guards_after)
    entries = [_model_entry(model, outcomes, request, bool(device["emulated"])) for model in models]
    invalid = [*broken, *(f"{entry['format']}: {each}" for entry in entries for each in entry["failures"])]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "agent_version": __version__,
        "started_utc": surroundings.started_utc,
        "emulated": device["emulated"],
        "emulated_because": device["emulated_because"],
        "valid": not invalid,
        "invalid_because": invalid,
        "warnings": [*device["warnings"], *warnings],
        "device": dict(device),
        "guards_before": dict(surroundings.guards_before),
        "guards_after": dict(surroundings.guards_after),
        "threads": request.threads,
        "affinity": surroundings.affinity,
        "settings": request_to_dict(request)["limits"],
        "models": entries,
    }


def reason_not_to(kind: str, model: ModelFile, request: Request, emulated: bool) -> str | None:
    """Why a kind of measurement cannot be taken of a model here; None when it can."""
    if kind not in request.kinds:
        return "not asked for"
    if is_of_step(kind) and model.step is None:
        return f"no step form: {model.step_reason}"
    if kind in LATENCIES and emulated:
        return "emulated: the time of an emulated processor says nothing about the board"
    if kind in INSTRUCTIONS and request.counting_worker_command is None:
        return "counted on a virtual board only"
    return None


def _model_entry(model: ModelFile, outcomes: Outcomes, request: Request, emulated: bool) -> dict[str, Any]:
    """One model's part of the result."""
    entry: dict[str, Any] = {
        "format": model.format,
        "file": model.path.name,
        "sha256": model.sha256,
        "model_bytes": model.bytes,
        "weight_bytes": model.weight_bytes,
        "step_file": None if model.step is None else model.step.path.name,
        "step_sha256": None if model.step is None else model.step.sha256,
        "step_bytes": None if model.step is None else model.step.bytes,
        "runtime": None,
        "runtime_settings": None,
        "frames": None,
        "not_measured": {},
        "failures": [],
        "warnings": [],
    }
    for kind in KINDS:
        mine = [each for key, each in outcomes.items() if (key.kind, key.format) == (kind, model.format)]
        failed = next((outcome["error"] for outcome in mine if "error" in outcome), None)
        if failed:
            entry["failures"].append(f"{kind}: {failed}")
        reason = reason_not_to(kind, model, request, emulated) or failed
        entry.update(dict.fromkeys(measured_keys(kind)))
        if reason:
            entry["not_measured"].update(dict.fromkeys(measured_keys(kind), reason))
            continue
        form = STEP if is_of_step(kind) else ""
        values, missing = _figures(kind, mine, entry["warnings"])
        values, missing = ({f"{form}{name}": each for name, each in x.items()} for x in (values, missing))
        entry.update(values, runtime=mine[0]["runtime"], runtime_settings=mine[0]["runtime_settings"])
        entry["frames"] = mine[0].get("frames", entry["frames"])
        entry["not_measured"].update(missing)
    return entry


def _figures(
    kind: str, outcomes: Sequence[dict[str, Any]], warnings: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of one kind from its workers' outcomes, and the reasons of those that are None.

    Their names are those of the sequence form for either form.
    """
    if kind not in LATENCIES:
        return outcomes[0]["values"], outcomes[0]["not_measured"]
    from edgeseq_device.measure import median, summarise_latency  # noqa: PLC0415 - needs numpy

    values, missing = summarise_latency([each["samples_ns"] for each in outcomes])
    for name in outcomes[0]["phases"]:
        values[name] = median([each["phases"][name] for each in outcomes])
        if values[name] <= 0:
            values[name], missing[name] = None, "the clocks of agent and worker disagree"
    values["warmup_n"] = max(each["warmup"]["runs"] for each in outcomes)
    values["warmup_s"] = max(each["warmup"]["seconds"] for each in outcomes)
    what = "step latency" if is_of_step(kind) else "latency"
    unsettled = sum(not each["warmup"]["settled"] for each in outcomes)
    if unsettled:
        warnings.append(
            f"{what}: the warm-up of {unsettled} of {len(outcomes)} launches did not settle within 5 %"
        )
    spread = values["latency_spread_percent"]
    if spread is not None and spread > SPREAD_PERCENT_MAX:
        warnings.append(
            f"{what}: the launches' p50 differ by {spread:.0f} %: something else used the processor"
        )
    return values, missing
