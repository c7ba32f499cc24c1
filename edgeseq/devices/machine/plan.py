"""What the virtual Pi is made from, and the folders it is made into, named by the hash of that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, content_key
from edgeseq.devices.emulated.guest import ARCHITECTURE
from edgeseq.devices.emulated.plan import Plan, plan_board
from edgeseq.devices.names import VIRTUAL_PI
from edgeseq.devices.wheel_tables import WheelTable, wheel_table
from edgeseq.settings import settings_from_dict

NAME = VIRTUAL_PI
"""For --device, as its host name and in its ssh_config."""
USER_BOARD = "pi4"
"""The virtual board whose Debian, runtimes and qemu-user the machine is made with."""
FORMAT = "1"
"""Counts up when what a prepared folder holds changes although its sources did not."""


@dataclass(frozen=True)
class MachineSystem:
    """machine.json.

    qemu_cpu: the emulated core. host_packages: Debian's packages with qemu-system and mke2fs.
    kernel_packages: the kernel, and what its first file system is made of. modules: of the kernel, besides
    those they depend on. guest_packages: added to Python's, those of system.json. unwanted_packages: patterns
    of package names that apt fetches along and that the machine does without. busybox_commands: those that no
    package brings. free_bytes: of the disk, for the machine's user. wheels_32_bit: the table of wheels for a
    32-bit Python. links_32_bit: links, and where they point, that Debian makes when it installs packages.
    """

    qemu_cpu: str
    host_packages: tuple[str, ...]
    kernel_packages: tuple[str, ...]
    modules: tuple[str, ...]
    guest_packages: tuple[str, ...]
    unwanted_packages: tuple[str, ...]
    busybox_commands: tuple[str, ...]
    free_bytes: int
    wheels_32_bit: str
    links_32_bit: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MachinePlan:
    """The virtual Pi to be made on this host.

    user: the virtual board it shares Debian and runtimes with. bits: of its programs; the kernel has 64.
    """

    user: Plan
    system: MachineSystem
    bits: int = 64

    @property
    def sources(self) -> Path:
        """The folder device/virtualpi/machine."""
        return self.user.sources / "machine"

    @property
    def home(self) -> Path:
        """The cache's folder that holds the prepared ones."""
        return self.user.home

    @property
    def architecture(self) -> str:
        """Debian's name for the machine's programs."""
        return ARCHITECTURE if self.bits == 64 else "armhf"

    @property
    def qemu(self) -> Path:
        """The folder with qemu-system and mke2fs."""
        return self._folder("qemu-system", self.user.architecture, json.dumps(self.system.host_packages))

    @property
    def kernel(self) -> Path:
        """The folder with the kernel and its first file system."""
        packages = json.dumps([self.system.kernel_packages, self.system.modules])
        return self._folder("kernel", packages, (self.sources / "initrd-init").read_bytes())

    @property
    def image(self) -> Path:
        """The folder with the disk and the keys."""
        files = sorted(path for path in self.sources.rglob("*") if path.is_file())
        contents = [(str(path.relative_to(self.sources)), path.read_bytes()) for path in files]
        wheels = self.wheels.path.read_bytes()
        parts = (part for each in contents for part in each)
        return self._folder(f"{NAME}-{self.bits}", self.user.guest.name, wheels, *parts)

    @property
    def folders(self) -> tuple[Path, Path, Path]:
        """Everything the machine needs besides the virtual board, in the order of making."""
        return self.qemu, self.kernel, self.image

    @property
    def is_ready(self) -> bool:
        """Whether all folders are complete."""
        return all((folder / COMPLETE).is_file() for folder in self.folders)

    @property
    def wheels(self) -> WheelTable:
        """The runtimes of its Python."""
        return wheel_table(self.user.system.wheel_tag if self.bits == 64 else self.system.wheels_32_bit)

    def describe_emulator(self) -> str:
        """Such as "qemu-system 7.2.22 cortex-a72"; the folder `qemu` must be complete."""
        description = json.loads((self.qemu / COMPLETE).read_text("utf-8"))
        return f"qemu-system {description['version']} {self.system.qemu_cpu}"

    def _folder(self, name: str, *content: str | bytes) -> Path:
        return self.home / f"{name}-{content_key(FORMAT, self.user.system.suite, *content)}"


def plan_machine(bits: int = 64) -> MachinePlan:
    """The plan for this machine. DeviceError for one that cannot emulate a board."""
    user = plan_board(USER_BOARD)
    content = json.loads((user.sources / "machine/machine.json").read_text("utf-8"))
    return MachinePlan(user, settings_from_dict(MachineSystem, content, "machine.json"), bits)
