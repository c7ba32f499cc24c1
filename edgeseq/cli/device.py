"""`edgeseq device`: the boards that artifacts are measured on and deployed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edgeseq.cli.console import json_option, output, print_warnings, progress_output, write_json
from edgeseq.devices.names import VIRTUAL_PI
from edgeseq.report.table import table

if TYPE_CHECKING:
    from edgeseq.devices.board import SshDevice
    from edgeseq.devices.profiles import Profile
    from edgeseq.devices.upkeep.checking import Findings


@click.group(name="device")
def command() -> None:
    """Boards: add, check, set up, virtual machines."""


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
    from edgeseq_device.errors import EdgeseqError

    device, board = _over_ssh(name)
    try:
        findings = _checked(device, board)
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
    from edgeseq.devices.upkeep.checking import findings_to_dict, unreachable_to_dict
    from edgeseq.report.device_table import check_rows
    from edgeseq_device.errors import DeviceError

    device, board = _over_ssh(name)
    try:
        findings = _checked(device, board)
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
@click.option(
    "--runtime",
    type=click.Choice(("tflite", "onnx", "all")),
    default="all",
    show_default=True,
    help="Of the model format; what an earlier setup sent is replaced unless something is deployed there.",
)
@click.option("--native", is_flag=True, help="The native runner in place of runtimes for Python.")
@click.option(
    "--artifact", metavar="ARTIFACT", help="For --native: tried with it there; default: the newest."
)
@json_option
@click.pass_context
def setup(
    context: click.Context,
    name: str,
    runtime: str,
    native: bool,
    artifact: str | None,
    json_file: Path | None,
) -> None:
    """Send a board the runtimes for its Python: it needs no internet and no pip.

    They are fetched here. A numpy that the board has and that they take is left alone. With --native it gets
    edgeseq-run, compiled here, and the LiteRT library: benchmarks of TFLite models then use that, unless its
    answers to the artifact's golden vectors are wrong there, for which this exits with 4.
    """
    from dataclasses import asdict

    from edgeseq.devices.upkeep.setting_up import set_up
    from edgeseq_device.errors import UsageError

    if native and context.get_parameter_source("runtime") is not ParameterSource.DEFAULT:
        raise UsageError("--runtime is of the board's Python; set it up without --native")
    if artifact is not None and not native:
        raise UsageError("--artifact goes with --native; add that or leave --artifact out")
    if native:
        _set_up_native(name, artifact, json_file)
        return
    device, _ = _over_ssh(name)
    with _bar(name) as progress:
        done = set_up(device, runtime, progress)
    versions = ", ".join(done.versions.values())
    own = f"; its own {done.own_numpy} is left alone" if done.own_numpy else ""
    how = f"{done.sent_bytes / 1e6:.1f} MB sent" if done.sent_bytes else "nothing had to be sent"
    output().print(f"{name} has {versions}{own}; {how}", soft_wrap=True)
    write_json(json_file, asdict(done))


def _set_up_native(name: str, artifact: str | None, json_file: Path | None) -> None:
    from dataclasses import asdict

    from edgeseq.artifacts import find_artifact
    from edgeseq.devices.upkeep.setting_up_native import set_up_native
    from edgeseq_device.artifact import open_artifact
    from edgeseq_device.errors import GateError

    device, _ = _over_ssh(name)
    opened = open_artifact(find_artifact(artifact))
    with _bar(name) as progress:
        done = set_up_native(device, opened, progress)
    write_json(json_file, asdict(done))
    if not done.passed:
        raise GateError(f"{name}: the native runner did not pass there, Python is used: {done.because}")
    sizes = f"edgeseq-run {done.runner_bytes / 1e3:.0f} KB, libLiteRt.so {done.library_bytes / 1e6:.1f} MB"
    how = "sent" if done.sent_bytes else "nothing had to be sent"
    output().print(
        f"{name} has the native runner with LiteRT {done.library_version} ({sizes}; {how}); it passed with "
        f"{done.artifact} and measures TFLite models there from now on",
        soft_wrap=True,
    )


@command.command()
@click.option(
    "--machine", type=click.Choice(("x86_64", "aarch64")), help="That it is for; default: this one's kind."
)
@click.option(
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Made if missing; default: ./runner-MACHINE.",
)
def runner(machine: str | None, folder: Path | None) -> None:
    """Write the native runner and its library into a folder, to copy to a board that has no SSH or no Python.

    edgeseq-run answers and measures, edgeseq-bench runs a whole benchmark there. They are compiled here, the
    library is fetched. A board that is reached over SSH gets them by `edgeseq device setup --native`.
    """
    from edgeseq.devices.runner_files import write_runner_files
    from edgeseq_device.elf import python_machine

    here = python_machine()
    machine = machine or here
    folder = folder or Path(f"runner-{machine}")
    with _bar(machine) as progress:
        done = write_runner_files(machine, folder, progress)
    for name, size_bytes in done.sizes.items():
        output().print(f"{folder / name}  {size_bytes:,} bytes", soft_wrap=True)
    built = f"compiled by {done.compiler.name} {done.compiler.version}, with LiteRT {done.version}"
    if done.compiler.name != "zig":
        built += "; they need a C library as new as this machine's, zig's (edgeseq[native]) do not"
    output().print(f"for {machine}: {built}", soft_wrap=True)
    trial = f"to try it: {folder}/edgeseq-run check"
    if machine != here:
        trial = f"copy the folder to the board; to try it there: {folder.absolute().name}/edgeseq-run check"
    output().print(trial, soft_wrap=True)


@command.command()
@click.argument("name")
@click.option("--deployed", is_flag=True, help="Deployed artifacts too.")
@json_option
def clean(name: str, deployed: bool, json_file: Path | None) -> None:
    """Remove what edgeseq put on a board; what was deployed there stays, with the runtimes for it."""
    from dataclasses import asdict

    from edgeseq.devices.upkeep.cleaning import clean as remove_there

    device, _ = _over_ssh(name)
    done = remove_there(device, deployed=deployed)
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
        f"{name} is forgotten; what edgeseq sent there is still in its ~/.edgeseq: remove that by hand, or "
        f"add {name} again and run `edgeseq device clean {name}` first",
        soft_wrap=True,
    )


@command.command()
@click.argument("name", metavar=VIRTUAL_PI)
@click.option("--ram", metavar="SIZE", default="256MB", show_default=True, help="Of the machine.")
@click.option("--cores", type=click.IntRange(1, 8), default=2, show_default=True, help="Of the machine.")
@click.option(
    "--bits", type=click.Choice(("32", "64")), default="64", show_default=True, help="Of its system."
)
def start(name: str, ram: str, cores: int, bits: str) -> None:
    """Start the virtual Pi, an emulated machine with this RAM that is reached over SSH as a board is.

    With 32 bits it has a 64-bit kernel and a 32-bit system, as some Raspberry Pis have. It is made at first
    use, which takes some minutes. It gives answers, RAM and faults, never a latency.
    """
    from edgeseq.devices.machine import run
    from edgeseq_export.budget import parse_size

    _check_machine(name)
    ram_bytes = parse_size(ram)
    with _bar(name) as progress:
        running = run.start(ram_bytes, progress, cores=cores, bits=int(bits))
    output().print(
        f"{name} runs: {running.description}; by hand: ssh -F {running.ssh_config} {name}", soft_wrap=True
    )


@command.command()
@click.argument("name", metavar=VIRTUAL_PI)
def stop(name: str) -> None:
    """End the virtual Pi; what was changed on it is gone."""
    from edgeseq.devices.machine import run

    _check_machine(name)
    output().print(f"{name} has ended" if run.stop() else f"{name} was not running")


def _check_machine(name: str) -> None:
    from edgeseq.names import unknown
    from edgeseq_device.errors import UsageError

    if name != VIRTUAL_PI:
        raise UsageError(
            f"only {VIRTUAL_PI} can be started and stopped: {unknown('machine', name, [VIRTUAL_PI])}"
        )


def _over_ssh(name: str) -> tuple[SshDevice, Profile | None]:
    """The device of that name and what it was added as. UsageError for this machine itself."""
    from edgeseq.devices.board import SshDevice
    from edgeseq.devices.pick import pick_host
    from edgeseq.devices.profiles import profile
    from edgeseq.devices.registry import configured_device
    from edgeseq_device.errors import UsageError

    device = pick_host(name)
    if not isinstance(device, SshDevice):
        raise UsageError(f"{name}: is this machine, not a board; what is installed here: edgeseq doctor")
    configured = configured_device(name)
    board = None if configured is None or configured.board is None else profile(configured.board)
    return device, board


def _checked(device: SshDevice, board: Profile | None) -> Findings:
    from edgeseq.devices.upkeep.checking import check as look

    with _bar(device.name) as progress:
        return look(device, board, progress)


def _print_problems(findings: Findings) -> None:
    from edgeseq.report.device_table import problem_lines

    for line in problem_lines(findings):
        output().print(line, soft_wrap=True)
    if findings.fit:
        output().print(f"{findings.name} is fit: edgeseq bench --device {findings.name}")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[float, str], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TimeElapsedColumn())
    console = progress_output()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=1.0)
        yield lambda fraction, text: bar.update(task, completed=fraction, description=f"{label}: {text}")
