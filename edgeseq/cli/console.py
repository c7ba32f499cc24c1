"""What commands share: where output goes, warnings, the --json option."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from edgeseq.files import atomic_write_json
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
        help="Also write the result as JSON.",
    )(command)


def write_json(json_file: Path | None, result: dict[str, Any]) -> None:
    """Writes `result` where --json asked for it, in one step."""
    if json_file is not None:
        atomic_write_json(json_file, result)


def writable(_context: click.Context, option: click.Parameter, value: Path | None) -> Path | None:
    """The file that an option names; UsageError where it cannot be written."""
    flag = option.opts[0]
    if value is not None and not value.parent.is_dir():
        raise UsageError(f"{flag} {value}: the folder {value.parent} does not exist; make it first")
    if value is not None and not _takes_files(value.parent):
        raise UsageError(f"{flag} {value}: the folder {value.parent} cannot be written to; name another")
    return value


def _takes_files(folder: Path) -> bool:
    """Tried: root may write everywhere by its rights, and yet makes no file in /proc."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
