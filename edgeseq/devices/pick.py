"""From the name that --device was given to the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edgeseq import __version__
from edgeseq.devices.board import SshDevice
from edgeseq.devices.cache import Progress
from edgeseq.devices.emulated import virtual
from edgeseq.devices.links import Device, Link
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.machine import run as machine
from edgeseq.devices.names import LOCAL, VIRTUAL_PI
from edgeseq.devices.profiles import profile, profile_names, virtual_board_names
from edgeseq.devices.registry import ConfiguredDevice, configured_device, configured_devices
from edgeseq.devices.ssh.destination import Destination, parse_destination
from edgeseq.names import unknown
from edgeseq_device.errors import DeviceError, UsageError

IMAGE = f"edgeseq-agent:{__version__}"
"""What device/docker-bake.hcl calls the agent's image."""


@dataclass
class VirtualDevice:
    """An emulated board: right answers, instructions and RAM, no latency."""

    name: str
    emulated: bool = True
    description: str = field(init=False)

    def __post_init__(self) -> None:
        self.description = f"virtual {profile(self.name).board}, emulated"

    @property
    def cores(self) -> int | None:
        """Those of the real board."""
        return profile(self.name).cores

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        """Fetch and unpack the board at the first use. DeviceError when this machine cannot have one."""
        board = virtual.prepare(self.name, progress)
        self.description = f"virtual {profile(self.name).board}, emulated by {board.description}"
        yield board.link


def device_names() -> tuple[str, ...]:
    """Every name that --device takes."""
    configured = (each.name for each in configured_devices())
    return tuple(dict.fromkeys((LOCAL, VIRTUAL_PI, *configured, *profile_names())))


def pick_device(name: str, *, emulate: bool = False, image: str | None = None) -> Device:
    """The device called `name`: over SSH where a host is configured for it, else the virtual board.

    emulate: the virtual board in any case. image: the container to run the agent in, over SSH. UsageError,
    naming the nearest, for an unknown name; DeviceError for a board that is neither configured nor emulated.
    """
    if image is not None and (not image or image.startswith("-")):
        raise UsageError(f"--image {image!r:.100}: not a name of an image")
    host = None if emulate else _reachable(name, image)
    if host is not None:
        return host
    if image is not None and name == LOCAL:
        raise UsageError("--via docker: name a board that is reached over SSH with --device")
    if image is not None:
        raise UsageError(
            f"--via docker: {name} is not reached over SSH; add a host: edgeseq device add {name} HOST"
        )
    if name == LOCAL and not emulate:
        return LocalDevice()
    if name not in device_names():
        raise UsageError(unknown("device", name, device_names()))
    emulated = ", ".join(virtual_board_names())
    if emulate and name not in virtual_board_names():
        raise UsageError(f"--emulate: there is no virtual form of {name}; virtual ones: {emulated}")
    if name not in virtual_board_names():
        raise DeviceError(
            f"{name}: no host is configured for it and there is no virtual {name}; add one with "
            f"`edgeseq device add {name} USER@HOST`, or bench on {LOCAL} or a virtual board ({emulated})"
        )
    return VirtualDevice(name)


def pick_host(name: str) -> SshDevice | LocalDevice:
    """The device called `name` if it keeps what it is sent: this machine, or one that answers to SSH.

    UsageError, naming the nearest, for an unknown name; DeviceError for a board without a host.
    """
    found = _reachable(name, None)
    if found is not None:
        return found
    if name == LOCAL:
        return LocalDevice()
    if name not in profile_names():
        raise UsageError(unknown("device", name, device_names()))
    raise without_host(name)


def pick_board(name: str) -> SshDevice:
    """The device called `name` if it answers to SSH; see `pick_host`. UsageError for this machine, too."""
    device = pick_host(name)
    if not isinstance(device, SshDevice):
        raise UsageError(f"{name}: is this machine, not a board; what is installed here: edgeseq doctor")
    return device


def without_host(name: str) -> DeviceError:
    """What to tell of a board that is needed itself: a virtual one keeps nothing."""
    return DeviceError(
        f"{name}: no host is configured for it; add one: edgeseq device add {name} USER@HOST, or take the "
        f"virtual machine: edgeseq device start {VIRTUAL_PI}"
    )


def _reachable(name: str, image: str | None) -> SshDevice | None:
    """The device that answers to SSH under this name; None where there is none."""
    if name == VIRTUAL_PI:
        running = machine.running()
        if running is None:
            raise DeviceError(f"{name} is not running; start it: edgeseq device start {name}")
        destination = Destination(name, ssh_config=str(running.ssh_config))
        return SshDevice(name, destination, running.description, image=image, emulated=True)
    configured = configured_device(name)
    return None if configured is None else _configured(configured, image)


def _configured(device: ConfiguredDevice, image: str | None) -> SshDevice:
    board = None if device.board is None else profile(device.board)
    destination = parse_destination(device.destination, device.ssh_config)
    what = "a board" if board is None else board.board
    return SshDevice(
        device.name, destination, f"{what} at {destination}", None if board is None else board.cores, image
    )
