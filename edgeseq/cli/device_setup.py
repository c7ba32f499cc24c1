"""`edgeseq device setup` and `runner`: what runs models on a board, sent there or written into a folder."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from edgeseq.cli.console import json_option, output, preparation_bar, write_json


@click.command()
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

    from edgeseq.devices.pick import pick_board
    from edgeseq.devices.upkeep.setting_up import set_up
    from edgeseq_device.errors import UsageError

    if native and context.get_parameter_source("runtime") is not ParameterSource.DEFAULT:
        raise UsageError("--runtime is of the board's Python; set it up without --native")
    if artifact is not None and not native:
        raise UsageError("--artifact goes with --native; add that or leave --artifact out")
    if native:
        _set_up_native(name, artifact, json_file)
        return
    device = pick_board(name)
    with preparation_bar(name) as progress:
        done = set_up(device, runtime, progress)
    versions = ", ".join(done.versions.values())
    own = f"; its own {done.own_numpy} is left alone" if done.own_numpy else ""
    how = f"{done.sent_bytes / 1e6:.1f} MB sent" if done.sent_bytes else "nothing had to be sent"
    output().print(f"{name} has {versions}{own}; {how}", soft_wrap=True)
    write_json(json_file, asdict(done))


def _set_up_native(name: str, artifact: str | None, json_file: Path | None) -> None:
    from dataclasses import asdict

    from edgeseq.artifacts import find_artifact
    from edgeseq.devices.pick import pick_board
    from edgeseq.devices.upkeep.setting_up_native import set_up_native
    from edgeseq_device.artifact import open_artifact
    from edgeseq_device.errors import GateError

    device = pick_board(name)
    opened = open_artifact(find_artifact(artifact))
    with preparation_bar(name) as progress:
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


@click.command()
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
    with preparation_bar(machine) as progress:
        done = write_runner_files(machine, folder, progress)
    for name, size_bytes in done.sizes.items():
        output().print(f"{folder / name}  {size_bytes:,} bytes", soft_wrap=True)
    built = f"compiled by {done.compiler.name} {done.compiler.version}, with LiteRT {done.version}"
    if done.compiler.name != "zig":
        built += "; they need a C library as new as this machine's, zig's (edgeseq[native]) do not"
    output().print(f"for {machine}: {built}", soft_wrap=True)
    trial = f"to try it: {folder}/edgeseq-run check"
    if machine != here:
        trial = f"copy {folder} to the board; to try it there: {folder.absolute().name}/edgeseq-run check"
    output().print(trial, soft_wrap=True)
