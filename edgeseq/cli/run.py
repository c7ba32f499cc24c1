"""`edgeseq run`: what an artifact says, by its task: to inputs, behind a prompt or behind a series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeseq.cli.console import check_outputs, json_option, writable, write_json
from edgeseq.cli.option_groups import Grouped, with_options
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.manifest import FORMATS, MANIFEST_FILE, read_manifest
from edgeseq_device.tasks import LOADERS

RESULT_VERSION = 1


def _origin(_context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A row or a time, which the file is asked for; there is no row 0 in any file."""
    if value is not None and re.fullmatch(r"[+-]?0+", value.strip()):
        raise UsageError(f"{option.opts[0]} {value}: rows are counted from 1, or from -1, the last one")
    return value


CONCERNS = {
    "classify": ("top", "no_reject"),
    "lm": ("prompt", "tokens", "temperature", "top_k", "top_p", "seed"),
    "forecast": ("origin", "output", "plot"),
}
"""By task, the options that concern it alone."""
_FILE = click.Path(dir_okay=False, path_type=Path)
CLASSIFY_OPTIONS = [
    click.option("--top", type=click.IntRange(1), help="Show so many classes of an input. [default: 1]"),
    click.option(
        "--no-reject", is_flag=True, help="Always the nearest class: leave the rejection threshold out."
    ),
]
LM_OPTIONS = [
    click.option("--prompt", metavar="TEXT", help="The text to go on from; - reads it from stdin."),
    click.option("--tokens", type=click.IntRange(1), help="How many to write. [default: 500]"),
    click.option(
        "--temperature",
        type=float,
        help="0 takes the most probable token; more is bolder. [default: 0.8]",
    ),
    click.option("--top-k", type=int, help="Draw from the K most probable tokens. [default: all]"),
    click.option(
        "--top-p",
        type=float,
        help="Draw from the fewest tokens that have this probability together. [default: 1]",
    ),
    click.option("--seed", type=int, help="The same one writes the same text. [default: another each time]"),
]
FORECAST_OPTIONS = [
    click.option(
        "--from",
        "origin",
        metavar="ROW|TIME",
        callback=_origin,
        help="The first moment to say, where the file has it too: its time, or its row, 1 under the header,"
        " -1 the last one; moments that were filled count. [default: the one behind the file]",
    ),
    click.option("--output", metavar="FILE", type=_FILE, callback=writable, help="All rows, as CSV."),
    click.option("--plot", metavar="FILE", type=_FILE, callback=writable, help="A plot, as .png or .svg."),
]


class _Command(Grouped):
    """Says how a text that begins with `-` is given, where it was read as an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = error.format_message().rstrip(".")
            raise UsageError(f"{message}; an INPUT that begins with - goes behind --") from error


@click.command("run", cls=_Command, short_help="What an artifact answers, writes or forecasts.")
@click.argument("words", metavar="[ARTIFACT] [INPUT]...", nargs=-1)
@click.option(
    "--format",
    "model_format",
    type=click.Choice(FORMATS),
    help="[default: the fastest whose runtime is here]",
)
@json_option
@with_options(CLASSIFY_OPTIONS, "A classifier")
@with_options(LM_OPTIONS, "A language model")
@with_options(FORECAST_OPTIONS, "A forecaster")
def command(words: tuple[str, ...], json_file: Path | None, **given: Any) -> None:
    """The answer of ARTIFACT (default: the newest) to each INPUT: a text, a WAV file or a series' .csv, .npz
    or .ts file, by what the model takes. `-` reads texts from stdin, one on a line. Behind `--` an INPUT
    may begin with `-`.

    A language model takes no INPUT: it goes on from --prompt. A forecaster takes one .csv file, reads its
    last moments and says the next ones.

    The first word is the artifact where there is one of that name or folder and something follows.
    """
    from edgeseq.artifacts import is_file
    from edgeseq.inputs import check_files

    folder, inputs, named = _artifact_and_inputs(words, prompted=given["prompt"] is not None)
    manifest = _manifest(folder)
    task = _task_of(folder, manifest)
    _check_concerns(folder, task, given)
    files = {"--json": json_file, "--output": given["output"], "--plot": given["plot"]}
    check_outputs(files, folder, *(word for word in inputs if is_file(Path(word))))
    if kind := _kind_of_files(task, manifest):
        check_files(inputs, kind, None if named else folder)
    if task == "lm":
        from edgeseq.cli.run_generate import run_generate as run
    elif task == "forecast":
        from edgeseq.cli.run_forecast import run_forecast as run
    else:
        from edgeseq.cli.run_classify import run_classify as run
    result = run(folder, inputs, {**given, "named": named})
    write_json(json_file, {"run_result_version": RESULT_VERSION, **result})
    if result.get("interrupted"):
        raise KeyboardInterrupt


def _artifact_and_inputs(words: tuple[str, ...], *, prompted: bool) -> tuple[Path, tuple[str, ...], bool]:
    """The artifact, the inputs, and whether it was named. Beside a prompt the first word is its name."""
    from edgeseq.artifacts import find_artifact, names_artifact

    named = bool(words) and (prompted or names_artifact(words[0]))
    return (find_artifact(words[0]), words[1:], True) if named else (find_artifact(), words, False)


def _manifest(folder: Path) -> dict[str, Any]:
    """As it is, before anything is verified: that is the loader's part."""
    from edgeseq.artifacts import is_file

    if not is_file(folder / MANIFEST_FILE):
        raise UsageError(f"{folder}: a folder without {MANIFEST_FILE} is no artifact")
    return read_manifest(folder / MANIFEST_FILE)


def _task_of(folder: Path, manifest: Mapping[str, Any]) -> str:
    task = manifest.get("task", "classify")
    if task not in LOADERS:
        known = ", ".join(LOADERS)
        raise DataError(f"{folder / MANIFEST_FILE}: this edgeseq knows no task {task!r}; known: {known}")
    return str(task)


def _kind_of_files(task: str, manifest: Mapping[str, Any]) -> str | None:
    """What a file holds that the model takes; None where it takes none, or the manifest is faulty."""
    from edgeseq_device.log_mel import LogMel
    from edgeseq_device.standardise import Standardise

    if task != "classify":
        return "forecast" if task == "forecast" else None
    features = manifest.get("features")
    front_end = features.get("front_end") if isinstance(features, dict) else None
    kind = front_end.get("kind") if isinstance(front_end, dict) else None
    return {each.kind: each.takes for each in (LogMel, Standardise)}.get(str(kind))


def _check_concerns(folder: Path, task: str, given: Mapping[str, Any]) -> None:
    """Raises UsageError for an option that concerns models of another task."""
    for other, names in CONCERNS.items():
        for name in names if other != task else ():
            if given[name] not in (None, False):
                flag = "--from" if name == "origin" else f"--{name.replace('_', '-')}"
                raise UsageError(f"{folder} is {LOADERS[task][0]}; {flag} concerns {LOADERS[other][0]}")
