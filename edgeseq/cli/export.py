"""`edgeseq export`: a run as ONNX and TFLite, through three gates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import (
    check_outputs,
    json_option,
    output,
    print_warnings,
    progress_output,
    write_json,
)
from edgeseq_device.errors import UsageError
from edgeseq_device.manifest import FORMATS

LARGEST_DROP = 1_000_000  # percent of an error have no end

_USAGES = {
    "lm": 'write with it: edgeseq run {} --prompt "..."',
    "forecast": "forecast with it: edgeseq run {} FILE.csv",
}
"""By task, how to use an artifact."""

if TYPE_CHECKING:
    from edgeseq.export.options import ExportOptions
    from edgeseq.export.report import ExportReport
    from edgeseq.runs import Run


@click.command(name="export")
@click.argument("run", required=False)
@click.option("--int8/--fp32", "int8", default=True, help="Weights in int8 (the default) or as trained.")
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True, help="Repeatable; both by default."
)
@click.option(
    "--max-size",
    metavar="SIZE",
    help="Budget for what a board needs of one format. [default: the run's --fit in int8, else 100MB]",
)
@click.option(
    "--max-drop",
    type=float,
    help="What int8 may cost: points of accuracy, nats per token of a language model, percent of a"
    " forecaster's MSE. [default: 1.0, 0.01, 1.0]",
)
@click.option(
    "--target",
    metavar="TARGET",
    default="generic",
    show_default=True,
    help="The board to choose the forms for: x86, pi3, pi4, pi5, zero2, armv7 (32-bit), or any of them.",
)
@click.option("--tune", is_flag=True, help="Measure every form on the target and keep the fastest.")
@click.option(
    "--compute",
    type=click.Choice(("int8", "fp32")),
    help="Of int8 layers; by default the faster one on the target. int8 takes less RAM.",
)
@click.option(
    "--step/--no-step",
    default=None,
    help="With the form that takes one frame at a time, or without. [default: with, if the model can stream;"
    " of texts that are classified without]",
)
@click.option("--batch", is_flag=True, help="Files that take several sequences at once (ONNX).")
@click.option(
    "--keep-fp32", multiple=True, metavar="LAYER", help="Leave this layer's weights in fp32. Repeatable."
)
@click.option("--sensitivity", is_flag=True, help="Show what int8 costs layer by layer.")
@click.option("--data", metavar="NAME|PATH", help="Where the run's data is now, if it has moved.")
@click.option("--name", help="Folder under ./artifacts; RUN-int8-TARGET or RUN-fp32-TARGET by default.")
@json_option
def command(
    run: str | None, max_size: str | None, step: bool | None, json_file: Path | None, **asked: Any
) -> None:
    """Write RUN (the newest by default) as ONNX and TFLite under ./artifacts, in the forms that run fastest
    on the target; a model that can stream has a step form beside.

    An artifact is written only when it is within the size budget, in parity with a reference interpreter
    on real inputs, and not worse than --max-drop allows. Exit codes: 3 over the size budget,
    4 over the accuracy drop or out of parity.
    """
    from edgeseq.export.options import as_fitted
    from edgeseq.export.report import ExportReport
    from edgeseq.export.run import artifact_folder
    from edgeseq.runs import open_run
    from edgeseq_export.budget import parse_size

    options = _options(**asked)
    budget = None if max_size is None else parse_size(max_size)
    opened = open_run(run)
    options = as_fitted(options, opened.recipe.fit, budget, step)
    report = ExportReport(options.precision, artifact_folder(opened, options), options.target)
    check_outputs({"--json": json_file}, opened.path, options.data or opened.recipe.data, report.artifact)
    with _told(report, json_file):
        _export(opened, options, report)
    _print_uses(report)


def _options(int8: bool, formats: tuple[str, ...], **named: Any) -> ExportOptions:
    """What is asked for of any run. named: options that `ExportOptions` calls so, too."""
    from edgeseq.export.options import ExportOptions, check_options, formats_for
    from edgeseq.names import check_folder_name

    max_drop, name = named["max_drop"], named["name"]
    if max_drop is not None and not 0 <= max_drop <= LARGEST_DROP:
        raise UsageError(f"--max-drop {max_drop:g}: give 0 to {LARGEST_DROP:,}, such as 1.0")
    wanted = formats_for(named["target"], formats, batch=named["batch"])
    options = ExportOptions("int8" if int8 else "fp32", wanted, **named)
    check_options(options)
    if name is not None:
        check_folder_name(name)
    return options


@contextmanager
def _told(report: ExportReport, json_file: Path | None) -> Iterator[None]:
    """Warnings on stderr and the report as JSON in the end, also where a gate is not passed."""
    try:
        yield
    except BaseException as error:
        report.error = str(error) or type(error).__name__
        raise
    finally:
        print_warnings(report.warnings)
        with suppress(OSError) if report.error else nullcontext():
            write_json(json_file, report.to_dict())


def _print_uses(report: ExportReport) -> None:
    from edgeseq.report.export_tables import fastest_lines

    output().print(f"\n{report.artifact} is ready; measure it with: edgeseq bench {report.artifact.name}")
    if usage := _USAGES.get(report.task):
        output().print(usage.format(report.artifact.name))
    for line in fastest_lines(report):
        output().print(line)


def _export(run: Run, options: ExportOptions, report: ExportReport) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from edgeseq.export.run import export_run
    from edgeseq.report.export_tables import gate_table

    what = f"{options.precision} for {options.target}: {', '.join(options.formats)}"
    output().print(f"Exporting {run.path} as {what}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = progress_output()
    progress = Progress(*columns, console=console, transient=True)
    task = progress.add_task("")

    def step(what: str, done: int, total: int) -> None:
        if console.is_terminal:
            progress.start()
            progress.update(task, description=what, completed=done, total=total)

    def show(name: str, rows: Sequence[Any]) -> None:
        progress.live.stop()  # the bar is erased before a table takes its place
        output().print(gate_table(name, rows))

    try:
        export_run(run, options, report, show, step)
    finally:
        progress.live.stop()
