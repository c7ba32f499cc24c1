"""Every device there is to name: configured boards, virtual ones, and boards that have no host yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeseq.devices.emulated import virtual
from edgeseq.devices.machine import run as machine
from edgeseq.devices.machine.plan import NAME
from edgeseq.devices.profiles import profile, profile_names, virtual_board_names
from edgeseq.devices.registry import configured_devices
from edgeseq_device.errors import EdgeseqError


@dataclass(frozen=True)
class KnownDevice:
    """A name that --device takes. kind: "board" (over SSH), "machine" (virtual-pi), "virtual" (one program
    under qemu-user) or "profile" (a kind of board that no host is configured for). where: an address, None
    where there is none. ram_bytes: of a machine that runs."""

    name: str
    kind: str
    board: str | None
    where: str | None
    state: str
    ram_bytes: int | None = None


def known_devices() -> tuple[KnownDevice, ...]:
    """All of them; none is contacted."""
    return (*_configured(), _machine(), *_virtual(), *_profiles())


def _configured() -> Iterator[KnownDevice]:
    for each in configured_devices():
        board = None if each.board is None else profile(each.board).board
        yield KnownDevice(each.name, "board", board, each.destination, "over SSH")


def _machine() -> KnownDevice:
    found = machine.status()
    ram_bytes = None if found.running is None else found.running.ram_bytes
    where = None if found.running is None else f"127.0.0.1:{found.running.port}"
    prepared = "prepared" if found.ready else "not prepared"
    state = prepared if ram_bytes is None else f"runs, {ram_bytes / 1e6:.0f} MB"
    return KnownDevice(NAME, "machine", "virtual machine", where, state, ram_bytes)


def _virtual() -> Iterator[KnownDevice]:
    for name in virtual_board_names():
        try:
            found = virtual.status(name)
            state = "prepared" if found.ready else "not prepared"
        except EdgeseqError as error:
            state = str(error)
        yield KnownDevice(name, "virtual", profile(name).board, None, state)


def _profiles() -> Iterator[KnownDevice]:
    taken = {*virtual_board_names(), *(each.name for each in configured_devices())}
    for name in profile_names():
        if name not in taken:
            yield KnownDevice(name, "profile", profile(name).board, None, "no host is configured")
