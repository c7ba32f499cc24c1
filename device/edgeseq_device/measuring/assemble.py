"""From the outcomes of the workers to one result: every figure there, or null with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeseq_device import __version__
from edgeseq_device.artifact import Artifact
from edgeseq_device.errors import DeviceError
from edgeseq_device.manifest import ModelFile
from edgeseq_device.measuring.guards import judge_guards
from edgeseq_device.measuring.keys import (
    KEYS,
    KINDS,
    LATENCIES,
    MODEL,
    RATES,
    SCHEMA,
    SCHEMA_VERSION,
    STEP,
    is_of_step,
    measured_keys,
    rate,
)
from edgeseq_device.measuring.native_runner import FORMAT
from edgeseq_device.measuring.plan import Measurement, plan, reason_not_to
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import Request, request_to_dict
from edgeseq_device.states import states_bytes, window_of
from edgeseq_device.tasks import TASKS

SPREAD_PERCENT_MAX = 10.0
"""Launches of the same model that differ by more are warned about."""

Outcomes = dict[Measurement, dict[str, Any]]
"""What each worker answered, or {"error": what became of it}."""


@dataclass
class Taken:
    """What an agent has told so far of one request: enough for a result at any time. about: the artifact, as
    each entry of the result tells it (see `about`).

    A measurement that was under way when the agent was lost has failed; `lost` says why, and is the reason of
    those that were never begun.
    """

    request: Request
    models: Sequence[ModelFile]
    began: Mapping[str, Any] | None = None
    guards_after: Mapping[str, Any] | None = None
    outcomes: Outcomes = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    lost: str | None = None
    about: Mapping[str, Any] = field(default_factory=lambda: {"task": TASKS[0]})

    @property
    def steps(self) -> list[Measurement]:
        """The plan; empty before the agent has begun."""
        if self.began is None:
            return []
        return plan(
            self.request,
            self.models,
            emulated=bool(self.began["device"]["emulated"]),
            runners=self.began["runners"],
        )

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in one event of the agent: what it began with, an outcome; others say nothing new.

        DeviceError when an agent that was lost and begins again would measure by other runners.
        """
        if event["event"] == "began" and self.began is None:
            self.began = event
            self.warnings += _not_native(self.request, event)
        elif event["event"] == "began" and self.began is not None:
            if any(event[name] != self.began[name] for name in ("runners", "native")):
                raise DeviceError("the board's native runner was changed meanwhile; measure again")
        elif event["event"] == "outcome":
            self.outcomes[self.steps[event["step"]]] = event["outcome"]

    def result(self) -> dict[str, Any]:
        """The result as the agent would send it, checked. The agent must have begun."""
        assert self.began is not None  # noqa: S101 - the callers have seen to it
        for each in self.steps:
            if each not in self.outcomes:
                self.outcomes[each] = {"error": self.lost or "the agent gave no outcome"}
        result = assemble(self)
        validate_result(result, complete=False)
        return result


def assemble(taken: Taken) -> dict[str, Any]:
    """The result as the agent sends it. A broken guard or a failed worker makes it invalid."""
    began: Mapping[str, Any] = taken.began or {}
    device, guards_before, guards_after = began["device"], began["guards"], taken.guards_after or {}
    broken, warnings = judge_guards(guards_before, guards_after) if guards_after else ([], [])
    entries = [
        _model_entry(model, threads, runner, taken)
        for model in taken.models
        for threads in taken.request.threads
        for runner in began["runners"][model.format]
    ]
    failures = [f"{name(entry)}: {each}" for entry in entries for each in entry["failures"]]
    invalid = [*([taken.lost] if taken.lost else []), *broken, *failures]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "agent_version": __version__,
        "started_utc": began["started_utc"],
        "emulated": device["emulated"],
        "emulated_because": device["emulated_because"],
        "valid": not invalid,
        "invalid_because": invalid,
        "warnings": [*device["warnings"], *taken.warnings, *warnings],
        "device": dict(device),
        "guards_before": dict(guards_before),
        "guards_after": dict(guards_after),
        "threads": list(taken.request.threads),
        "settings": request_to_dict(taken.request)["limits"],
        "models": entries,
    }


def name(entry: Mapping[str, Any]) -> str:
    """How a result calls one of its entries: "tflite", or "tflite native, 2 threads"."""
    what = f"{entry['format']} native" if entry["runner"] == "native" else str(entry["format"])
    return what if entry["threads"] == 1 else f"{what}, {entry['threads']} threads"


def about(artifact: Artifact) -> dict[str, Any]:
    """What each entry of a result tells of its artifact: the task, and a forecaster's context and horizon."""
    found = {"task": artifact.task, "context": artifact.context, "horizon": artifact.horizon}
    return {key: each for key, each in found.items() if each is not None}


def states_of(model: ModelFile) -> dict[str, int | None]:
    """states_bytes: all that a step carries to the next one. window: the tokens that every layer sees, None
    where a model has no such end.
    """
    if model.step is None:
        return {"states_bytes": None, "window": None}
    return {"states_bytes": states_bytes(model.step), "window": window_of(model.step)}


def _not_native(request: Request, began: Mapping[str, Any]) -> list[str]:
    """A warning where the native runner would measure by default, and cannot."""
    because = began["native"]["because"]
    if request.runners or FORMAT not in request.formats or because is None:
        return []
    return [f"measured by Python, not by the native runner: {because}"]


def _model_entry(model: ModelFile, threads: int, runner: str, taken: Taken) -> dict[str, Any]:
    """The part of the result that is one model's, with one number of threads by one runner."""
    began: Mapping[str, Any] = taken.began or {}
    emulated = bool(began["device"]["emulated"])
    entry = _unmeasured(model, threads, runner, taken)
    for kind in KINDS:
        wanted = (kind, model.format, threads, runner)
        mine = [
            each
            for key, each in taken.outcomes.items()
            if (key.kind, key.format, key.threads, key.runner) == wanted
        ]
        failed = next((outcome["error"] for outcome in mine if "error" in outcome), None)
        if failed and failed != taken.lost:  # that is told once, of the whole result
            entry["failures"].append(f"{kind}: {failed}")
        reason = reason_not_to(kind, model, threads, runner, taken.request, emulated) or failed
        names = measured_keys(kind, task=entry["task"])
        entry.update(dict.fromkeys(names))
        if reason:
            entry["not_measured"].update(dict.fromkeys(names, reason))
        else:
            _fill(entry, kind, names, mine)
    return entry


def _unmeasured(model: ModelFile, threads: int, runner: str, taken: Taken) -> dict[str, Any]:
    """The entry before any measurement: what was to be measured, and by what."""
    began: Mapping[str, Any] = taken.began or {}
    task = taken.about["task"]
    return {
        "format": model.format,
        **taken.about,
        "threads": threads,
        "runner": runner,
        "runner_sha256": began["native"]["runner_sha256"] if runner == "native" else None,
        "library_sha256": began["native"]["library_sha256"] if runner == "native" else None,
        "affinity": began["affinity"].get(str(threads)),
        "file": model.path.name,
        "sha256": model.sha256,
        "model_bytes": model.bytes,
        "weight_bytes": model.weight_bytes,
        "step_file": None if model.step is None else model.step.path.name,
        "step_sha256": None if model.step is None else model.step.sha256,
        "step_bytes": None if model.step is None else model.step.bytes,
        **{name: each for name, each in states_of(model).items() if task in KEYS[f"{MODEL}{name}"].tasks},
        "runtime": None,
        "runtime_settings": None,
        "frames": None,
        "not_measured": {},
        "failures": [],
        "warnings": [],
    }


def _fill(entry: dict[str, Any], kind: str, names: Sequence[str], outcomes: Sequence[dict[str, Any]]) -> None:
    """Write into an entry what the workers of one kind have measured. names: the keys that the kind fills."""
    form = STEP if is_of_step(kind) else ""
    values, missing = _figures(kind, outcomes, entry["warnings"])
    entry.update({f"{form}{name}": each for name, each in values.items()})
    entry["not_measured"].update({f"{form}{name}": each for name, each in missing.items()})
    for each in ("runtime", "runtime_settings", "frames"):
        entry[each] = outcomes[0].get(each, entry[each])
    for each in RATES:
        if each in names:
            entry[each] = rate(each, entry["frames"], entry[RATES[each]])


def _figures(
    kind: str, outcomes: Sequence[dict[str, Any]], warnings: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of one kind from its workers' outcomes, and the reasons of those that are None.

    Their names are those of the sequence form for either form.
    """
    if kind not in LATENCIES:
        return outcomes[0]["values"], outcomes[0]["not_measured"]
    from edgeseq_device.measuring.measure import median, summarise_latency  # noqa: PLC0415 - needs numpy

    values, missing = summarise_latency([each["samples_ns"] for each in outcomes])
    for name in outcomes[0]["phases"]:
        values[name] = median([each["phases"][name] for each in outcomes])
        if values[name] <= 0:
            values[name], missing[name] = None, "the clocks of agent and worker disagree"
    for name, reason in outcomes[0].get("not_measured", {}).items():  # a phase that its runner does not have
        values[name], missing[name] = None, reason
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
