"""One SSH connection to a board through the system's own `ssh`, which many commands share.

The user's configuration, agent, jump hosts and security keys work as they do by hand; the checks of host
keys are strict whatever the configuration says. One `ssh` process, the master, holds the connection.
"""

from __future__ import annotations

import re
import subprocess
from types import TracebackType

from edgeseq.devices.ssh.destination import Destination
from edgeseq.devices.ssh.faults import ConnectionLostError, UnreachableError, last_words, lost, printable
from edgeseq.devices.ssh.master import Master, log_in
from edgeseq_device.errors import DeviceError, UsageError

_WORD = re.compile(r"[A-Za-z0-9._+=:/@,-]+")
# csh takes no newline in single quotes and expands "!"; fish takes backslashes in them for its own.
_NOT_IN_SCRIPTS = re.compile(r"['\\!]")
_SSH_FAILED = 255
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
        self._master: Master | None = None

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
        return self._master is not None and self._master.alive

    def open(self) -> None:
        """Log in; a connection that was open is closed first.

        DeviceError that says why it failed and what to do: host key unknown or changed, no key that the board
        takes, no ssh here. Where the board may answer later it is an UnreachableError: no route, refused,
        unknown name.
        """
        self.close()
        self._master = log_in(self.destination, self.name, self._connect_timeout_s, self._alive_interval_s)

    def close(self) -> None:
        """End the connection and every command that still runs over it; nothing of it stays on this host."""
        master, self._master = self._master, None
        if master is not None:
            master.end()

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
        if self._master is None:
            raise ConnectionLostError(f"{self.name}: not connected")
        options = [word for option in _SESSION_OPTIONS for word in ("-o", option)]
        master = ["-S", self._master.socket]
        return ["ssh", "-F", "none", "-T", *master, *options, "--", self.destination.host, remote]

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
        self._master.await_end()
        if not self.alive:
            return self.lost()
        said = last_words(stderr) or "it said nothing"
        return DeviceError(
            f"{self.name}: a command could not be started there or was killed ({said}); try again"
        )

    def lost(self) -> ConnectionLostError:
        """The error that says that this connection broke, and how."""
        return lost(self.name, "" if self._master is None else self._master.log())
