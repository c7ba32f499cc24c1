"""The command line itself: quick help, one line for each fault, exit codes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import edgeseq
from edgeseq.cli import COMMANDS, LazyGroup, explain, main
from edgeseq_device.errors import BudgetError, DataError, DeviceError, GateError, UsageError

HEAVY = {"torch", "onnx", "onnxruntime", "numpy", "rich", "ai_edge_litert", "soundfile", "safetensors"}


def group_with(error: BaseException) -> click.Group:
    @click.group(cls=LazyGroup)
    @click.option("--debug", is_flag=True)
    def group(debug: bool) -> None:
        raise error

    group.get_command = lambda _context, name: click.Command(name)  # type: ignore[method-assign]
    return group


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from edgeseq.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print('modules:', *sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Commands:" in ran.stdout
    assert HEAVY.isdisjoint(ran.stdout.rpartition("modules:")[2].split())


@pytest.mark.parametrize("name", sorted(LazyGroup().list_commands(click.Context(main))))
def test_a_commands_help_imports_no_torch(name: str) -> None:
    script = (
        "import sys\n"
        "from edgeseq.cli import main\n"
        f"main(['{name}', '--help'], standalone_mode=False)\n"
        "print('modules:', *sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.rpartition("modules:")[2].split())
    assert {"torch", "onnx", "onnxruntime", "numpy"}.isdisjoint(loaded)


def test_help_lists_only_commands_that_are_built() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    for name in COMMANDS:
        built = (Path(edgeseq.__file__).parent / "cli" / f"{name}.py").exists()
        assert (f"\n  {name} " in shown) == built
    assert "compare" not in shown


def test_version_is_the_packages() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"edgeseq {edgeseq.__version__}\n"


def test_python_m_edgeseq_is_the_same_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "edgeseq", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"edgeseq {edgeseq.__version__}\n"


def test_an_unknown_command_names_the_nearest() -> None:
    ran = CliRunner().invoke(main, ["trian"])
    assert ran.exit_code == 2
    assert ran.stderr.startswith('edgeseq: error: unknown command "trian"; did you mean "train"?')


def test_an_unknown_option_is_one_line_with_the_help_to_read() -> None:
    ran = CliRunner().invoke(main, ["train", "--hiden", "3"])
    assert ran.exit_code == 2
    assert ran.stderr.count("\n") == 1
    assert "edgeseq: error: No such option" in ran.stderr
    assert "train --help" in ran.stderr


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [(UsageError, 2), (BudgetError, 3), (GateError, 4), (DeviceError, 5), (DataError, 6)],
)
def test_each_error_for_the_user_is_one_line_and_its_exit_code(
    error: type[Exception], exit_code: int
) -> None:
    ran = CliRunner().invoke(group_with(error("a.wav: truncated\n after 3 bytes")), ["x"])
    assert ran.exit_code == exit_code
    assert ran.stderr == "edgeseq: error: a.wav: truncated after 3 bytes\n"


def test_debug_shows_the_traceback_and_keeps_the_exit_code() -> None:
    ran = CliRunner().invoke(group_with(DataError("a.wav: truncated")), ["--debug", "x"])
    assert ran.exit_code == 6
    assert "Traceback" in ran.stderr
    assert ran.stderr.endswith("edgeseq: error: a.wav: truncated\n")


def test_an_interruption_is_one_line_and_130() -> None:
    ran = CliRunner().invoke(group_with(KeyboardInterrupt()), ["x"])
    assert (ran.exit_code, ran.stderr) == (130, "edgeseq: interrupted\n")


def test_a_full_disk_is_one_line_naming_the_file_and_1() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a/model.safetensors")
    ran = CliRunner().invoke(group_with(error), ["x"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("edgeseq: error: runs/a/model.safetensors: No space left on device; free")
    assert ran.stderr.count("\n") == 1


def test_a_fault_of_ours_is_one_line_that_says_so() -> None:
    ran = CliRunner().invoke(group_with(ZeroDivisionError("division by zero")), ["x"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("edgeseq: internal error: ZeroDivisionError: division by zero")


def test_a_missing_package_names_the_extra_to_install() -> None:
    message, exit_code = explain(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert exit_code == 1
    assert message == "edgeseq: error: torch is not installed; run: pip install 'edgeseq[host]'"


def test_a_reader_that_goes_away_brings_no_traceback() -> None:
    script = f"{sys.executable} -m edgeseq train --help | head -n 1"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("Usage:")
    assert ran.stderr == ""


def test_an_unknown_option_before_any_command_is_one_line() -> None:
    ran = CliRunner().invoke(main, ["--badoption"])
    assert ran.exit_code == 2
    assert ran.stderr.startswith("edgeseq: error: No such option")
    assert ran.stderr.count("\n") == 1


def test_a_full_memory_is_one_line_with_what_to_do() -> None:
    ran = CliRunner().invoke(group_with(MemoryError()), ["x"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("edgeseq: error: the memory is full; take fewer or shorter recordings")
    assert ran.stderr.count("\n") == 1


WRITERS = ["--help", "--version", "train --help", "device list", "deploy --device local --unit-template"]


def into_a_full_disk(*arguments: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, *arguments]
    with Path("/dev/full").open("w") as full:
        return subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", WRITERS)
def test_output_that_a_full_disk_does_not_take_is_one_line_and_1(arguments: str, unbuffered: str) -> None:
    ran = into_a_full_disk("-m", "edgeseq", *arguments.split(), unbuffered=unbuffered)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith("edgeseq: error: ")
    assert "No space left on device" in line


def test_output_that_waits_to_be_written_as_a_command_ends_is_missed_too() -> None:
    """What is still in stdout's buffer then."""
    script = (
        "from edgeseq.cli import LazyGroup\n"
        "group = LazyGroup(invoke_without_command=True, callback=lambda: print('done'))\n"
        "group()\n"
    )
    ran = into_a_full_disk("-c", script)
    assert ran.returncode == 1
    assert ran.stderr.startswith("edgeseq: error: stdout: No space left on device; free some space")
    assert ran.stderr.count("\n") == 1


def test_a_closed_stdout_is_one_line_and_1() -> None:
    script = f"{sys.executable} -m edgeseq device list >&-"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (
        1,
        "edgeseq: error: stdout is closed; send it to a file, or to /dev/null\n",
    )
