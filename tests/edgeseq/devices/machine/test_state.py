"""What is believed of a machine that another command started, and who is ended by its record."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import wait_until

from edgeseq.devices.machine import state
from edgeseq.devices.machine.state import Running

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    state.machine_folder().mkdir(parents=True)
    return state.machine_folder()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is no emulator."""
    with subprocess.Popen(SLEEP) as process:
        wait_until(lambda: has_a_name(process))
        yield process
        process.kill()


@pytest.fixture
def deaf(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that names the state folder's pid file as the emulator does, and listens to nobody."""
    with subprocess.Popen([*SLEEP, str(folder / state.PID)]) as process:
        wait_until(lambda: has_a_name(process))
        yield process
        process.kill()


def has_a_name(process: subprocess.Popen[bytes]) -> bool:
    """Whether its command line can be read: a moment after it was started there may be none yet."""
    return Path(f"/proc/{process.pid}/cmdline").read_bytes() != b""


def record(folder: Path, pid: int) -> Running:
    running = Running(pid, 2222, 256_000_000, 2, 64, "qemu-system 7.2.22 cortex-a72", folder)
    state.write_state(running)
    return running


def test_without_a_record_nothing_runs(folder: Path) -> None:
    assert state.find_running() is None


def test_a_machine_that_runs_is_found_as_it_was_started(folder: Path, deaf: subprocess.Popen[bytes]) -> None:
    started = record(folder, deaf.pid)
    assert state.find_running() == started
    assert started.description == "virtual Pi, 256 MB, qemu-system 7.2.22 cortex-a72"
    assert started.ssh_config == folder / "ssh_config"


def test_what_a_machine_that_died_left_is_removed(folder: Path) -> None:
    with subprocess.Popen([*SLEEP, str(folder / state.PID)]) as process:
        record(folder, process.pid)
        process.kill()
    assert state.find_running() is None
    assert not folder.exists()


def test_a_pid_that_is_somebody_elses_now_is_no_machine_and_left_alone(
    folder: Path, stranger: subprocess.Popen[bytes]
) -> None:
    record(folder, stranger.pid)
    assert state.find_running() is None
    state.end_process(folder, stranger.pid)
    assert stranger.poll() is None
    assert not folder.exists()


def test_a_machine_of_another_state_folder_is_left_alone(
    folder: Path, deaf: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    state.end(record(other, deaf.pid))
    assert deaf.poll() is None


def test_an_emulator_that_does_not_listen_is_killed(
    folder: Path, deaf: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_QUIT_S", 0.1)
    state.end(record(folder, deaf.pid))
    assert deaf.wait() == -signal.SIGKILL
    assert not folder.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "1"}', '{"pid": 1}'])
def test_a_record_that_cannot_be_read_is_no_machine(folder: Path, content: str) -> None:
    (folder / state.STATE).write_text(content)
    assert state.find_running() is None


def test_the_consoles_last_lines_are_those_with_words(folder: Path) -> None:
    running = record(folder, 1)
    assert running.console_tail() == []
    (folder / state.CONSOLE).write_bytes(b"one\r\n\r\ntwo \xff\r\nthree\r\n\r\n")
    assert running.console_tail(2) == ["two \N{REPLACEMENT CHARACTER}", "three"]
