"""The command line: parse, call, print. A command's module is imported when the command is used."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from edgeseq import __version__
from edgeseq.names import unknown
from edgeseq_device.errors import EdgeseqError, UsageError

# Said here, so that `edgeseq --help` imports none of them.
COMMANDS = {
    "train": "Train a model on your recordings.",
    "distill": "Train a small model to answer as larger ones do.",
    "export": "Write a run as ONNX and TFLite, in int8 or fp32.",
    "bench": "Measure an artifact on this machine or on a board.",
    "deploy": "Make an artifact the current version on a board, or go back.",
    "eval": "Accuracy of a run or an artifact.",
    "run": "What an artifact answers, writes or forecasts.",
    "data": "Named data sets: list, describe, fetch.",
    "device": "Boards: add, check, set up, virtual machines.",
    "doctor": "What is installed and ready, and how to mend the rest.",
}
INTERRUPTED_EXIT_CODE = 130  # 128 + SIGINT, as shells report it


class LazyGroup(click.Group):
    """A group whose commands live in `edgeseq.cli.NAME` as the attribute `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands that are built, in the order of use."""
        return [name for name in COMMANDS if importlib.util.find_spec(f"edgeseq.cli.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None when there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"edgeseq.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a fault of ours, not the user's
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Names the nearest command when `args[0]` is none of ours."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise UsageError(unknown("command", args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command list of --help, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; a fault of the call before the command's name is told as everywhere."""
        with _faults_told(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _faults_told(ctx):
            return super().invoke(ctx)


@contextmanager
def _faults_told(context: click.Context) -> Iterator[None]:
    """A fault becomes one line on stderr and an exit code; so does output that stdout does not take."""
    try:
        if sys.stdout is None:
            raise EdgeseqError("stdout is closed; send it to a file, or to /dev/null")
        yield
        sys.stdout.flush()
    except (click.exceptions.NoArgsIsHelpError, click.exceptions.Exit, click.Abort):
        raise
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise  # click ends quietly when the reader of a pipe has gone
        # Not where it was interrupted: a reader that has stalled would be waited for.
        taken = isinstance(error, KeyboardInterrupt) or _takes_output()
        if not taken and isinstance(error, OSError) and error.filename is None:
            error.filename = "stdout"
        message, exit_code = explain(error)
        if context.params.get("debug"):
            traceback.print_exc()
        click.echo(message, err=True)
        context.exit(exit_code)


def _takes_output() -> bool:
    """Whether stdout does. If not, what waits there is dropped: else Python tries again at its end, and exits
    with 120."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def explain(error: BaseException) -> tuple[str, int]:
    """One line for the user and the exit code of a fault that ended a command."""
    if isinstance(error, EdgeseqError):
        return f"edgeseq: error: {_one_line(error)}", error.exit_code
    if isinstance(error, click.ClickException):
        return f"edgeseq: error: {_click_fault(error)}", error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return f"edgeseq: interrupted{_after_colon(error)}", INTERRUPTED_EXIT_CODE
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("edgeseq"):
        return f"edgeseq: error: {error.name} is not installed; run: pip install 'edgeseq[host]'", 1
    if isinstance(error, OSError) and error.strerror:
        return f"edgeseq: error: {_operating_system_fault(error)}", 1
    return f"edgeseq: {_fault_of_ours(error)}", 1


def _fault_of_ours(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        advice = "take fewer or shorter recordings, a smaller model, or a machine with more memory"
        return f"error: the memory is full{_after_colon(error)}; {advice}"
    kind = type(error).__name__
    return f"internal error: {kind}: {_one_line(error)} (`edgeseq --debug ...` shows where)"


def _click_fault(error: click.ClickException) -> str:
    """click's message in one line, with the command whose --help explains the options."""
    message = " ".join(error.format_message().split())
    parameter = getattr(error, "param", None)
    if parameter is not None and isinstance(parameter.type, (click.IntRange, click.FloatRange)):
        bounds = repr(parameter.type).strip("<>").partition(" ")[2]  # <IntRange 0<=x<=9>
        number = "whole number" if isinstance(parameter.type, click.IntRange) else "number"
        message = message.replace(f"a valid {parameter.type.name}", f"a {number} in the range {bounds}")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message.rstrip('.')}; see: {context.command_path} --help"


def _operating_system_fault(error: OSError) -> str:
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else error.filename
    subject = f"{name}: " if name is not None else ""
    advice = {
        errno.ENOSPC: "; free some space on that disk and run the command again",
        errno.EDQUOT: "; free some of your quota and run the command again",
        errno.EACCES: "; check the permissions",
    }.get(error.errno or 0, "")
    return f"{subject}{error.strerror}{advice}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _after_colon(error: BaseException) -> str:
    return f"; {_one_line(error)}" if str(error) else ""


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="edgeseq", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of a fault.")
def main(debug: bool) -> None:
    """From your own sequence data to a measured int8 model on a Raspberry Pi.

    Train, export, bench; each command takes the newest result of the one before.
    """
