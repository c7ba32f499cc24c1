"""What `ssh` says when it fails, as one line for people: what happened, to which board, what to do next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from edgeseq.devices.plain import printable as printable  # noqa: PLC0414
from edgeseq.devices.ssh.destination import Destination
from edgeseq_device.errors import DeviceError


class ConnectionLostError(DeviceError):
    """A connection that stood broke; the board may still be well, and what it holds stays (exit code 5)."""


class UnreachableError(DeviceError):
    """A board does not answer now; it may when it has started (exit code 5)."""


def missing_ssh(board: str) -> DeviceError:
    """There is no ssh on this machine."""
    return DeviceError(f"{board}: ssh is not installed on this machine; run `apt-get install openssh-client`")


def login_fault(board: str, destination: Destination, log: str) -> DeviceError:
    """Why a login failed. board: its name for people. log: all that ssh wrote to stderr.

    An UnreachableError where waiting may mend it, as while a board starts; a host key or a user that is not
    the right one stays wrong.
    """
    for pattern, describe in _LOGIN_FAULTS:
        found = re.search(pattern, log)
        if found:
            kind = UnreachableError if describe in _MAY_PASS else DeviceError
            return kind(f"{board}: {describe(destination, log, found)}")
    tried = f"try `{destination.by_hand()}` by hand"
    return UnreachableError(f"{board}: ssh cannot log in: {last_words(log) or 'it said nothing'}; {tried}")


def lost(board: str, log: str) -> ConnectionLostError:
    """The connection broke. log: all that the connection's own ssh wrote to stderr."""
    reason = f" ({last_words(log)})" if last_words(log) else ""
    return ConnectionLostError(
        f"{board}: the connection broke{reason}; check the board's power and network and try again"
    )


def last_words(text: str) -> str:
    """The last line that says anything, for a message in one line."""
    lines = [printable(line) for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")


_Describe = Callable[[Destination, str, "re.Match[str]"], str]


def _key_changed(destination: Destination, log: str, _found: re.Match[str]) -> str:
    place = re.search(r"Offending (?:\S+ key|key) in (.+):(\d+)\s*$", log, re.MULTILINE)
    host = re.search(r"[Hh]ost key for (\S+) has changed", log)
    key_of = host.group(1) if host else destination.host
    forget = ["ssh-keygen", *(("-f", place.group(1)) if place else ()), "-R", key_of]
    line = f", not the one in line {place.group(2)} of {place.group(1)}" if place else ""
    return (
        f"HOST KEY CHANGED: {destination} shows another key than before{line}. Somebody may be listening in. "
        f"Only if you know that the board was reinstalled or replaced: run `{shlex.join(forget)}`, then "
        f"{_compare(destination)}"
    )


def _key_revoked(destination: Destination, _log: str, _found: re.Match[str]) -> str:
    return f"{destination} shows a host key that your known_hosts marks as revoked; do not use this board"


def _key_unknown(destination: Destination, _log: str, _found: re.Match[str]) -> str:
    return f"its host key is not known here yet; {_compare(destination)}"


def _compare(destination: Destination) -> str:
    return (
        f"run `{destination.by_hand()}` once by hand and say yes only if the fingerprint is the one that "
        "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows on the board itself"
    )


def _permission_denied(destination: Destination, _log: str, found: re.Match[str]) -> str:
    user = f"{destination.user}@" if destination.user else ""  # ssh-copy-id has no -l
    *options, _, host = replace(destination, user=None).ssh_words()
    copy = shlex.join(["ssh-copy-id", *options, user + host])
    return (
        f"it lets none of your SSH keys in ({printable(found.group(0))}); put one there with `{copy}`, "
        "or load yours with `ssh-add` if it has a passphrase"
    )


def _name_unknown(_destination: Destination, _log: str, found: re.Match[str]) -> str:
    return (
        f"the name {printable(found.group(1))} leads to no machine; check its spelling and that the board is "
        "on and in this network, or use its IP address"
    )


def _refused(_destination: Destination, _log: str, found: re.Match[str]) -> str:
    return (
        f"nothing answers SSH there ({printable(found.group(1))}); is the port right? On a Raspberry Pi "
        "`sudo raspi-config nonint do_ssh 0` switches SSH on"
    )


def _unreachable(destination: Destination, _log: str, found: re.Match[str]) -> str:
    said = printable(found.group(1) or found.group(2))
    return f"{destination} cannot be reached ({said}); is the board on and in this network?"


def _bad_configuration(_destination: Destination, _log: str, found: re.Match[str]) -> str:
    return f"ssh refuses its own configuration: {printable(found.group(0))}; mend that file"


_MAY_PASS = (_name_unknown, _refused, _unreachable)
_TIMED_OUT = "(?:Connection|Operation) timed out|No route to host|Network is unreachable|Host is down"
_DENIED = r"Permission denied \([^)]*\)|Too many authentication failures|No more authentication methods"
_CONFIGURATION = "Bad configuration option|Can't open user config file|Bad owner or permissions on"

# The first that matches what ssh said.
_LOGIN_FAULTS: Sequence[tuple[str, _Describe]] = (
    (r"REVOKED HOST KEY", _key_revoked),
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED|[Hh]ost key for \S+ has changed", _key_changed),
    (r"No .*host key is known for|Host key verification failed", _key_unknown),
    (_DENIED, _permission_denied),
    (r"Could not resolve hostname (\S+?):", _name_unknown),
    (r"connect to .*: (Connection refused)", _refused),
    (rf"(?:connect to .*|exchange): ({_TIMED_OUT})|(Connection to \S+ port \d+ timed out)", _unreachable),
    (rf".*(?:{_CONFIGURATION}).*", _bad_configuration),
)
