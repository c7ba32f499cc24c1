"""What commands share: where output goes, warnings, the --json option."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from edgeseq.files import atomic_write_json, is_special
from edgeseq_device.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

WIDTH_OF_A_FILE = 120  # columns of a table when the output is no terminal


def output() -> Console:
    """Results, on stdout. Made anew on each call, so that a test's redirected stdout is used."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_A_FILE
    return console


def progress_output() -> Console:
    """Progress and remarks, on stderr."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_A_FILE
    return console


@contextmanager
def preparation_bar(label: str) -> Iterator[Callable[[float, str], None]]:
    """A bar on stderr, of a terminal alone, that is told how much is done and what is being done."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TimeElapsedColumn())
    console = progress_output()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=1.0)
        yield lambda fraction, text: bar.update(task, completed=fraction, description=f"{label}: {text}")


def print_warnings(warnings: Iterable[str]) -> None:
    """Each warning as one line on stderr."""
    for warning in warnings:
        click.echo(f"edgeseq: warning: {warning}", err=True)


def json_option(command: Command) -> Command:
    """`--json FILE`, passed on as `json_file: Path | None`. Refused at once where it cannot be written."""
    return click.option(
        "--json",
        "json_file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=writable,
        help="Also write the result as JSON; on the screen with /dev/stdout, not with -.",
    )(command)


def write_json(json_file: Path | None, result: dict[str, Any]) -> None:
    """Writes `result` where --json asked for it, in one step."""
    if json_file is not None:
        atomic_write_json(json_file, result)


def writable(_context: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
    """The file that an option names; UsageError where it cannot be written."""
    flag = option.opts[0]
    if value is None:
        return value
    if str(value) == "-":
        raise UsageError(f"{flag} -: name a file, or /dev/stdout to see it on the screen")
    if value.is_dir():  # an empty name is the folder here, and click has refused every other
        raise UsageError(f'{flag} "": name a file')
    if is_special(value):
        return value
    if not value.parent.is_dir():
        raise UsageError(f"{flag} {value}: the folder {value.parent} does not exist; make it first")
    if not _takes_files(value.parent):
        raise UsageError(f"{flag} {value}: the folder {value.parent} cannot be written to; name another")
    return value


def check_outputs(files: Mapping[str, Path | None], *inputs: str | Path | None) -> None:
    """Raises UsageError where one of the `files`, by option, would overwrite what the call reads or another.

    inputs: files, folders and named data sets; other words, such as a text to answer, concern no file.
    """
    outputs = [(flag, file) for flag, file in files.items() if file is not None]
    read = [path for path in map(_input_path, inputs) if path is not None]
    for number, (flag, file) in enumerate(outputs):
        for path in read:
            if _is_same(file, path):
                raise UsageError(f"{flag} {file} is the input; name another file")
            if path.is_dir() and file.exists() and path.resolve() in file.resolve().parents:
                raise UsageError(f"{flag} {file} is a file of {path}, which is read; name another file")
        for other, before in outputs[:number]:
            if _is_same(file, before):
                raise UsageError(f"{flag} {file} is the file of {other} too; name another one")


def _input_path(given: str | Path | None) -> Path | None:
    """Of what is a file or a folder, by its path or as a named data set."""
    from edgeseq.data.catalogue import CATALOGUE, located

    if given in CATALOGUE:
        known = CATALOGUE[str(given)]
        return None if known.built_in else located(known)
    path = None if given is None else os.path.expanduser(given)  # noqa: PTH111 - pathlib's own may raise
    return Path(path) if path and os.path.exists(path) else None  # noqa: PTH110


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are one file, or would be."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def _takes_files(folder: Path) -> bool:
    """Tried: root may write everywhere by its rights, and yet makes no file in /proc."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
