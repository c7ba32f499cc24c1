"""Where the sources of virtual boards and images are: in a checkout, or inside the installed package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import DeviceError

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class System:
    """system.json: Debian's suite, the packages taken from it, the guest's Python."""

    suite: str
    guest_packages: tuple[str, ...]
    emulator_packages: tuple[str, ...]
    python: str

    @property
    def wheel_tag(self) -> str:
        """The name of the guest's table of wheels (see `wheel_tables`)."""
        return f"cp{self.python.replace('.', '')}-aarch64"


def virtualpi_sources() -> Path:
    """The folder with system.json, qinsn.c and boards/; DeviceError if it is not there."""
    return device_sources("virtualpi")


def device_sources(name: str) -> Path:
    """The folder device/`name` of a checkout or its copy in the package; DeviceError if it is not there."""
    for folder in (_HERE / "_sources" / name, _HERE.parents[1] / "device" / name):
        if folder.is_dir():
            return folder
    raise DeviceError(f"{_HERE}: the folder {name} is missing from this installation; reinstall edgeseq")


def device_file(name: str) -> Path:
    """The file device/`name` of a checkout or its copy in the package; DeviceError if it is not there."""
    for file in (_HERE / "_sources" / name, _HERE.parents[1] / "device" / name):
        if file.is_file():
            return file
    raise DeviceError(f"{_HERE}: {name} is missing from this installation; reinstall edgeseq")


def read_system(sources: Path) -> System:
    """system.json of the folder `sources`; DataError, naming the key, when it is malformed."""
    content = json.loads((sources / "system.json").read_text("utf-8"))
    return settings_from_dict(System, content, "system.json")
