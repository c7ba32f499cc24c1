"""The virtual Pi for tests: one machine for the whole test session, in a state folder of its own.

It is the real one, made in the user's cache. A conftest loads this file and offers `virtual_pi` as a fixture
of session scope; tests that use it have the mark `virtual_board`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edgeseq.devices.machine import run
from edgeseq.devices.machine.state import Running

RAM_BYTES = 256_000_000
BOOT_S = 300.0
BOOT_ID = "/proc/sys/kernel/random/boot_id"
STATE = "state of 100% " + "long" * 20
"""A folder's name with all that a path may hold and that ssh, QEMU and sockets take amiss."""


@contextmanager
def machine_state(parent: Path) -> Iterator[None]:
    """While it is open, every command finds its machine in a folder in `parent`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(parent / STATE))
        yield


@contextmanager
def virtual_pi(parent: Path, ram_bytes: int = RAM_BYTES, bits: int = 64) -> Iterator[Running]:
    """A virtual Pi that runs, with its state in `parent`; skips where there can be none.

    It has one core: where two are emulated on a busy host, one waits for the other with all its might, and
    everything takes half as much processor time again.
    """
    missing = run.missing_packages()
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    with machine_state(parent):
        try:
            yield run.start(ram_bytes, bits=bits, cores=1)
        finally:
            run.stop()


def boot_id(found: Running) -> str:
    """What differs after each boot."""
    return on(found, f"cat {BOOT_ID}")


def await_boot(found: Running, before: str) -> None:
    """Return when the machine answers and its `boot_id` is not `before` any more.

    QEMU retries a connection begun while the machine is down only after 6 s, so those are cut short.
    """
    deadline = time.monotonic() + BOOT_S
    while not (_greets(found) and attempt(found, f"cat {BOOT_ID}").stdout.decode() not in ("", before)):
        assert time.monotonic() < deadline, "the machine does not come back"
        time.sleep(0.3)


def reboot(found: Running, before: str, script: str) -> None:
    """Run a shell script and reboot the machine, as a user would, and return when it answers again.

    before: its `boot_id` until now. The machine reboots once the script's login has ended, however long that
    takes: a login that is cut is an error.
    """
    on(found, f"{script}; (while kill -0 $PPID; do sleep 0.1; done; reboot) > /dev/null 2>&1 &", "root")
    await_boot(found, before)


def _greets(found: Running) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", found.port), timeout=3) as connection:
        connection.settimeout(3)
        return connection.recv(4) == b"SSH-"
    return False


def attempt(
    found: Running, script: str, user: str = "pi", *, stdin: bytes = b"", options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script on the machine, or try to; ssh itself ends with 255."""
    alive = ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2", "-o", "ConnectTimeout=60")
    command = ["ssh", "-F", str(found.ssh_config), *options, *alive, f"{user}@{found.name}", script]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env=os.environ, timeout=120)


def on(found: Running, script: str, user: str = "pi") -> str:
    """What a shell script on the machine prints; it must succeed."""
    done = attempt(found, script, user)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
