"""`edgeseq device`: the boards that artifacts are measured on and deployed to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeseq.cli.console import json_option, output, preparation_bar, print_warnings, write_json
from edgeseq.cli.device_machine import start, stop
from edgeseq.cli.device_setup import runner, setup
from edgeseq.report.table import table

if TYPE_CHECKING:
    from edgeseq.devices.board import SshDevice
    from edgeseq.devices.upkeep.checking import Findings


@click.group(name="device")
def command() -> None:
    """Boards: add, check, set up, virtual machines."""


for _other in (setup, runner, start, stop):
    command.add_command(_other)


@command.command()
@click.argument("name")
@click.argument("destination")
@click.option("--board", metavar="BOARD", help="What it is, such as pi4; known where NAME is one.")
@click.option(
    "--ssh-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An ssh_config in place of your own.",
)
@click.option("--no-check", is_flag=True, help="Do not try to reach it.")
def add(name: str, destination: str, board: str | None, ssh_config: Path | None, no_check: bool) -> None:
    """Name the board at DESTINATION: user@host, user@host:port or a Host of your ~/.ssh/config.

    A board that cannot be reached now is kept. Your SSH key must be on it, see ssh-copy-id.
    """
    from edgeseq.devices.registry import ConfiguredDevice, add_device, registry_path

    board = _board(name, board)
    config = None if ssh_config is None else str(ssh_config.absolute())
    add_device(ConfiguredDevice(name, destination, board, config))
    output().print(f"{name} is {destination} from now on ({registry_path()})", soft_wrap=True)
    if board is None:
        again = f"edgeseq device remove {name}, then add it with --board"
        output().print(f"what kind of board {name} is was not told; to say it: {again}", soft_wrap=True)
    if not no_check:
        _look_at_new(name)


def _board(name: str, board: str | None) -> str | None:
    """The profile of a new device. UsageError where its name is another's."""
    from edgeseq.devices.profiles import profile_names
    from edgeseq_device.errors import UsageError

    if name in profile_names():
        if board not in (None, name):
            raise UsageError(f"a device called {name} is a {name}; choose another name for a {board}")
        return name
    return board


def _look_at_new(name: str) -> None:
    from edgeseq.devices.pick import pick_board
    from edgeseq_device.errors import EdgeseqError

    device = pick_board(name)
    try:
        findings = _checked(device)
    except EdgeseqError as error:
        print_warnings([f"{error}; it is kept, try later: edgeseq device check {name}"])
        return
    _print_problems(findings)


@command.command(name="list")
@json_option
def list_devices(json_file: Path | None) -> None:
    """Configured boards, virtual ones, and the boards that no host is configured for."""
    from dataclasses import asdict

    from edgeseq.devices.upkeep.overview import known_devices
    from edgeseq.report.device_table import LIST_COLUMNS, hostless_line, list_rows

    devices = known_devices()
    output().print(table("Devices", LIST_COLUMNS, list_rows(devices), text_columns=4))
    if line := hostless_line(devices):
        output().print(line)
    head = {"schema": "edgeseq.devices", "schema_version": 1}
    write_json(json_file, {**head, "devices": [asdict(each) for each in devices]})


@command.command()
@click.argument("name")
@json_option
def check(name: str, json_file: Path | None) -> None:
    """Whether a board can be reached and is fit to be measured on, and what mends it if not.

    Exits with 5 when it is not.
    """
    from edgeseq.devices.pick import pick_board
    from edgeseq.devices.upkeep.checking import findings_to_dict, unreachable_to_dict
    from edgeseq.report.device_table import check_rows
    from edgeseq_device.errors import DeviceError

    device = pick_board(name)
    try:
        findings = _checked(device)
    except DeviceError as error:
        write_json(json_file, unreachable_to_dict(device, error))
        raise
    write_json(json_file, findings_to_dict(findings))
    output().print(table(name, ["", "found"], check_rows(findings), text_columns=2))
    _print_problems(findings)
    if not findings.fit:
        raise DeviceError(f"{name}: not fit to be measured on; the lines above say what mends it")


@command.command()
@click.argument("name")
@click.option("--deployed", is_flag=True, help="Deployed artifacts too.")
@json_option
def clean(name: str, deployed: bool, json_file: Path | None) -> None:
    """Remove what edgeseq put on a board; what was deployed there stays, with the runtimes for it."""
    from dataclasses import asdict

    from edgeseq.devices.pick import pick_board
    from edgeseq.devices.upkeep.cleaning import clean as remove_there

    done = remove_there(pick_board(name), deployed=deployed)
    kept = f"; still deployed there: {', '.join(done.kept)} (--deployed removes it)" if done.kept else ""
    output().print(f"{name}: {done.removed_bytes / 1e6:.1f} MB removed{kept}", soft_wrap=True)
    write_json(json_file, asdict(done))


@command.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a board. What edgeseq sent there stays: run `clean` before."""
    from edgeseq.devices.registry import remove_device

    remove_device(name)
    output().print(
        f"{name} is forgotten; if edgeseq has sent anything there, that is still in its ~/.edgeseq: remove it"
        f" by hand, or add {name} again and run `edgeseq device clean {name}` first",
        soft_wrap=True,
    )


def _checked(device: SshDevice) -> Findings:
    from edgeseq.devices.profiles import profile
    from edgeseq.devices.registry import configured_device
    from edgeseq.devices.upkeep.checking import check as look

    configured = configured_device(device.name)
    board = None if configured is None or configured.board is None else profile(configured.board)
    with preparation_bar(device.name) as progress:
        return look(device, board, progress)


def _print_problems(findings: Findings) -> None:
    from edgeseq.report.device_table import problem_lines

    for line in problem_lines(findings):
        output().print(line, soft_wrap=True)
    if findings.fit:
        output().print(f"{findings.name} is fit: edgeseq bench --device {findings.name}")
