"""The machine that runs: who it is, whether it still lives, and how it is ended.

All of it is in one folder outside the cache, which exists only while the machine runs.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeseq.devices.machine import qmp
from edgeseq.devices.machine.plan import NAME
from edgeseq.files import atomic_write_bytes
from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import DataError, DeviceError

STATE, PID, CONSOLE, SSH_CONFIG = "machine.json", "qemu.pid", "console.log", "ssh_config"
"""Files of the state folder."""
KEY, KNOWN_HOSTS = "id_ed25519", "known_hosts"
_QUIT_S = 10.0  # for an emulator that was asked to end; for one that was killed:
_END_S = 10.0


@dataclass(frozen=True)
class Running:
    """A virtual Pi that was started.

    pid: of qemu-system. port: of its SSH server on 127.0.0.1. ram_bytes: as it was asked for.
    emulator: such as "qemu-system 7.2.22 cortex-a72". folder: its state, see this module.
    """

    pid: int
    port: int
    ram_bytes: int
    cores: int
    bits: int
    emulator: str
    folder: Path
    name: str = NAME

    @property
    def ssh_config(self) -> Path:
        """`ssh -F` this file `virtual-pi` logs in as pi, `root@virtual-pi` as root."""
        return self.folder / SSH_CONFIG

    @property
    def description(self) -> str:
        """Such as "virtual Pi, 256 MB, qemu-system 7.2.22 cortex-a72"."""
        bits = "" if self.bits == 64 else f", {self.bits}-bit programs"
        return f"virtual Pi, {self.ram_bytes // 10**6} MB{bits}, {self.emulator}"

    def console_tail(self, lines: int = 5) -> list[str]:
        """The last lines that the kernel and init printed."""
        try:
            said = (self.folder / CONSOLE).read_text("utf-8", "replace").splitlines()
        except OSError:
            return []
        return [line.strip() for line in said if line.strip()][-lines:]


@dataclass(frozen=True)
class _Stored:
    """machine.json."""

    pid: int
    port: int
    ram_bytes: int
    cores: int
    bits: int
    emulator: str


def state_home() -> Path:
    """The folder that state folders are in: XDG_STATE_HOME's, else the user's own."""
    import platformdirs  # noqa: PLC0415 - the command line's --help needs none

    return platformdirs.user_state_path("edgeseq") / "machines"


def machine_folder() -> Path:
    """The virtual Pi's state folder, whether it is there or not."""
    return state_home() / NAME


def write_state(running: Running) -> None:
    """Make `running` known to every later command."""
    stored = asdict(running)
    del stored["folder"], stored["name"]
    atomic_write_bytes(running.folder / STATE, json.dumps(stored).encode())


def find_running() -> Running | None:
    """The machine that runs, or None. What a machine that died left behind is removed."""
    folder = machine_folder()
    try:
        content = json.loads((folder / STATE).read_text("utf-8"))
        stored = settings_from_dict(_Stored, content, str(folder / STATE))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, DataError):
        return None  # nothing that can be ended by it; the next start makes the folder anew
    running = Running(folder=folder, **asdict(stored))
    if is_alive(running):
        return running
    remove(folder)
    return None


def is_alive(running: Running) -> bool:
    """Whether the process with its pid is there and is the emulator of this state folder."""
    with _process(running.folder, running.pid) as handle:
        return handle is not None


def end(running: Running) -> None:
    """End the machine as if its cable were pulled, and remove its state folder. DeviceError if it stays."""
    end_process(running.folder, running.pid)
    remove(running.folder)


def end_process(folder: Path, pid: int) -> None:
    """End the process `pid` if it is the emulator of this state folder."""
    with _process(folder, pid) as handle:
        if handle is None:
            return
        with suppress(OSError, ValueError):
            qmp.execute(folder, "quit")
        if not _has_ended(handle, _QUIT_S):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not _has_ended(handle, _END_S):
                raise DeviceError(f"{NAME}: process {pid} does not end; end it yourself with kill -9 {pid}")


def remove(folder: Path) -> None:
    """Remove a state folder, its record first, so that what is half removed counts for nothing."""
    (folder / STATE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _process(folder: Path, pid: int) -> Iterator[int | None]:
    """A handle of the emulator, or None if it ended, whoever may have its pid now."""
    try:
        handle = os.pidfd_open(pid)
    except (OSError, OverflowError):
        yield None
        return
    try:
        # The handle was there before the name is read: it cannot pass to another process in between.
        yield handle if _is_ours(folder, pid) and not _has_ended(handle, 0) else None
    finally:
        os.close(handle)


def _is_ours(folder: Path, pid: int) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(folder / PID) in arguments


def _has_ended(handle: int, patience_s: float) -> bool:
    """Whether the process ends within `patience_s`."""
    watch = select.poll()
    watch.register(handle, select.POLLIN)
    return bool(watch.poll(int(patience_s * 1000)))
