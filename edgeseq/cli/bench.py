"""`edgeseq bench`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import json_option

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_KIND_NAMES = {
    "ram": "RAM",
    "parity": "parity",
    "instructions": "instructions",
    "latency": "latency",
    "step_parity": "step parity",
    "step_instructions": "step instructions",
    "step_latency": "step latency",
}


@click.command()
@click.argument("artifact", required=False)
@click.option(
    "--device",
    metavar="DEVICE",
    default="local",
    show_default=True,
    help="local, or a virtual board: pi4, pi5.",
)
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Of the runtime.")
@click.option("--format", "formats", multiple=True, metavar="FORMAT", help="onnx or tflite; all by default.")
@click.option("--quick", is_flag=True, help="One short launch: rougher latency.")
@json_option
def command(
    artifact: str | None,
    device: str,
    threads: int,
    formats: tuple[str, ...],
    quick: bool,
    json_file: Path | None,
) -> None:
    """Measure ARTIFACT (default: the newest) on this machine or on a virtual board.

    A virtual board is emulated: instructions, RAM and parity are measured there, latency is not.
    """
    from edgeseq.artifacts import find_artifact
    from edgeseq.bench import BenchOptions, bench, verdict
    from edgeseq.cli.console import output, write_json
    from edgeseq.devices.pick import pick_device
    from edgeseq.report.bench_table import bench_columns, bench_notes, bench_rows, bench_title
    from edgeseq.report.table import table

    folder = find_artifact(artifact)
    chosen = pick_device(device)
    label = f"{device} emulated" if chosen.emulated else device
    options = BenchOptions(threads, formats, quick)
    bars = _progress()
    try:
        result = bench(folder, chosen, options, _prepare_bar(bars, label), _steps_bar(bars, label))
    finally:
        if bars.tasks:
            bars.stop()
    write_json(json_file, result)
    console = output()
    console.print(table(bench_title(result), bench_columns(result), bench_rows(result)))
    for note in bench_notes(result):
        console.print(note)
    fault = verdict(result)
    if fault:
        raise fault


def _progress() -> Progress:
    """Not started: a refusal comes before there is anything to show."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from edgeseq.cli.console import progress_output

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
    return Progress(*columns, console=progress_output(), transient=progress_output().is_terminal)


def _prepare_bar(bars: Progress, label: str) -> Callable[[float, str], None]:
    tasks: list[TaskID] = []

    def show(fraction: float, text: str) -> None:
        if not tasks:
            bars.start()
            tasks.append(bars.add_task(label, total=1.0))
        bars.update(tasks[0], completed=fraction, description=f"{label}: {text}")

    return show


def _steps_bar(bars: Progress, label: str) -> Callable[[Mapping[str, Any]], None]:
    tasks: list[TaskID] = []

    def show(event: Mapping[str, Any]) -> None:
        finished = event["state"] != "started"
        launch = f", launch {event['launch'] + 1}" if event["kind"].endswith("latency") else ""
        text = f"{label}: {_KIND_NAMES[event['kind']]} of {event['format']}{launch}"
        if event["state"] == "failed":
            bars.console.print(f"{text} failed; the result says why")
        if not tasks:
            bars.start()
            tasks.append(bars.add_task(label, total=event["steps"]))
        bars.update(tasks[0], completed=event["step"] + finished, description=text)

    return show
