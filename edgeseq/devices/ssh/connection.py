"""One SSH connection to a board through the system's own `ssh`, which many commands share.

The user's configuration, agent, jump hosts and security keys work as they do by hand; the checks of host
keys are strict whatever the configuration says. One `ssh` process, the master, holds the connection. Its
stdin is a pipe of this process: it ends with this process even when that is killed.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO

from edgeseq.devices.ssh.destination import Destination
from edgeseq.devices.ssh.faults import ConnectionLostError as ConnectionLostError  # noqa: PLC0414
from edgeseq.devices.ssh.faults import (
    UnreachableError,
    last_words,
    login_fault,
    lost,
    missing_ssh,
    printable,
)
from edgeseq_device.errors import DeviceError, UsageError

_WORD = re.compile(r"[A-Za-z0-9._+=:/@,-]+")
# csh takes no newline in single quotes and expands "!"; fish takes backslashes in them for its own.
_NOT_IN_SCRIPTS = re.compile(r"['\\!]")
_READY = b"edgeseq: logged in\n"
_LOGIN_S, _END_S = 30.0, 3.0
_SOCKET_BYTES = 80  # a socket's path has 107 at most, of which ssh takes 17 for a temporary name
_SSH_FAILED = 255

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
# Only the master may reach the network: without it a command fails, where ssh would connect anew.
_SESSION_OPTIONS = ("BatchMode=yes", "ControlMaster=no", "ProxyCommand=false", "LogLevel=ERROR")


class Connection:
    """An SSH connection to a board; a context manager that opens and closes it.

    destination: where the board is. name: the board in messages. connect_timeout_s and alive_interval_s are
    whole seconds: for the TCP connection and key exchange, and between two signs of life, of which the third
    that is missed breaks the connection.
    """

    def __init__(
        self,
        destination: Destination,
        name: str | None = None,
        *,
        connect_timeout_s: int = 15,
        alive_interval_s: int = 5,
    ) -> None:
        self.destination = destination
        self.name = printable(name or str(destination))
        self._connect_timeout_s = connect_timeout_s
        self._alive_interval_s = alive_interval_s
        self._folder: Path | None = None
        self._log_read = 0
        self._master: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Connection:
        self.open()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the connection is open and, as far as its signs of life tell, stands."""
        return self._master is not None and self._master.poll() is None

    def open(self) -> None:
        """Log in; a connection that was open is closed first.

        DeviceError that says why it failed and what to do: host key unknown or changed, no key that the board
        takes, no ssh here. Where the board may answer later it is an UnreachableError: no route, refused,
        unknown name.
        """
        self.close()
        if shutil.which("ssh") is None:
            raise missing_ssh(self.name)
        try:
            self._folder, self._log_read = _socket_folder(), 0
            self._master = self._start_master()
            self._await_login(self._master)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection and every command that still runs over it; nothing of it stays on this host."""
        master, self._master = self._master, None
        folder, self._folder = self._folder, None
        if master is not None:
            _end(master)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)  # ssh removes its socket at the same time

    def command(self, script: str, *words: str) -> list[str]:
        """The argv of an `ssh` that runs `script` on the board with `words` as $1, $2 ...

        script: a fixed sh script, which may have several lines if each ends as one that a blank follows, such
        as with ";"; it has no single quote, backslash or "!", so that every login shell hands it on as it is.
        It starts in the board's $HOME under LC_ALL=C. Its exit status 255 becomes 254: 255 is ssh's own.
        ValueError for another script, UsageError for a word with other characters than A-Za-z0-9._+=:/@,-.
        """
        if _NOT_IN_SCRIPTS.search(script):
            raise ValueError("a script for a board has a single quote, a backslash or an exclamation mark")
        for word in words:
            if not _WORD.fullmatch(word):
                raise UsageError(f"{self.name}: {word!r:.100} cannot be part of a command for a board")
        line = " ".join(part.strip() for part in script.splitlines())
        # In a subshell, so that its end is seen whatever it does, being killed included.
        whole = f"LC_ALL=C; export LC_ALL; cd || exit 253; ({line}); s=$?; [ $s -ne 255 ] || s=254; exit $s"
        remote = " ".join(["exec /bin/sh -c", f"'{whole}'", "edgeseq", *(f"'{word}'" for word in words)])
        options = [word for option in _SESSION_OPTIONS for word in ("-o", option)]
        return ["ssh", "-F", "none", "-T", "-S", self._socket, *options, "--", self.destination.host, remote]

    def attempt(
        self, script: str, *words: str, stdin: bytes = b"", timeout_s: float = 30.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `script` and return how it ended, which may be with a failure of its own; see `command`.

        ConnectionLostError when the connection broke, UnreachableError when there is no answer in time.
        """
        command = self.command(script, *words)
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            if not self.alive:
                raise self.lost() from error
            raise UnreachableError(
                f"{self.name}: no answer within {timeout_s:.0f} s; it may be busy or hang, try again"
            ) from error
        if done.returncode == _SSH_FAILED:
            raise self.broken(done.stderr.decode("utf-8", "replace"))
        return done

    def run(self, script: str, *words: str, stdin: bytes = b"", timeout_s: float = 30.0) -> bytes:
        """What `script` prints; see `command`.

        DeviceError with the board's last line on stderr when it fails, and the errors of `attempt`.
        """
        done = self.attempt(script, *words, stdin=stdin, timeout_s=timeout_s)
        if done.returncode != 0:
            said = last_words(done.stderr.decode("utf-8", "replace"))
            raise DeviceError(
                f"{self.name}: {said or f'a command failed with exit status {done.returncode}'}"
            )
        return done.stdout

    def broken(self, stderr: str) -> DeviceError:
        """The error for a command of `command` that ended with exit status 255. stderr: what it said."""
        if self._master is None:
            return self.lost()
        with suppress(subprocess.TimeoutExpired):
            self._master.wait(_END_S)  # the master may be a moment later than its commands
        if not self.alive:
            return self.lost()
        said = last_words(stderr) or "it said nothing"
        return DeviceError(
            f"{self.name}: a command could not be started there or was killed ({said}); try again"
        )

    def lost(self) -> ConnectionLostError:
        """The error that says that this connection broke, and how."""
        return lost(self.name, self._log())

    @property
    def _socket(self) -> str:
        if self._folder is None:
            raise ConnectionLostError(f"{self.name}: not connected")
        return str(self._folder / "s").replace("%", "%%")  # ssh expands %h and the like

    def _log(self) -> str:
        """What the master said, but for banners and warnings of a login that succeeded."""
        if self._folder is None:
            return ""
        try:
            return (self._folder / "log").read_bytes()[self._log_read :].decode("utf-8", "replace")
        except OSError:
            return ""

    def _start_master(self) -> subprocess.Popen[bytes]:
        """Start `ssh`, which says _READY once it is logged in and stays until its stdin ends."""
        assert self._folder is not None  # noqa: S101 - `open` has just made it
        settings = (
            *MASTER_OPTIONS,
            *(_OPTIONS_SINCE_8_7 if _ssh_version() >= (8, 7) else ()),
            f"ConnectTimeout={self._connect_timeout_s}",
            f"ServerAliveInterval={self._alive_interval_s}",
            "ServerAliveCountMax=3",
        )
        options = [word for setting in settings for word in ("-o", setting)]
        remote = f"exec /bin/sh -c 'echo {_READY.decode().strip()}; exec cat >/dev/null'"
        # A file, not a pipe: jump hosts' processes inherit it too and may outlive this one.
        with (self._folder / "log").open("wb") as log:
            return subprocess.Popen(
                ["ssh", "-T", "-S", self._socket, *options, *self.destination.ssh_words(), remote],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is this process's business, which then closes in order
            )

    def _await_login(self, master: subprocess.Popen[bytes]) -> None:
        assert master.stdout is not None  # noqa: S101 - it is a pipe
        said = _read_until(master.stdout, _READY, self._connect_timeout_s + _LOGIN_S)
        if said is None:
            raise UnreachableError(
                f"{self.name}: the login takes too long; is the board overloaded? Try again"
            )
        if not said.endswith(_READY):
            with suppress(subprocess.TimeoutExpired):
                master.wait(_END_S)
            log = f"{self._log()}\n{said.decode('utf-8', 'replace')}"
            raise login_fault(self.name, self.destination, log)
        if said != _READY:
            noise = last_words(said.removesuffix(_READY).decode("utf-8", "replace"))
            raise DeviceError(
                f"{self.name}: the login shell there prints {noise!r} before every command; let its start-up "
                "files (.bashrc) print nothing when the shell is not interactive"
            )
        if self._folder is not None:
            self._log_read = (self._folder / "log").stat().st_size


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


def _end(master: subprocess.Popen[bytes]) -> None:
    """SIGTERM makes a master end its commands and remove its socket."""
    assert master.stdin is not None  # noqa: S101 - both are pipes
    assert master.stdout is not None  # noqa: S101
    master.terminate()
    master.stdin.close()  # wakes it: a signal that comes just before its poll() is seen only after that
    try:
        master.wait(_END_S)
    except subprocess.TimeoutExpired:
        master.kill()
        master.wait()
    master.stdout.close()


def _socket_folder() -> Path:
    """A new private folder with a name short enough for a socket."""
    places = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")  # noqa: S108 - mkdtemp is safe
    for place in places:
        if place and len(os.fsencode(place)) + len("/es-12345678/s") <= _SOCKET_BYTES:
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix="es-", dir=place))
    raise DeviceError("no folder for a socket can be made; is /tmp writable? Else name a short one in TMPDIR")
