"""`edgeseq export`: a run as ONNX and TFLite, through three gates."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
    run: str | None,
    int8: bool,
    formats: tuple[str, ...],
    max_size: str | None,
    max_drop: float | None,
    target: str,
    tune: bool,
    compute: Literal["int8", "fp32"] | None,
    step: bool | None,
    batch: bool,
    keep_fp32: tuple[str, ...],
    sensitivity: bool,
    data: str | None,
    name: str | None,
    json_file: Path | None,
) -> None:
    """Write RUN (the newest by default) as ONNX and TFLite under ./artifacts, in the forms that run fastest
    on the target; a model that can stream has a step form beside.

    An artifact is written only when it is within the size budget, in parity with a reference interpreter
    on real inputs, and not worse than --max-drop allows. Exit codes: 3 over the size budget,
    4 over the accuracy drop or out of parity.
    """
    if max_drop is not None and not 0 <= max_drop <= LARGEST_DROP:
        raise UsageError(f"--max-drop {max_drop:g}: give 0 to {LARGEST_DROP:,}, such as 1.0")
    from edgeseq.export.options import ExportOptions, as_fitted, check_options, formats_for
    from edgeseq.export.report import ExportReport
    from edgeseq.export.run import artifact_folder
    from edgeseq.names import check_folder_name
    from edgeseq.report.export_tables import fastest_lines
    from edgeseq.runs import open_run
    from edgeseq_export.budget import parse_size

    options = ExportOptions(
        precision="int8" if int8 else "fp32",
        formats=formats_for(target, formats, batch=batch),
        max_drop=max_drop,
        target=target,
        batch=batch,
        keep_fp32=keep_fp32,
        compute=compute,
        sensitivity=sensitivity,
        tune=tune,
        name=name,
        data=data,
    )
    check_options(options)
    budget = None if max_size is None else parse_size(max_size)
    if name is not None:
        check_folder_name(name)
    opened = open_run(run)
    options = as_fitted(options, opened.recipe.fit, budget, step)
    report = ExportReport(options.precision, artifact_folder(opened, options), options.target)
    check_outputs({"--json": json_file}, opened.path, data or opened.recipe.data, report.artifact)
    try:
        _export(opened, options, report)
    except BaseException as error:
        report.error = str(error) or type(error).__name__
        raise
    finally:
        print_warnings(report.warnings)
        with contextlib.suppress(OSError) if report.error else contextlib.nullcontext():
            write_json(json_file, report.to_dict())
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
