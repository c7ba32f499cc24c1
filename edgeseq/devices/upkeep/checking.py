"""Looking at a board over SSH: what it is, and what is in the way of measuring on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgeseq.devices.board import SshDevice, SshLink
from edgeseq.devices.cache import Progress, part_of
from edgeseq.devices.profiles import Profile
from edgeseq.devices.ssh.connection import Connection
from edgeseq.devices.ssh.faults import ConnectionLostError
from edgeseq.devices.upkeep.fitness import Problem, judge, judge_clock, judge_look, table_for
from edgeseq.devices.upkeep.probing import Look, look_at, probe
from edgeseq.devices.wheel_tables import WheelTable
from edgeseq_device.errors import EdgeseqError

_SCHEMA, _SCHEMA_VERSION = "edgeseq.device_check", 1


@dataclass(frozen=True)
class Findings:
    """What a board is. told: by its agent (`edgeseq_device.board.probe`), None where that was not asked.

    clock_ahead_s: of this machine's, None where the board's is unknown. table: the wheels that fit it, None
    where there are none.
    """

    name: str
    destination: str
    board: Profile | None
    look: Look
    told: Mapping[str, Any] | None
    clock_ahead_s: float | None
    table: WheelTable | None
    problems: tuple[Problem, ...]

    @property
    def fit(self) -> bool:
        """Whether a benchmark can be taken on it."""
        return not any(each.unfit for each in self.problems)


def check(device: SshDevice, board: Profile | None, progress: Progress) -> Findings:
    """Look at a board; only the agent is sent there. board: what it should be.

    DeviceError when it cannot be reached or is lost meanwhile.
    """
    progress(0.0, f"connecting to {device.destination}")
    with Connection(device.destination, device.name) as connection:
        look = look_at(connection)
        ahead_s = None if look.clock_s is None else look.clock_s - time.time()
        problems = list(judge_look(device.name, look))
        told = None
        if not problems:
            link = SshLink(connection)
            try:
                link.begin(part_of(progress, 0.1, 0.3))
                told = probe(link, part_of(progress, 0.3, 1.0))
            except ConnectionLostError:
                raise
            except EdgeseqError as error:
                problems.append(Problem(str(error), f"edgeseq device check {device.name}, when mended", True))
    table = None if told is None else table_for(told)
    if told is not None:
        problems += judge(device.name, board, told, table)
    problems += judge_clock(look, ahead_s)
    progress(1.0, "everything is known")
    return Findings(device.name, str(device.destination), board, look, told, ahead_s, table, tuple(problems))


def findings_to_dict(findings: Findings) -> dict[str, Any]:
    """JSON-able."""
    table = findings.table
    return {
        "schema": _SCHEMA,
        "schema_version": _SCHEMA_VERSION,
        "name": findings.name,
        "destination": findings.destination,
        "board": None if findings.board is None else findings.board.name,
        "reachable": True,
        "fit": findings.fit,
        "look": asdict(findings.look),
        "told": findings.told,
        "clock_ahead_s": findings.clock_ahead_s,
        "wheels": [] if table is None else [f"{pin.package}=={pin.version}" for pin in table.pins],
        "problems": [asdict(each) for each in findings.problems],
    }


def unreachable_to_dict(device: SshDevice, error: EdgeseqError) -> dict[str, Any]:
    """JSON-able, of a board that could not be looked at."""
    return {
        "schema": _SCHEMA,
        "schema_version": _SCHEMA_VERSION,
        "name": device.name,
        "destination": str(device.destination),
        "reachable": False,
        "fit": False,
        "problems": [asdict(Problem(str(error), "", True))],
    }
