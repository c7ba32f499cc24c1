"""Deployment on the board: verified, answered for by the golden vectors there, then switched to in one step.

Until the switch nothing that runs is touched. What goes wrong before it leaves the current version alone; a
service that does not stay up behind it brings the version before back.
"""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import edgeseq_device
from edgeseq_device import __version__
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.board.archive_main import archive_of
from edgeseq_device.board.deploy_order import SCHEMA, SCHEMA_VERSION, Order, parse_order
from edgeseq_device.board.deployed import (
    ARCHIVE,
    ARTIFACT,
    Deployed,
    Entry,
    deployed_names,
    key_of,
)
from edgeseq_device.board.health import Health, check_health
from edgeseq_device.board.libraries import tag
from edgeseq_device.board.unit import Unit
from edgeseq_device.bundle import copied
from edgeseq_device.conversation import Emit, answer
from edgeseq_device.emulation import emulation
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError, UsageError
from edgeseq_device.root import Turn, locked


def main() -> int:
    """Serve a host."""
    return answer(lambda raw, emit: carry_out(parse_order(raw), archive_of(edgeseq_device.__file__), emit))


def carry_out(order: Order, archive: Path, emit: Emit) -> dict[str, Any]:
    """Do what is asked; the result as JSON-able data. archive: the agent.pyz that a version gets a copy of.

    Events: "progress" with a sentence in "doing", "waiting" for a benchmark on the board. A health check or a
    service that fails is a result which says so; damaged content, no room and wrong orders raise.
    """
    root = Path(order.root)
    if order.action == "list":
        names = [order.name] if order.name else deployed_names(root)
        _check_there(root, names)
        return {**_head(order), "deployed": [Deployed(root, each).describe() for each in names]}
    board = Deployed(root, order.name or _only_name(root))
    unit = None if order.unit is None else Unit(order.unit)
    if unit is not None:
        unit.find()
    try:
        if order.action == "rollback":
            _check_there(root, [board.name])
            with board.alone():
                return _roll_back(order, board, unit, emit)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with board.alone(), board.staged() as staged:
            return _deploy(order, board, unit, staged, archive, emit)
    except BrokenPipeError:
        raise  # the host is gone
    except OSError as error:
        raise EdgeseqError(
            f"{board.folder}: {error.strerror or error}; current is {board.current or 'no version'}; "
            "free some room on the board and try again"
        ) from error


def _deploy(
    order: Order, board: Deployed, unit: Unit | None, staged: Path, archive: Path, emit: Emit
) -> dict[str, Any]:
    _progress(emit, "verifying the artifact")
    assert order.artifact is not None  # noqa: S101 - `parse_order` has seen to it
    artifact = copied(order.artifact, order.artifact_sha256, staged / ARTIFACT)
    shutil.copyfile(archive, staged / ARCHIVE)
    key = key_of(staged)
    there = board.is_whole(key)
    health = _health(open_artifact(board.version(key) / ARTIFACT) if there else artifact, order, emit)
    if health.fault:
        return _result(order, board, key, artifact, health)
    if not there:
        record = {
            "artifact": artifact.name,
            "manifest_sha256": artifact.manifest_sha256,
            "agent_version": __version__,
            "deployed_utc": order.deployed_utc,
            "host": order.host,
        }
        board.add(staged, key, record)
    before = board.history()
    if board.current == key:
        after, back = before, before[:-1] or before
    else:
        entry = {"key": key, "deployed_utc": order.deployed_utc, "host": order.host}
        after, back = [*before, entry], before
    fault = _activate(order, board, unit, after, back, emit)
    removed = board.prune(order.keep)
    switched = before != after and not fault
    return _result(order, board, key, artifact, health, fault, switched=switched, removed=removed)


def _roll_back(order: Order, board: Deployed, unit: Unit | None, emit: Emit) -> dict[str, Any]:
    before = board.history()
    if len(before) < 2:
        raise UsageError(f"{board.name}: there is no version before the current one to go back to")
    key = before[-2]["key"]
    _progress(emit, "verifying the version before")
    if not board.is_whole(key):
        raise DataError(
            f"{board.version(key)}: damaged; current stays {board.current}; deploy the artifact again instead"
        )
    artifact = open_artifact(board.version(key) / ARTIFACT)
    health = _health(artifact, order, emit)
    if health.fault:
        return _result(order, board, key, artifact, health)
    fault = _activate(order, board, unit, before[:-1], before, emit)
    return _result(order, board, key, artifact, health, fault, switched=not fault)


def _activate(
    order: Order, board: Deployed, unit: Unit | None, after: list[Entry], back: list[Entry], emit: Emit
) -> str | None:
    """Switch to the last version of the history `after` and let the service take it; where that fails, go to
    `back` again. What failed, or None. Goes on to its end even if the host is lost meanwhile."""
    with _undisturbed():
        board.link_runtimes(tag())
        if board.history() != after:
            _tell(emit, "switching")
            board.switch(after)
        if unit is None:
            return None
        _tell(emit, f"restarting {unit.name}")
        fault = unit.restart(order.watch_s)
        if fault is None:
            return None
        if back == after:
            return f"{fault}; there is no other version to go back to"
        _tell(emit, f"{fault}: going back")
        board.switch(back)
        return f"{fault}; {_restarted_on(back, unit, order.watch_s)}"


def _restarted_on(back: list[Entry], unit: Unit, watch_s: float) -> str:
    """What became of the service with the version before."""
    if not back:
        said = unit.stop()
        state = f"could not be stopped: {said}" if said else "is stopped"
        return f"there is no version before it, so that none is current and {unit.name} {state}"
    again = unit.restart(watch_s)
    state = f"and does not stay up either: {again}" if again else "and is up"
    return f"{unit.name} has {back[-1]['key']} again {state}"


def _tell(emit: Emit, doing: str) -> None:
    """As `_progress`, to a host which may be gone."""
    with suppress(BrokenPipeError):
        _progress(emit, doing)


def _health(artifact: Artifact, order: Order, emit: Emit) -> Health:
    """The health check, which neither disturbs a benchmark on this board nor is disturbed by one."""
    with locked(Turn(order.root, order.host, order.lock_wait_s), emit):
        return check_health(
            artifact,
            order.worker_command,
            order.timeout_s,
            lambda what: _progress(emit, f"health check: {what}"),
        )


def _result(
    order: Order,
    board: Deployed,
    key: str,
    artifact: Artifact,
    health: Health,
    fault: str | None = None,
    *,
    switched: bool = False,
    removed: list[str] | None = None,
) -> dict[str, Any]:
    described = board.describe()
    return {
        **_head(order),
        "name": board.name,
        "artifact": {"name": artifact.name, "manifest_sha256": artifact.manifest_sha256},
        "key": key,
        "switched": switched,
        "current": described["current"],
        "previous": described["previous"],
        "path": str(board.folder / "current"),
        "formats": health.formats,
        "refused_because": health.fault,
        "rolled_back_because": fault,
        "exit_code": health.exit_code or (DeviceError.exit_code if fault else 0),
        "unit": order.unit,
        "removed": removed or [],
        "deployed_utc": order.deployed_utc if switched and order.action == "deploy" else None,
    }


def _head(order: Order) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "action": order.action,
        "emulated": emulation() is not None,
    }


def _progress(emit: Emit, doing: str) -> None:
    emit({"event": "progress", "doing": doing})


def _only_name(root: Path) -> str:
    names = deployed_names(root)
    if not names:
        raise UsageError(
            "nothing is deployed on this board; deploy an artifact first: edgeseq deploy ARTIFACT"
        )
    if len(names) > 1:
        raise UsageError(f"which of them? Say --name; deployed on this board: {', '.join(names)}")
    return names[0]


def _check_there(root: Path, names: list[str]) -> None:
    known = deployed_names(root)
    for each in names:
        if each not in known:
            raise UsageError(
                f"{each}: not deployed on this board; deployed there: {', '.join(known) or 'nothing'}"
            )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A lost host does not end this process in between. What is under way here takes seconds, not minutes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A function, not SIG_IGN, which systemctl would inherit.
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
