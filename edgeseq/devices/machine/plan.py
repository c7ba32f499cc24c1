"""What the virtual Pi is made from, and the folders it is made into, named by the hash of that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, content_key
from edgeseq.devices.plan import Plan, plan_board
from edgeseq.settings import settings_from_dict

NAME = "virtual-pi"
"""The machine's name: for --device, as its host name and in its ssh_config."""
USER_BOARD = "pi4"
"""The virtual board whose Debian, runtimes and qemu-user the machine is made with."""
FORMAT = "1"
"""Counts up when what a prepared folder holds changes although its sources did not."""


@dataclass(frozen=True)
class MachineSystem:
    """machine.json.

    qemu_cpu: the emulated core. host_packages: Debian's packages with qemu-system and mke2fs.
    kernel_package: the one that depends on the newest kernel. guest_packages: added to those of system.json.
    unwanted_packages: patterns of package names that apt fetches along and that the machine does without.
    modules: of the kernel, besides those they depend on. busybox_commands: those that no package brings.
    free_bytes: of the disk, for the machine's user.
    """

    qemu_cpu: str
    host_packages: tuple[str, ...]
    kernel_package: str
    guest_packages: tuple[str, ...]
    unwanted_packages: tuple[str, ...]
    modules: tuple[str, ...]
    busybox_commands: tuple[str, ...]
    free_bytes: int


@dataclass(frozen=True)
class MachinePlan:
    """The virtual Pi to be made on this host. user: the virtual board it shares Debian and runtimes with."""

    user: Plan
    system: MachineSystem

    @property
    def sources(self) -> Path:
        """The folder device/virtualpi/machine."""
        return self.user.sources / "machine"

    @property
    def home(self) -> Path:
        """The cache's folder that holds the prepared ones."""
        return self.user.home

    @property
    def qemu(self) -> Path:
        """The folder with qemu-system and mke2fs."""
        packages = json.dumps([self.user.system.suite, self.system.host_packages])
        return self._folder("qemu-system", self.user.architecture, packages)

    @property
    def image(self) -> Path:
        """The folder with the kernel, the disk and the keys."""
        files = sorted(path for path in self.sources.rglob("*") if path.is_file())
        contents = [(str(path.relative_to(self.sources)), path.read_bytes()) for path in files]
        return self._folder(NAME, self.user.guest.name, *(part for each in contents for part in each))

    @property
    def is_ready(self) -> bool:
        """Whether both folders are complete."""
        return all((folder / COMPLETE).is_file() for folder in (self.qemu, self.image))

    def describe_emulator(self) -> str:
        """Such as "qemu-system 7.2.22 cortex-a72"; the folder `qemu` must be complete."""
        description = json.loads((self.qemu / COMPLETE).read_text("utf-8"))
        return f"qemu-system {description['version']} {self.system.qemu_cpu}"

    def _folder(self, name: str, *content: str | bytes) -> Path:
        return self.home / f"{name}-{content_key(FORMAT, *content)}"


def plan_machine() -> MachinePlan:
    """The plan for this machine. DeviceError for one that cannot emulate a board."""
    user = plan_board(USER_BOARD)
    content = json.loads((user.sources / "machine/machine.json").read_text("utf-8"))
    return MachinePlan(user, settings_from_dict(MachineSystem, content, "machine.json"))
