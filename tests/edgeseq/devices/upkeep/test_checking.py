"""`edgeseq device check` and `add`, against a real SSH server."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgeseq.cli import main
from edgeseq.devices.registry import ConfiguredDevice, add_device, configured_device


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "EDGESEQ_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the system's programs, apart from every Python, for a board's PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for path in Path("/usr/bin").iterdir():
        if not path.name.startswith(("python", "docker", "podman")):
            (folder / path.name).symlink_to(path)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    """A program that does something else there."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def start_board(start_loopback: Callable[..., Any], programs: Path) -> Callable[[], Any]:
    """Starts a board whose python3 is this one, unless it is removed, and configures it as "bench-pi"."""
    program(programs, "python3", f'exec {sys.executable} "$@"')

    def start(**settings: Any) -> Any:
        board = start_loopback(path=str(programs), **settings)
        add_device(ConfiguredDevice("bench-pi", "board", None, str(board.ssh_config)))
        return board

    return start


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["device", *arguments])


def checked(tmp_path: Path) -> tuple[dict[str, Any], str]:
    """What `check` found, and what it printed. Its exit code says whether the board is fit."""
    done = run("check", "bench-pi", "--json", str(tmp_path / "check.json"))
    found: dict[str, Any] = json.loads((tmp_path / "check.json").read_text())
    assert done.exit_code == (0 if found["fit"] else 5), done.output
    return found, done.output


def told(found: dict[str, Any], *, unfit: bool = True) -> list[str]:
    """The problems, but for what the machine that runs the tests may have of its own."""
    own = re.compile("governor|°C|RAM|cgroup|it reports|it has had")
    return [
        each["what"]
        for each in found["problems"]
        if not own.search(each["what"]) and each["unfit"] in (unfit, True)
    ]


def test_a_board_with_all_it_needs_is_fit(start_board: Callable[..., Any], tmp_path: Path) -> None:
    board = start_board()
    found, _ = checked(tmp_path)
    assert (found["reachable"], found["board"]) == (True, None)
    assert told(found, unfit=False) == []
    assert found["told"]["libraries"]["tflite"]["version"].startswith("ai-edge-litert ")
    assert found["told"]["content"]["parts"].keys() >= {"blobs"}
    assert abs(found["clock_ahead_s"]) < 600
    assert [each.name for each in Path(board.home).iterdir()] == [".edgeseq"]


def test_a_board_without_python_is_told_what_to_run(
    start_board: Callable[..., Any], programs: Path, tmp_path: Path
) -> None:
    (programs / "python3").unlink()
    board = start_board()
    found, said = checked(tmp_path)
    assert told(found) == ["bench-pi has no python3"]
    assert "sudo apt-get install python3" in said
    assert "not fit to be measured on" in said
    assert list(Path(board.home).iterdir()) == []


def test_a_board_without_packages_is_told_to_set_it_up(
    start_board: Callable[..., Any], programs: Path, tmp_path: Path
) -> None:
    program(programs, "python3", f'exec {sys.executable} -I -S "$@"')
    start_board()
    found, said = checked(tmp_path)
    assert not found["fit"]
    assert "in the way: numpy is not installed" in said


def test_a_clock_that_is_years_off_is_a_warning_only(
    start_board: Callable[..., Any], programs: Path, tmp_path: Path
) -> None:
    program(programs, "date", "echo 86400")
    start_board()
    found, said = checked(tmp_path)
    assert told(found) == []
    assert "to know: its clock says 1970-01-02 00:00 UTC" in said


def test_a_board_that_is_off_exits_5_and_says_so_in_json(
    start_board: Callable[..., Any], tmp_path: Path
) -> None:
    start_board().stop()
    found, said = checked(tmp_path)
    assert (found["reachable"], found["fit"]) == (False, False)
    assert "edgeseq: error: bench-pi: nothing answers SSH there" in said


def test_a_board_whose_home_is_full_is_told(start_board: Callable[..., Any], tmp_path: Path) -> None:
    start_board(disk_bytes=65536)
    found, _ = checked(tmp_path)
    assert "MB free" in found["problems"][0]["what"]


def test_adding_a_board_says_what_it_lacks(start_loopback: Callable[..., Any], programs: Path) -> None:
    board = start_loopback(path=str(programs))
    done = run("add", "pi4", "board", "--ssh-config", str(board.ssh_config))
    assert done.exit_code == 0, done.output
    assert "pi4 has no python3" in done.output
    assert configured_device("pi4") == ConfiguredDevice("pi4", "board", "pi4", str(board.ssh_config))


def test_a_board_that_is_off_is_added_with_a_warning(loopback_board: Any) -> None:
    loopback_board.stop()
    done = run("add", "pi4", "board", "--ssh-config", str(loopback_board.ssh_config))
    assert done.exit_code == 0, done.output
    assert "edgeseq: warning: pi4: nothing answers SSH there" in done.output
    assert "it is kept" in done.output
    assert configured_device("pi4") is not None
