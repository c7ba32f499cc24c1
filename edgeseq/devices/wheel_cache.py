"""Pinned wheels in the cache: each is fetched once, and again when it is damaged."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edgeseq.devices.cache import (
    COMPLETE,
    Progress,
    build_folder,
    building_alone,
    cache_root,
    mark_used,
    part_of,
    remove_unused,
)
from edgeseq.devices.wheel_tables import Pin, WheelTable
from edgeseq.devices.wheels import fetch_wheels
from edgeseq_device.artifact import sha256_of


def cached_wheels(pins: Sequence[Pin], table: WheelTable, progress: Progress) -> list[Path]:
    """The wheels of `pins`, which are out of `table`, from the cache or fetched into it by pip; their content
    is what was pinned.

    DeviceError when one cannot be had.
    """
    home = cache_root() / "wheels"
    found = []
    with building_alone(home, lambda: progress(0.0, "waiting for another edgeseq that fetches wheels")):
        for index, pin in enumerate(pins):
            share = part_of(progress, index / len(pins), (index + 1) / len(pins))
            found.append(_cached(pin, table, home, share))
        remove_unused(home, {each.parent for each in found})
    progress(1.0, "the wheels are here")
    return found


def _cached(pin: Pin, table: WheelTable, home: Path, progress: Progress) -> Path:
    folder = home / f"{pin.package}-{pin.version}-{pin.sha256[:16]}"
    if (folder / COMPLETE).is_file():
        for path in folder.glob("*.whl"):
            if sha256_of(path) == pin.sha256:
                mark_used(folder)
                return path
        shutil.rmtree(folder)  # damaged

    def build(new: Path) -> None:
        requirements = new / "requirements.txt"
        requirements.write_text(f"{pin.line}\n")
        fetch_wheels(requirements, table.python, table.platforms, new, progress)
        (new / COMPLETE).write_text("{}\n")

    build_folder(folder, build)
    (path,) = folder.glob("*.whl")  # pip has compared its hash with the pin's
    return path
