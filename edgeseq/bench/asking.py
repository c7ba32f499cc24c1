"""Asking an agent for measurements, and hearing it: once, or through lost connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from edgeseq.devices.agent_link import AgentEndedError, HangUp, OnEvent, converse, error_of
from edgeseq.devices.links import Device, Link
from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError
from edgeseq_device.manifest import ModelFile
from edgeseq_device.measuring.agent import hashes_of
from edgeseq_device.measuring.assemble import Taken, about, name
from edgeseq_device.measuring.request import Request, request_to_dict
from edgeseq_device.measuring.runners import with_board

CLOCK_OFF = timedelta(hours=1)
"""A board whose clock is further from the host's is warned about; its times are not used."""

CONNECTIONS_MAX = 4
"""A board that is lost more often is given up; what is missing then says so."""


def run_once(link: Link, request: Request) -> dict[str, Any]:
    """The result of one request whose artifact is a folder that host and agent both read; a lost agent is an
    AgentEndedError."""
    artifact = open_artifact(request.artifact)
    taken = Taken(request, [artifact.model(each) for each in request.formats], about=about(artifact))
    taken.guards_after = converse(link.agent("serve"), request_to_dict(request), taken.hear)
    return taken.result()


class _ChangedError(DataError):
    """What is measured is not what was verified: there is no result."""


def measure(link: Link, device: Device, taken: Taken, on_event: OnEvent, hang_up: HangUp | None) -> None:
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
