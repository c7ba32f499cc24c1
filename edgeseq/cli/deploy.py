"""`edgeseq deploy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import check_outputs, json_option, output, progress_output, write_json
from edgeseq_device.layout import LOCK_WAIT_S

if TYPE_CHECKING:
    from rich.progress import Progress

    from edgeseq.deploy import DeployOptions
    from edgeseq.devices.links import Device

_Prepare = Callable[[float, str], None]
_Event = Callable[[Mapping[str, Any]], None]


def _print_template(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from edgeseq.deploy import unit_template

        click.echo(unit_template(), nl=False)
        context.exit()


@click.command()
@click.argument("artifact", required=False)
@click.option(
    "--device", metavar="DEVICE", required=True, help="local, or a board that a host is configured for."
)
@click.option(
    "--name", metavar="NAME", help="Its name on the board; the artifact's without the target by default."
)
@click.option("--unit", metavar="UNIT", help="A systemd service to restart; if it does not stay up, go back.")
@click.option("--keep", type=click.IntRange(2), default=3, show_default=True, help="Versions to keep there.")
@click.option(
    "--wait",
    default=f"{LOCK_WAIT_S / 60:.0f}m",
    show_default=True,
    metavar="TIME",
    help="For a board that somebody measures on; 0s: refuse at once.",
)
@click.option("--rollback", is_flag=True, help="Go back to the version before instead.")
@click.option("--list", "list_only", is_flag=True, help="Show what is deployed there instead.")
@click.option(
    "--unit-template",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_template,
    help="Print a systemd unit for your application and exit.",
)
@json_option
def command(
    artifact: str | None,
    device: str,
    name: str | None,
    unit: str | None,
    keep: int,
    wait: str,
    rollback: bool,
    list_only: bool,
    json_file: Path | None,
) -> None:
    """Make ARTIFACT (default: the newest) the current version on a board.

    The board checks every hash, answers the golden vectors, and only then switches, in one step. An
    application there finds it in ~/.edgeseq/deployed/NAME/current.
    """
    from edgeseq.artifacts import find_artifact
    from edgeseq.cli.bench_options import seconds
    from edgeseq.deploy import DeployOptions, list_deployed, verdict
    from edgeseq.devices.pick import pick_host
    from edgeseq_device.errors import UsageError

    if (rollback or list_only) and (artifact or (rollback and list_only)):
        raise UsageError("one thing at a time: ARTIFACT, --rollback or --list; a name on the board is --name")
    check_outputs({"--json": json_file}, None if rollback or list_only else find_artifact(artifact))
    options = DeployOptions(name, unit, keep, seconds(wait, or_none=True))
    chosen = pick_host(device)
    bars = _progress()
    prepare, hear = _bar(bars, device)
    try:
        if list_only:
            result = list_deployed(chosen, options, prepare)
        else:
            result = _change(artifact, chosen, options, prepare, hear, rollback=rollback)
    finally:
        if bars.tasks:
            bars.stop()
    write_json(json_file, result)
    if list_only:
        _print_deployed(result, device)
        return
    _print_change(result)
    fault = verdict(result)
    if fault:
        raise fault


def _change(
    artifact: str | None,
    device: Device,
    options: DeployOptions,
    prepare: _Prepare,
    hear: _Event,
    *,
    rollback: bool,
) -> dict[str, Any]:
    from edgeseq.artifacts import find_artifact
    from edgeseq.deploy import deploy, roll_back

    if rollback:
        return roll_back(device, options, prepare, hear)
    return deploy(find_artifact(artifact), device, options, prepare, hear)


def _print_deployed(result: Mapping[str, Any], device: str) -> None:
    from edgeseq.report.deploy_table import deployed_tables

    for each in deployed_tables(result):
        output().print(each)
    if not result["deployed"]:
        output().print(f"nothing is deployed on {device}")


def _print_change(result: Mapping[str, Any]) -> None:
    from edgeseq.report.deploy_table import deploy_notes, health_table

    output().print(health_table(result))
    for note in deploy_notes(result):
        output().print(note, soft_wrap=True)


def _progress() -> Progress:
    """Not started: a refusal comes before there is anything to show."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    return Progress(*columns, console=progress_output(), transient=progress_output().is_terminal)


def _bar(bars: Progress, label: str) -> tuple[_Prepare, _Event]:
    """What shows the preparation, and what shows the agent's events."""

    def show(text: str) -> None:
        if not bars.tasks:
            bars.start()
            bars.add_task("", total=None)
        bars.update(bars.tasks[0].id, description=f"{label}: {text}")

    def hear(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress":
            show(str(event["doing"]))
        elif event["event"] == "waiting":
            show(f"waits for the board: {event['for']}")

    return (lambda _fraction, text: show(text)), hear
