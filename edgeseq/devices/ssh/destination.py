"""Where a board is: what a user writes as pi@raspberrypi.local, checked and in its parts."""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass

from edgeseq_device.errors import UsageError

# Narrower than what DNS and OpenSSH take, so that no part can be an option, a shell's word or a second word.
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}")
_INTERFACE = re.compile(r"[A-Za-z0-9._-]{1,15}")
_FORMS = "write user@host, user@host:port, [IPv6 address]:port or a Host of your ~/.ssh/config"


@dataclass(frozen=True)
class Destination:
    """A machine with an SSH server.

    host: a name, an address or a Host of the user's SSH configuration. user and port: None leaves them to
    that configuration. ssh_config: a file to use in its place. `parse_destination` makes one and checks it.
    """

    host: str
    user: str | None = None
    port: int | None = None
    ssh_config: str | None = None

    def __str__(self) -> str:
        """As a user writes it."""
        user = f"{self.user}@" if self.user else ""
        if self.port is None:
            return f"{user}{self.host}"
        return f"{user}[{self.host}]:{self.port}" if ":" in self.host else f"{user}{self.host}:{self.port}"

    def ssh_words(self) -> list[str]:
        """What `ssh` needs to find the machine, the host last and never taken for an option."""
        words = ["-F", self.ssh_config] if self.ssh_config is not None else []
        words += ["-l", self.user] if self.user is not None else []
        words += ["-p", str(self.port)] if self.port is not None else []
        return [*words, "--", self.host]

    def by_hand(self) -> str:
        """The command with which a user tries the same connection."""
        return shlex.join(["ssh", *(word for word in self.ssh_words() if word != "--")])


def parse_destination(text: str, ssh_config: str | None = None) -> Destination:
    """The destination that `text` names.

    UsageError, saying which forms there are, for all else: a leading "-", blanks, quotes, ";", "$(" ...
    """
    user, at, place = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise UsageError(f"{text!r:.100}: {user!r:.60} cannot be a user's name; {_FORMS}")
    host, port = _split_port(place)
    if not (_HOST.fullmatch(host) or _is_ipv6(host)):
        raise UsageError(f"{text!r:.100}: {host!r:.60} cannot be a host; {_FORMS}")
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise UsageError(f"{text!r:.100}: {port!r:.60} is no port from 1 to 65535; {_FORMS}")
    return Destination(host, user if at else None, None if port is None else int(port), ssh_config)


def _split_port(place: str) -> tuple[str, str | None]:
    """The host and the text of the port; an IPv6 address has a port only where it is in brackets."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", place, re.DOTALL)
    if bracketed:
        # Brackets are for addresses: without its colons [pi]:22 would pass for a name.
        host = bracketed.group(1)
        return (host if ":" in host else place), bracketed.group(2)
    if _is_ipv6(place):
        return place, None
    host, colon, port = place.partition(":")
    return host, port if colon else None


def _is_ipv6(host: str) -> bool:
    """Such as fe80::1%eth0; the interface is checked too."""
    address, percent, interface = host.partition("%")
    if percent and not _INTERFACE.fullmatch(interface):
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True
