"""From the name that --device was given to the device."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeseq.devices import virtual
from edgeseq.devices.agent_link import Device, Launch
from edgeseq.devices.cache import Progress
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.profiles import profile, profile_names, virtual_board_names
from edgeseq.names import unknown
from edgeseq_device.errors import DeviceError, UsageError

LOCAL = "local"


@dataclass
class VirtualDevice:
    """An emulated board: right answers, instructions and RAM, no latency."""

    name: str
    emulated: bool = True
    description: str = field(init=False)

    def __post_init__(self) -> None:
        self.description = f"virtual {profile(self.name).board}, emulated"

    @property
    def cores(self) -> int:
        """Those of the real board."""
        return profile(self.name).cores

    def prepare(self, progress: Progress) -> Launch:
        """Fetch and unpack the board at the first use. DeviceError when this machine cannot have one."""
        board = virtual.prepare(self.name, progress)
        self.description = f"virtual {profile(self.name).board}, emulated by {board.description}"
        return board.launch


def device_names() -> tuple[str, ...]:
    """Every name that --device takes."""
    return (LOCAL, *profile_names())


def pick_device(name: str) -> Device:
    """The device called `name`.

    UsageError, naming the nearest, for an unknown name; DeviceError for a board that cannot be emulated.
    """
    if name == LOCAL:
        return LocalDevice()
    if name not in profile_names():
        raise UsageError(unknown("device", name, device_names()))
    if name not in virtual_board_names():
        emulated = ", ".join(virtual_board_names())
        raise DeviceError(
            f"{name}: there is no virtual {name}; bench on {LOCAL} or on a virtual board ({emulated}), "
            f"or run edgeseq on the {name} itself with --device {LOCAL}"
        )
    return VirtualDevice(name)
