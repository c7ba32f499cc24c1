"""Machines that end: when they are told to, when they are killed, and when they never come up."""

from __future__ import annotations

import dataclasses
import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from edgeseq.devices.machine import launch, qmp, run, state
from edgeseq.devices.machine.image import DISK
from edgeseq.devices.machine.plan import MachinePlan
from edgeseq.devices.machine.state import Running
from edgeseq_device.errors import DeviceError

_MISSING = run.missing_packages()
pytestmark = [
    pytest.mark.virtual_board,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed here: {', '.join(_MISSING)}"),
]


@dataclasses.dataclass(frozen=True)
class Blank(MachinePlan):
    """A machine whose disk is empty: it starts within a second and goes no further than its initrd."""

    folder: Path = Path()

    @property
    def image(self) -> Path:
        return self.folder


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Blank:
    plan = run.prepare()
    folder = tmp_path_factory.mktemp("blank")
    for path in plan.image.iterdir():
        if path.name != DISK:
            (folder / path.name).symlink_to(path)
    with (folder / DISK).open("wb") as disk:
        disk.truncate(2**20)
    return Blank(plan.user, plan.system, plan.bits, folder)


@pytest.fixture(autouse=True)
def private_state(machines: ModuleType, tmp_path: Path) -> Iterator[None]:
    """These tests' machines are not the one that other tests use."""
    with machines.machine_state(tmp_path):
        yield
        run.stop()


@pytest.fixture
def launched(blank: Blank) -> Running:
    """A machine that was started a moment ago."""
    state.state_home().mkdir(parents=True)
    return launch.launch(blank, 128_000_000, 1)


def wait_for_its_end(found: Running, send: int | None = None) -> None:
    try:
        handle = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return
    if send is not None:
        signal.pidfd_send_signal(handle, send)
    watch = select.poll()
    watch.register(handle, select.POLLIN)
    assert watch.poll(60_000)
    os.close(handle)


def test_a_stopped_machine_is_gone_with_its_port_and_its_folder(launched: Running) -> None:
    assert run.running() == launched
    assert run.stop() is True
    assert run.running() is None
    assert not launched.folder.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", launched.port), timeout=5)
    assert run.stop() is False


@pytest.mark.parametrize("cores", [1, 2])
def test_a_machine_has_the_cores_that_were_asked_for(blank: Blank, cores: int) -> None:
    state.state_home().mkdir(parents=True)
    found = launch.launch(blank, 128_000_000, cores)
    assert found.cores == cores
    assert len(qmp.execute(found.folder, "query-cpus-fast")) == cores


def test_a_machine_that_was_killed_is_noticed_and_tidied_up(launched: Running) -> None:
    wait_for_its_end(launched, signal.SIGKILL)
    assert run.running() is None
    assert not launched.folder.exists()


def test_a_machine_that_is_frozen_can_still_be_stopped(
    launched: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qmp, "_TIMEOUT_S", 0.2)
    monkeypatch.setattr(state, "_QUIT_S", 0.2)
    os.kill(launched.pid, signal.SIGSTOP)
    assert run.stop() is True
    wait_for_its_end(launched)
    assert not launched.folder.exists()


def test_a_machine_that_does_not_come_up_is_an_error_with_its_last_words(
    blank: Blank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "prepare", lambda *_: blank)
    with pytest.raises(DeviceError, match=r"ended while it started.*mounting /dev/vda on /disk failed"):
        run.start(128_000_000, cores=1)
    assert run.running() is None
    assert not state.machine_folder().exists()


def test_a_machine_that_takes_too_long_is_ended(blank: Blank, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose processor is not let go, so that it does not end by itself meanwhile."""
    command = launch._command
    monkeypatch.setattr(launch, "_command", lambda *settings: [*command(*settings), "-S"])
    monkeypatch.setattr(run, "prepare", lambda *_: blank)
    monkeypatch.setattr(run, "BOOT_S", 0.0)
    with pytest.raises(DeviceError, match="does not answer over SSH in 0 s"):
        run.start(128_000_000, cores=1)
    assert not state.machine_folder().exists()


def test_an_emulator_that_refuses_its_settings_is_an_error_with_its_own_words(
    blank: Blank, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = dataclasses.replace(blank, system=dataclasses.replace(blank.system, qemu_cpu="z80"))
    monkeypatch.setattr(run, "prepare", lambda *_: unknown)
    with pytest.raises(DeviceError, match=r"qemu-system does not start.*z80"):
        run.start(128_000_000, cores=1)
    assert not state.machine_folder().exists()
