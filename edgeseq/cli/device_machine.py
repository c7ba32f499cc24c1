"""`edgeseq device start` and `stop`: the virtual Pi."""

from __future__ import annotations

import click

from edgeseq.cli.console import output, preparation_bar
from edgeseq.devices.names import VIRTUAL_PI


@click.command()
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
    with preparation_bar(name) as progress:
        running = run.start(ram_bytes, progress, cores=cores, bits=int(bits))
    output().print(
        f"{name} runs: {running.description}; by hand: ssh -F {running.ssh_config} {name}", soft_wrap=True
    )


@click.command()
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
