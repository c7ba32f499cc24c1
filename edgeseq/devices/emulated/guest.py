"""The virtual boards' common part: Debian for arm64 with Python and the runtimes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from edgeseq.devices.cache import COMPLETE, Progress, part_of
from edgeseq.devices.commands import output_of
from edgeseq.devices.emulated import apt
from edgeseq.devices.emulated.apt_sources import sources_list
from edgeseq.devices.emulated.emulator import qemu_argv
from edgeseq.devices.emulated.launchers import python_environment
from edgeseq.devices.emulated.rootfs import link_root, make_root, unpack, write_files
from edgeseq.devices.sources import System
from edgeseq.devices.wheel_tables import wheel_table
from edgeseq.devices.wheels import fetch_wheels
from edgeseq_device.unzip import unzip

ARCHITECTURE = "arm64"

# What an agent and its workers import, so that it is compiled once and not at each start.
_WARM_IMPORTS = (
    "import argparse, dataclasses, hashlib, json, pathlib, platform, runpy, shutil, statistics, subprocess, "
    "tempfile, typing, zipfile, zipimport; import numpy, onnxruntime, ai_edge_litert.interpreter"
)


def build_guest(folder: Path, system: System, progress: Progress) -> None:
    """Fill `folder` with root/ (the board's file system) and site/ (its Python packages)."""
    root, site, fetched = folder / "root", folder / "site", folder / "fetched"
    mirrors = sources_list(system.suite, ARCHITECTURE)
    debs = apt.fetch(system.guest_packages, ARCHITECTURE, mirrors, fetched, part_of(progress, 0.0, 0.3))
    make_root(root)
    unpack(debs, root, part_of(progress, 0.3, 0.45))
    fetching = part_of(progress, 0.45, 0.9)
    table = wheel_table(system.wheel_tag)
    wheels = fetch_wheels(table.path, table.python, table.platforms, fetched / "wheels", fetching)
    for number, wheel in enumerate(wheels):
        progress(0.9 + 0.1 * number / len(wheels), f"unpacking {wheel.name.partition('-')[0]}")
        unzip(wheel, site, wheel.name)
    description: dict[str, object] = {
        "packages": [deb.stem for deb in debs],
        "wheels": [wheel.stem for wheel in wheels],
        "fetched_bytes": sum(file.stat().st_size for file in [*debs, *wheels]),
    }
    shutil.rmtree(fetched)
    (folder / COMPLETE).write_text(json.dumps(description, indent=1))


def compile_imports(
    guest: Path, emulator: Path, architecture: str, python: str, qemu_cpu: str, files: dict[str, str]
) -> None:
    """Let the guest import its runtimes once, which leaves compiled modules beside their sources.

    files: those of a board (`board_files`). DeviceError, with Python's last line, if the guest cannot.
    """
    root = guest / "board"
    link_root(root, guest / "root", "../root")
    write_files(root, files)
    environment = {**python_environment(), "QEMU_LD_PREFIX": str(root), "QEMU_CPU": qemu_cpu}
    del environment["PYTHONDONTWRITEBYTECODE"]
    environment["PYTHONPATH"] = str(guest / "site")
    command = [
        *qemu_argv(emulator / "root", architecture),
        str(guest / "root/usr/bin" / f"python{python}"),
        "-S",
    ]
    failure = "the virtual board's Python cannot import its runtimes"
    output_of([*command, "-c", _WARM_IMPORTS], environment, failure)
    shutil.rmtree(root)
