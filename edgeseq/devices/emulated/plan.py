"""What a virtual board is made from, and the folders that it is made into, named by the hash of that."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, cache_root, content_key
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.board_files import board_files, read_imitation
from edgeseq.devices.emulated.emulator import check_host
from edgeseq.devices.emulated.launchers import launcher
from edgeseq.devices.profiles import Profile, profile, virtual_board_names
from edgeseq.devices.sources import System, read_system, virtualpi_sources
from edgeseq.devices.wheel_tables import wheel_table
from edgeseq_device.errors import DeviceError, UsageError

PYTHON, COUNTING_PYTHON = "python", "counting-python"
PROGRAM, COUNTING_PROGRAM = "program", "counting-program"
"""The launchers' file names: of the board's Python, and of any program made for it."""
FORMAT = "1"
"""Counts up when what a prepared folder holds changes although its sources did not."""


@dataclass(frozen=True)
class Plan:
    """A virtual board to be made on a host of `architecture` (Debian's name) under the folder `home`.

    qemu_cpu: the emulated core. sources: the folder device/virtualpi.
    """

    profile: Profile
    qemu_cpu: str
    system: System
    sources: Path
    architecture: str
    home: Path

    @property
    def emulator(self) -> Path:
        """The folder with qemu and the instruction counter; the same for every board."""
        packages = json.dumps([self.system.suite, self.system.emulator_packages])
        return self._folder("emulator", self.architecture, packages, (self.sources / "qinsn.c").read_bytes())

    @property
    def guest(self) -> Path:
        """The folder with Debian for arm64 and the runtimes; the same for every board."""
        system = (self.sources / "system.json").read_bytes()
        return self._folder("guest", system, wheel_table(self.system.wheel_tag).path.read_bytes())

    @property
    def board(self) -> Path:
        """The folder with the board's own files and launchers; it links to the other two."""
        return self._folder(self.profile.name, json.dumps([self.files(""), self.launchers()]))

    @property
    def folders(self) -> tuple[Path, Path, Path]:
        """Everything a board needs, in the order of making."""
        return self.emulator, self.guest, self.board

    @property
    def is_ready(self) -> bool:
        """Whether all folders are complete."""
        return all((folder / COMPLETE).is_file() for folder in self.folders)

    def files(self, emulator: str) -> dict[str, str]:
        """The imitated files, by path; `emulator` goes into the marker."""
        imitation = read_imitation(self.sources / f"boards/{self.profile.name}.json")
        return board_files(self.profile, imitation, self.system.suite, emulator)

    def launchers(self) -> dict[str, str]:
        """The scripts, by file name."""
        folders = self.guest.name, self.emulator.name, self.architecture
        python, program = (*folders, self.system.python, self.qemu_cpu), (*folders, None, self.qemu_cpu)
        return {
            PYTHON: launcher(*python),
            COUNTING_PYTHON: launcher(*python, counting=True),
            PROGRAM: launcher(*program),
            COUNTING_PROGRAM: launcher(*program, counting=True),
        }

    def describe_emulator(self) -> str:
        """Such as "qemu-user 7.2.22 cortex-a72"; the emulator must be complete."""
        description = json.loads((self.emulator / COMPLETE).read_text("utf-8"))
        return f"qemu-user {description['version']} {self.qemu_cpu}"

    def _folder(self, name: str, *content: str | bytes) -> Path:
        return self.home / f"{name}-{content_key(FORMAT, *content)}"


def plan_board(board: str) -> Plan:
    """The plan of the virtual `board` for this machine.

    UsageError for a name that has no virtual board, DeviceError for a machine that cannot run one.
    """
    found = profile(board)
    if found.qemu_cpu is None:
        names = " and ".join(virtual_board_names())
        raise UsageError(
            f"there is no virtual {board}, only {names} can be emulated; bench on the real board"
        )
    if platform.system() != "Linux":
        raise DeviceError(
            f"virtual boards need Linux, this is {platform.system()}; bench on a real board instead"
        )
    architecture = apt.host_architecture()
    check_host(architecture)
    sources = virtualpi_sources()
    home = cache_root() / "virtual"
    if "," in str(home):
        raise DeviceError(f"{home}: QEMU cannot use a folder with a comma; name another in EDGESEQ_CACHE_DIR")
    return Plan(found, found.qemu_cpu, read_system(sources), sources, architecture, home)
