"""The `ssh` process that holds a connection to a board: its login, its life and its end.

Its stdin is a pipe of this process: it ends with this process even when that is killed.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from edgeseq.devices.ssh.destination import Destination
from edgeseq.devices.ssh.faults import UnreachableError, last_words, login_fault, missing_ssh
from edgeseq_device.errors import DeviceError

_READY = b"edgeseq: logged in\n"
_LOGIN_S, _END_S = 30.0, 3.0
_SOCKET_BYTES = 80  # a socket's path has 107 at most, of which ssh takes 17 for a temporary name

# Options on the command line win over the user's configuration.
MASTER_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "NoHostAuthenticationForLocalhost=no",
    "VerifyHostKeyDNS=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "ControlMaster=yes",
    "ControlPersist=no",
    "LogLevel=INFO",
)
# Each would keep the command from being run or from being heard. Older versions have no such options, and
# IgnoreUnknown would take the place of the user's own.
_OPTIONS_SINCE_8_7 = ("StdinNull=no", "SessionType=default", "ForkAfterAuthentication=no")


@dataclass(frozen=True)
class Master:
    """An `ssh` that is logged in; others run their commands over its socket.

    greeting_bytes: of its log, the banners and warnings of a login that succeeded.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    greeting_bytes: int
    undo: ExitStack

    @property
    def socket(self) -> str:
        """As the option -S takes it."""
        return _socket(self.folder)

    @property
    def alive(self) -> bool:
        """Whether it runs, which it does as long as the board gives signs of life."""
        return self.process.poll() is None

    def await_end(self) -> None:
        """It may end a moment later than the commands of a connection that broke."""
        _await_end(self.process)

    def log(self) -> str:
        """What it said since its login."""
        return _log(self.folder, self.greeting_bytes)

    def end(self) -> None:
        """End it and every command that still runs over it; nothing of it stays on this host."""
        self.undo.close()


def log_in(destination: Destination, name: str, connect_timeout_s: int, alive_interval_s: int) -> Master:
    """Start a master and wait for its login; see `Connection`, and `Connection.open` for what it raises."""
    if shutil.which("ssh") is None:
        raise missing_ssh(name)
    with ExitStack() as undo:
        folder = _socket_folder()
        undo.callback(shutil.rmtree, folder, ignore_errors=True)  # ssh removes its socket at the same time
        process = _started(destination, folder, connect_timeout_s, alive_interval_s)
        undo.callback(_end, process)
        _await_login(process, folder, destination, name, connect_timeout_s + _LOGIN_S)
        return Master(folder, process, (folder / "log").stat().st_size, undo.pop_all())


def _started(
    destination: Destination, folder: Path, connect_timeout_s: int, alive_interval_s: int
) -> subprocess.Popen[bytes]:
    """`ssh`, which says _READY once it is logged in and stays until its stdin ends."""
    settings = (
        *MASTER_OPTIONS,
        *(_OPTIONS_SINCE_8_7 if _ssh_version() >= (8, 7) else ()),
        f"ConnectTimeout={connect_timeout_s}",
        f"ServerAliveInterval={alive_interval_s}",
        "ServerAliveCountMax=3",
    )
    options = [word for setting in settings for word in ("-o", setting)]
    remote = f"exec /bin/sh -c 'echo {_READY.decode().strip()}; exec cat >/dev/null'"
    # A file, not a pipe: jump hosts' processes inherit it too and may outlive this one.
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["ssh", "-T", "-S", _socket(folder), *options, *destination.ssh_words(), remote],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is this process's business, which then closes in order
        )


def _await_login(
    process: subprocess.Popen[bytes], folder: Path, destination: Destination, name: str, timeout_s: float
) -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    said = _read_until(process.stdout, _READY, timeout_s)
    if said is None:
        raise UnreachableError(f"{name}: the login takes too long; is the board overloaded? Try again")
    if not said.endswith(_READY):
        _await_end(process)
        log = f"{_log(folder)}\n{said.decode('utf-8', 'replace')}"
        raise login_fault(name, destination, log)
    if said != _READY:
        noise = last_words(said.removesuffix(_READY).decode("utf-8", "replace"))
        raise DeviceError(
            f"{name}: the login shell there prints {noise!r} before every command; let its start-up "
            "files (.bashrc) print nothing when the shell is not interactive"
        )


def _socket(folder: Path) -> str:
    return str(folder / "s").replace("%", "%%")  # ssh expands %h and the like


def _log(folder: Path, start: int = 0) -> str:
    try:
        return (folder / "log").read_bytes()[start:].decode("utf-8", "replace")
    except OSError:
        return ""


@cache
def _ssh_version() -> tuple[int, ...]:
    """Such as (9, 2); (0,) where it does not tell."""
    said = subprocess.run(["ssh", "-V"], capture_output=True, check=False).stderr
    found = re.match(rb"OpenSSH_(\d+)\.(\d+)", said)
    return (0,) if found is None else tuple(map(int, found.groups()))


def _read_until(stream: IO[bytes], end: bytes, timeout_s: float) -> bytes | None:
    """What a pipe gives up to `end` or its end of file; None when that takes longer."""
    said = b""
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        while not said.endswith(end):
            if not waiting.select(max(0.0, deadline - time.monotonic())):
                return None
            piece = os.read(stream.fileno(), 4096)
            if not piece:
                break
            said += piece
    return said


def _await_end(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM makes a master end its commands and remove its socket."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    process.terminate()
    process.stdin.close()  # wakes it: a signal that comes just before its poll() is seen only after that
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _socket_folder() -> Path:
    """A new private folder with a name short enough for a socket."""
    places = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")  # noqa: S108 - mkdtemp is safe
    for place in places:
        if place and len(os.fsencode(place)) + len("/es-12345678/s") <= _SOCKET_BYTES:
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix="es-", dir=place))
    raise DeviceError("no folder for a socket can be made; is /tmp writable? Else name a short one in TMPDIR")
