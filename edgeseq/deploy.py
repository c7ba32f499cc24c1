"""Deploying an artifact: send it, let the board check it and switch to it; go back; list what is there."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeseq.devices.agent_link import AgentEndedError, OnEvent, converse, error_of
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device, Link
from edgeseq.devices.names import LOCAL
from edgeseq.devices.pick import VirtualDevice, without_host
from edgeseq.devices.sources import device_file
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.board.deploy_order import Order, order_to_dict
from edgeseq_device.board.deployed import KEPT_MIN, NAME_PATTERN
from edgeseq_device.board.unit import UNIT_PATTERN
from edgeseq_device.errors import DeviceError, EdgeseqError, GateError, UsageError
from edgeseq_device.layout import FOLDER, LOCK_WAIT_S

KEEP = 3
_UNIT_TEMPLATE = "edgeseq-app@.service"


@dataclass(frozen=True)
class DeployOptions:
    """name: what it is called on the board, None for the artifact's name without its target, or for the only
    one there is on the board. unit: a systemd service to restart and watch. keep: so many versions stay on
    the board. lock_wait_s: for a board that somebody measures on. root: the board's folder, None for its
    usual one."""

    name: str | None = None
    unit: str | None = None
    keep: int = KEEP
    lock_wait_s: float = LOCK_WAIT_S
    root: Path | None = None

    def __post_init__(self) -> None:
        """UsageError for a name or a unit that could mean something else, and for too few versions."""
        if self.name is not None and not re.fullmatch(NAME_PATTERN, self.name):
            raise UsageError(
                f"--name {self.name!r:.100}: use letters, digits, '.', '_' and '-', at most 64, the "
                "first a letter or a digit"
            )
        if self.unit is not None and not re.fullmatch(UNIT_PATTERN, self.unit):
            raise UsageError(f"--unit {self.unit!r:.100}: not a name of a systemd service")
        if self.keep < KEPT_MIN:
            raise UsageError(
                f"--keep {self.keep}: at least {KEPT_MIN}, the current version and the one before"
            )


def deploy(
    folder: Path, device: Device, options: DeployOptions, on_prepare: Progress, on_event: OnEvent
) -> dict[str, Any]:
    """Make the artifact in `folder` the current version on `device`; the result, see `verdict` too.

    The artifact is verified here before anything else happens and again on the board. DataError where it was
    tampered with, DeviceError where the board cannot be reached or is a virtual one that keeps nothing.
    """
    artifact = open_artifact(folder)
    if options.name is None:
        options = replace(options, name=default_name(artifact))
    _refuse_virtual(device)
    with device.open(on_prepare) as link:
        sent = link.send(artifact.path, on_prepare)
        order = replace(_order("deploy", link, options), artifact=sent.path, artifact_sha256=sent.sha256)
        return _ask(link, device, order, on_event)


def roll_back(
    device: Device, options: DeployOptions, on_prepare: Progress, on_event: OnEvent
) -> dict[str, Any]:
    """Make the version before the current one; the result. UsageError where there is none."""
    _refuse_virtual(device)
    with device.open(on_prepare) as link:
        return _ask(link, device, _order("rollback", link, options), on_event)


def list_deployed(device: Device, options: DeployOptions, on_prepare: Progress) -> dict[str, Any]:
    """What is deployed there, of one name or of all."""
    _refuse_virtual(device)
    with device.open(on_prepare) as link:
        return _ask(link, device, _order("list", link, options), lambda _event: None)


def default_name(artifact: Artifact) -> str:
    """The artifact's name without its target. UsageError where that is none for a folder on a board."""
    name = artifact.name.removesuffix(f"-{artifact.manifest.get('target')}")
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{artifact.path}: {name!r:.100} cannot be its name on a board; give it one with --name"
        )
    return name


def verdict(result: Mapping[str, Any]) -> EdgeseqError | None:
    """What a deployment or a rollback failed for; None if all is well."""
    reason = result["refused_because"] or result["rolled_back_because"]
    if reason is None:
        return None
    current = f"version {result['current']} is" if result["current"] else "no version is"
    return error_of(
        result["exit_code"],
        f"{result['device']}: {result['name']} not switched to {result['key']}: {reason}; {current} current; "
        f"next: {_next_step(result)}",
    )


def _next_step(result: Mapping[str, Any]) -> str:
    """What to do about a version that was refused or did not stay."""
    if result["rolled_back_because"]:
        return f"see why on the board: journalctl -e -u {result['unit']} (--user-unit for a user's)"
    if result["exit_code"] == GateError.exit_code:
        measure = f"edgeseq bench {result['artifact']['name']} --device {result['device']}"
        return f"see what is out of parity: {measure}; then export it in other forms"
    if result["device"] == LOCAL:
        return "edgeseq doctor tells what is missing here"
    return f"edgeseq device check {result['device']} tells what is in the way there"


def unit_template() -> str:
    """The systemd unit of an application; DeviceError if it is missing from this installation."""
    return device_file(_UNIT_TEMPLATE).read_text("utf-8")


def _refuse_virtual(device: Device) -> None:
    if isinstance(device, VirtualDevice):
        raise without_host(device.name)


def _order(action: str, link: Link, options: DeployOptions) -> Order:
    root = options.root or link.root or Path.home() / FOLDER
    return Order(
        action=action,
        root=str(root),
        name=options.name,
        deployed_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        host=platform.node() or "a host without a name",
        unit=options.unit,
        keep=options.keep,
        lock_wait_s=options.lock_wait_s,
        worker_command=link.worker_command,
    )


def _ask(link: Link, device: Device, order: Order, on_event: OnEvent) -> dict[str, Any]:
    try:
        result: dict[str, Any] = converse(link.agent("deploy"), order_to_dict(order), on_event)
    except AgentEndedError as error:
        said = link.explain(error).removeprefix(f"{device.name}: ")  # only what has a connection names it
        raise DeviceError(
            f"{device.name}: {said}; the version that is current there is a whole one, old or "
            f"new: edgeseq deploy --list --device {device.name}"
        ) from error
    return {**result, "device": device.name, "device_description": device.description}
