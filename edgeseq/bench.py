"""Measuring an artifact on a device: verify, prepare, run the agent, put the result together."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from edgeseq import __version__
from edgeseq.artifacts import read_provenance
from edgeseq.bench_formats import NATIVE, formats_to_measure
from edgeseq.devices.agent_link import AgentEndedError, HangUp, OnEvent, converse, error_of
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device, Link, LocalLink
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.profiles import profile, profile_names
from edgeseq.devices.registry import configured_device
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError
from edgeseq_device.layout import LOCK_WAIT_S
from edgeseq_device.manifest import ModelFile
from edgeseq_device.measuring.agent import hashes_of
from edgeseq_device.measuring.assemble import Taken, about, name
from edgeseq_device.measuring.keys import DEFAULT_KINDS
from edgeseq_device.measuring.measure import compare_logits
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import Limits, Request, request_to_dict
from edgeseq_device.measuring.runners import with_board
from edgeseq_device.measuring.verdict import judge
from edgeseq_device.system import describe_system
from edgeseq_export.targets import TARGETS, Target

EMULATED_TIMEOUT_S = 900.0
"""For one measurement on a virtual board; a real processor gets the default of `Limits`."""
CLOCK_OFF = timedelta(hours=1)
"""A board whose clock is further from the host's is warned about; its times are not used."""

CONNECTIONS_MAX = 4
"""A board that is lost more often is given up; what is missing then says so."""

_PROVENANCE = ("created_utc", "task", "precision", "target", "data", "versions")


@dataclass(frozen=True)
class BenchOptions:
    """threads: each number of the runtime's threads is measured. formats: those to measure, empty for all.
    limits: how long; kinds: what is measured beside the usual; max_ram_bytes: for "fits"; period_ms: of a
    frame for "realtime", None where the artifact tells; readings: a file of recordings for "accuracy" (see
    `edgeseq.readings`); lock_wait_s: for a board that another host measures on; runners: of RUNNERS, empty
    for what the device takes by itself."""

    threads: tuple[int, ...] = (1,)
    formats: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    kinds: tuple[str, ...] = ()
    max_ram_bytes: int | None = None
    period_ms: float | None = None
    readings: Path | None = None
    lock_wait_s: float = LOCK_WAIT_S
    runners: tuple[str, ...] = ()


def bench(
    folder: Path,
    device: Device,
    options: BenchOptions,
    on_prepare: Progress,
    on_event: OnEvent,
    hang_up: HangUp | None = None,
) -> dict[str, Any]:
    """Measure the artifact in `folder` on `device` and return the complete, checked result.

    The artifact is verified before anything else happens: DataError if it was tampered with. `on_prepare`
    hears of the device being made ready, `on_event` of each measurement; `hang_up` ends it from another
    thread. Where the agent fails after it has begun, as when the connection is lost and does not come back,
    the result has what was measured until then and says so.
    """
    artifact = open_artifact(folder)
    formats = formats_to_measure(artifact, options.formats, options.runners)
    if device.cores is not None and max(options.threads) > device.cores:
        raise DeviceError(
            f"--threads {max(options.threads)}: {device.name} has {device.cores} cores; ask for fewer"
        )
    with device.open(on_prepare) as link:
        request = _request(link, artifact, formats, options, on_prepare, emulated=bool(device.emulated))
        taken = Taken(request, [artifact.model(each) for each in formats], about=about(artifact))
        _measure(link, device, taken, on_event, hang_up)
    result = taken.result()
    result["warnings"] = [with_board(each, device.name) for each in result["warnings"]]
    if device.emulated is not None and result["emulated"] != device.emulated:
        raise DeviceError(f"{device.name}: the agent found emulated={result['emulated']}; prepare it again")
    logits, reason = _host_logits(artifact, formats, device)
    _complete(result, artifact, device)
    result["warnings"] += _other_target(artifact, device)
    for model in result["models"]:
        _add_host_figures(model, artifact, logits.get(model["format"]), reason)
    validate_result(result, complete=True)
    return result


def _request(
    link: Link,
    artifact: Artifact,
    formats: tuple[str, ...],
    options: BenchOptions,
    progress: Progress,
    *,
    emulated: bool,
) -> Request:
    """What the agent is asked for, with everything it needs sent to it."""
    runners = options.runners or link.default_runners
    native = link.native(progress) if NATIVE in runners else None
    sent = link.send(artifact.path, progress)
    readings = None if options.readings is None else link.send(options.readings, progress)
    limits = replace(options.limits, timeout_s=EMULATED_TIMEOUT_S) if emulated else options.limits
    return Request(
        artifact=sent.path,
        artifact_sha256=sent.sha256,
        formats=formats,
        kinds=tuple(dict.fromkeys((*DEFAULT_KINDS, *options.kinds))),
        threads=options.threads,
        limits=limits,
        worker_command=link.worker_command,
        counting_worker_command=link.counting_worker_command,
        root=link.root,
        host=platform.node() or "a host without a name",
        lock_wait_s=options.lock_wait_s,
        max_ram_bytes=options.max_ram_bytes,
        period_ms=options.period_ms,
        readings=None if readings is None else readings.path,
        readings_sha256=None if readings is None else readings.sha256,
        runners=runners,
        native=native,
    )


class _ChangedError(DataError):
    """What is measured is not what was verified: there is no result."""


def _measure(link: Link, device: Device, taken: Taken, on_event: OnEvent, hang_up: HangUp | None) -> None:
    """Run the agent until it is through; after a lost connection with what it has not told yet.

    The measurement that was under way then has failed. Raises where the agent fails before it began.
    """
    at = taken.request.skip

    def hear(event: Mapping[str, Any]) -> None:
        nonlocal at
        first = taken.began is None
        taken.hear(event)
        if event["event"] == "began":
            _check_same(taken.models, event["sha256"])
            if first:
                _check_clock(taken, device)
        if event["event"] == "progress":
            at = event["step"]
        on_event(event)

    for _ in range(CONNECTIONS_MAX):
        try:
            request = request_to_dict(replace(taken.request, skip=at))
            taken.guards_after = converse(link.agent("serve"), request, hear, hang_up)
            return
        except AgentEndedError as error:
            lost = link.explain(error)
            if taken.began is None:
                raise DeviceError(lost) from error
        except EdgeseqError as error:
            if taken.began is None:
                raise error_of(error.exit_code, with_board(str(error), device.name)) from error
            if isinstance(error, _ChangedError):
                raise
            taken.lost = _named(device, error)
            return
        cut = taken.steps[at]
        taken.outcomes[cut] = {"error": lost}
        at += 1
        if at == len(taken.steps):
            return
        on_event({"event": "lost", "message": lost})
        try:
            link.reopen()
        except EdgeseqError as error:
            taken.lost = f"{lost}; it could not be reached again: {error}"
            return
        during = f"{cut.kind.replace('_', ' ')} of {name(vars(cut))}"
        taken.warnings.append(
            f"{device.name} was lost during {during}; the rest was measured after it was reached again"
        )
    taken.lost = f"{device.name}: lost {CONNECTIONS_MAX} times"


def _named(device: Device, error: EdgeseqError) -> str:
    """An error's words, which the agent's own do not begin with the device."""
    return str(error) if str(error).startswith(f"{device.name}: ") else f"{device.name}: {error}"


def _paths(model: ModelFile) -> list[Path | None]:
    return [model.path, None if model.step is None else model.step.path]


def _check_same(models: Sequence[ModelFile], measured: Mapping[str, Any]) -> None:
    """_ChangedError unless the agent opened the files that were verified here."""
    for model in models:
        for path, here, there in zip(_paths(model), hashes_of(model), measured[model.format], strict=True):
            if here != there:
                raise _ChangedError(f"{path}: changed while it was measured; run it again")


def _check_clock(taken: Taken, device: Device) -> None:
    """The start in a result is this host's where the board's clock is off, as on a Pi without a battery.

    Called when the agent begins: a run may be longer than clocks may differ.
    """
    assert taken.began is not None  # noqa: S101 - the agent has just begun
    here, said = datetime.now(timezone.utc), taken.began["started_utc"]
    try:
        there = datetime.fromisoformat(said)
        if abs(here - there) <= CLOCK_OFF:
            return
        said = f"{there:%Y-%m-%d %H:%M}"
    except (TypeError, ValueError):
        said = repr(said)
    taken.warnings.append(f"{device.name}'s clock says {said}; the times in this result are this host's")
    taken.began = {**taken.began, "started_utc": here.isoformat(timespec="seconds")}


def run_once(link: Link, request: Request) -> dict[str, Any]:
    """The result of one request whose artifact is a folder that host and agent both read; a lost agent is an
    AgentEndedError."""
    artifact = open_artifact(request.artifact)
    taken = Taken(request, [artifact.model(each) for each in request.formats], about=about(artifact))
    taken.guards_after = converse(link.agent("serve"), request_to_dict(request), taken.hear)
    return taken.result()


def verdict(result: Mapping[str, Any]) -> EdgeseqError | None:
    """What a result is failed for (see `judge`); None if all is well."""
    return judge(result, result["board"])


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


def _add_host_figures(
    model: dict[str, Any], artifact: Artifact, host_logits: list[list[float]] | None, reason: str
) -> None:
    """The provenance's accuracies of this format, and how far the board's answers are from this host's."""
    form = model["format"]
    splits = read_provenance(artifact.path).get("accuracy")
    model["accuracy"] = {
        split: {"n": entry["n"], "fp32": entry.get("fp32"), "exported": entry[form]}
        for split, entry in (splits.items() if isinstance(splits, dict) else ())
        if isinstance(entry, dict) and "n" in entry and form in entry
    }
    model["host_error"] = None
    if model["logits"] is None:
        reason = model["not_measured"]["logits"]
    elif host_logits is not None:
        parity = compare_logits(model["logits"], host_logits, model["parity_tolerance"])
        model["host_error"] = parity.error
        return
    model["not_measured"]["host_error"] = reason
