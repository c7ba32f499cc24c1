"""Where the virtual boards' sources are: in a checkout, or inside the installed package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import DeviceError

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class System:
    """system.json: Debian's suite, the packages taken from it, the guest's Python and platform tags."""

    suite: str
    guest_packages: tuple[str, ...]
    emulator_packages: tuple[str, ...]
    python: str
    wheel_platforms: tuple[str, ...]


def virtualpi_sources() -> Path:
    """The folder with system.json, wheels.txt, qinsn.c and boards/; DeviceError if it is not there."""
    for folder in (_HERE / "_sources/virtualpi", _HERE.parents[1] / "device/virtualpi"):
        if (folder / "system.json").is_file():
            return folder
    raise DeviceError(
        f"{_HERE}: the virtual boards' sources are missing from this installation; reinstall edgeseq"
    )


def read_system(sources: Path) -> System:
    """system.json of the folder `sources`; DataError, naming the key, when it is malformed."""
    content = json.loads((sources / "system.json").read_text("utf-8"))
    return settings_from_dict(System, content, "system.json")
