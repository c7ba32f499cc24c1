"""`edgeseq bench`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.bench_options import bench_options
from edgeseq.cli.console import json_option

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from edgeseq.bench.boards import Benched
    from edgeseq.devices.links import Device


@click.command()
@click.argument("artifact", required=False)
@bench_options
@json_option
def command(artifact: str | None, json_file: Path | None, **asked: Any) -> None:
    """Measure ARTIFACT (default: the newest) on this machine, on boards over SSH or on virtual ones.

    A virtual board is emulated: instructions, RAM and parity are measured there, latency is not.
    """
    from edgeseq.artifacts import find_artifact
    from edgeseq.bench.boards import bench_boards, results_to_dict
    from edgeseq.cli.bench_options import devices_of, options_of
    from edgeseq.cli.console import check_outputs, output, write_json
    from edgeseq_device.measuring.verdict import InterruptedBenchError

    folder = find_artifact(artifact)
    check_outputs({"--json": json_file}, folder, asked["data"])
    devices = devices_of(asked)
    bars = _progress()
    with _sigterm_as_ctrl_c(), options_of(asked, folder) as options:
        try:
            benched = bench_boards(
                folder,
                devices,
                options,
                lambda device: _prepare_bar(bars, device),
                lambda device: _steps_bar(bars, device),
            )
        finally:
            if bars.tasks:
                bars.stop()
    write_json(json_file, results_to_dict(benched))
    console = output()
    for each in benched:
        _print(console, each, chosen=asked["runner"] is not None)
    faults = [each.fault for each in benched if each.fault is not None]
    faults.sort(key=lambda fault: isinstance(fault, InterruptedBenchError))
    if faults:  # the last one's exit code counts
        for fault in faults[:-1]:
            click.echo(str(fault), err=True)
        raise faults[-1]


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """What was measured is not lost with a supervisor's patience either."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(console: Console, benched: Benched, *, chosen: bool) -> None:
    """chosen: whether --runner was given."""
    from edgeseq.report.bench_notes import bench_notes
    from edgeseq.report.bench_table import WIDTH_MAX, bench_tables, profile_tables
    from edgeseq.report.table import table

    result = benched.result
    if result is None:
        return
    width = min(console.width, WIDTH_MAX)
    for title, heads, rows in (*bench_tables(result, width), *profile_tables(result)):
        console.print(table(title, heads, rows))
    for note in bench_notes(result, width, runner_chosen=chosen):
        console.print(note)


def _progress() -> Progress:
    """Not started: a refusal comes before there is anything to show."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from edgeseq.cli.console import progress_output

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TimeElapsedColumn())
    return Progress(*columns, console=progress_output(), transient=progress_output().is_terminal)


def _label(device: Device) -> str:
    return f"{device.name} emulated" if device.emulated else device.name


def _prepare_bar(bars: Progress, device: Device) -> Callable[[float, str], None]:
    label = _label(device)
    tasks: list[TaskID] = []

    def show(fraction: float, text: str) -> None:
        if not tasks:
            bars.start()
            tasks.append(bars.add_task(label, total=1.0))
        bars.update(tasks[0], completed=fraction, description=f"{label}: {text}")

    return show


def _steps_bar(bars: Progress, device: Device) -> Callable[[Mapping[str, Any]], None]:
    """A bar that follows an agent's events; what went wrong stays above it."""
    label, texts = _label(device), [""]
    tasks: list[TaskID] = []

    def show(event: Mapping[str, Any]) -> None:
        if event["event"] == "waiting":
            bars.console.print(f"{label}: waits for the board: {event['for']}")
        elif event["event"] == "cooling":
            bars.console.print(f"{label}: waits for the board to cool")
        elif event["event"] == "lost":
            bars.console.print(f"{event['message']}; trying to reach it again")
        elif event["event"] == "began" and not tasks:
            bars.start()
            tasks.append(bars.add_task(label, total=event["steps"]))
        elif event["event"] == "progress":
            texts[0] = f"{label}: {_kind_text(event)}"
            bars.update(tasks[0], completed=event["step"], description=texts[0])
        elif event["event"] == "outcome":
            if "error" in event["outcome"]:
                bars.console.print(f"{texts[0]} failed; the result says why")
            bars.update(tasks[0], completed=event["step"] + 1)

    return show


_KIND_NAMES = {
    "ram": "RAM",
    "fits": "the RAM limit",
    "realtime": "frames in real time",
    "sustained": "a long run",
    "profile": "operators",
    "accuracy": "accuracy on the device",
}


def _kind_text(event: Mapping[str, Any]) -> str:
    from edgeseq_device.measuring.assemble import name

    kind = _KIND_NAMES.get(event["kind"], event["kind"].replace("_", " "))
    launch = f", launch {event['launch'] + 1}" if event["kind"].endswith("latency") else ""
    return f"{kind} of {name(event)}{launch}"
