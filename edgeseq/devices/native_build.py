"""The native runner and the LiteRT library it loads: compiled and unpacked here, once, into the cache."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeseq import __version__
from edgeseq.devices.cache import (
    COMPLETE,
    Progress,
    build_folder,
    building_alone,
    cache_root,
    content_key,
    mark_used,
    part_of,
    remove_unused,
)
from edgeseq.devices.commands import fault
from edgeseq.devices.sources import device_sources
from edgeseq.devices.wheel_cache import cached_wheels
from edgeseq.devices.wheel_tables import WheelTable, wheel_table
from edgeseq_device.elf import python_machine
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.layout import LIBRARY, RUNNER
from edgeseq_device.measuring.native_runner import NativeRunner
from edgeseq_device.measuring.runners import check_machine

BENCH = "edgeseq-bench"
"""What measures on a board that no host reaches; like the runner out of device/native."""

PACKAGE = "ai-edge-litert"
VERSION_MIN = (2, 1, 6)
"""Of ai-edge-litert: earlier libraries have another interface."""

LIBRARY_IN_PACKAGES = f"ai_edge_litert/{LIBRARY}"
"""Where the library is in the wheel, and in a folder that it is unpacked to."""


@dataclass(frozen=True)
class Compiler:
    """What compiles the runner. name: as build.py takes it. version: such as "0.15.1"."""

    name: str
    version: str


def compiler(machine: str, name: str | None = None) -> Compiler:
    """What compiles the runner for a machine: by default zig, else gcc. DeviceError, saying what to install,
    where there is none."""
    command = [sys.executable, str(device_sources("native") / "build.py"), "--which", "--machine", machine]
    done = _run([*command, *(("--compiler", name) if name else ())])
    if done.returncode == DeviceError.exit_code:
        raise DeviceError(done.stderr.strip())
    if done.returncode != 0:
        raise fault("the compiler for the native runner does not run", done.stderr)
    found, _, version = done.stdout.strip().partition(" ")
    return Compiler(found, version)


def runner(machine: str, progress: Progress) -> Path:
    """edgeseq-run for this machine, or one that is emulated here, by any compiler; compiled at the first use
    and when its sources change.

    DeviceError where the machine has none or there is no compiler, saying what to install.
    """
    check_machine(machine)
    return program(RUNNER, machine, compiler(machine), progress)


def board_runner(machine: str, progress: Progress) -> Path:
    """The same for a board, by zig alone: gcc's needs a C library as new as this machine's."""
    check_machine(machine)
    return program(RUNNER, machine, compiler(machine, "zig"), progress)


def program(name: str, machine: str, chosen: Compiler, progress: Progress) -> Path:
    """RUNNER or BENCH for a machine that `check_machine` takes, compiled by what `compiler` found."""
    sources = device_sources("native")
    key = content_key(__version__, machine, chosen.name, chosen.version, *_content(sources))

    def build(folder: Path) -> None:
        progress(0.0, f"compiling {name} for {machine} ({chosen.name} {chosen.version})")
        _compile(sources, machine, chosen, folder / name)
        (folder / COMPLETE).write_text("{}\n")

    return _prepared(f"{name.removeprefix('edgeseq-')}-{machine}-{key}", build, progress) / name


def litert_library(machine: str, progress: Progress) -> tuple[Path, str]:
    """libLiteRt.so for a machine, and its version, such as "2.3.0": out of the pinned wheel.

    DeviceError where the wheel cannot be had.
    """
    table = library_table(machine)
    (pin,) = (each for each in table.pins if each.package == PACKAGE)

    def build(folder: Path) -> None:
        (wheel,) = cached_wheels([pin], table, part_of(progress, 0.0, 0.9))
        progress(0.9, f"unpacking {LIBRARY}")
        with zipfile.ZipFile(wheel) as archive:
            try:
                content = archive.read(LIBRARY_IN_PACKAGES)
            except KeyError:
                raise DataError(f"{wheel.name}: has no {LIBRARY_IN_PACKAGES}; reinstall edgeseq") from None
        (folder / LIBRARY).write_bytes(content)
        (folder / COMPLETE).write_text("{}\n")

    folder = _prepared(f"litert-{pin.version}-{machine}-{pin.sha256[:16]}", build, progress)
    return folder / LIBRARY, pin.version


def library_table(machine: str) -> WheelTable:
    """The table whose wheel has the library: it is the same for every Python."""
    check_machine(machine)
    return wheel_table(f"cp311-{machine}")


def local_runner(progress: Progress) -> NativeRunner:
    """The runner for this machine, with the library of the ai-edge-litert that is installed here: both
    runners then use the same. DeviceError, saying what to do, where this machine cannot have one."""
    machine = python_machine()
    if platform.system() != "Linux":
        raise DeviceError(f"the native runner needs Linux, this is {platform.system()}; take --runner python")
    check_machine(machine)
    library, version = installed_library()
    return NativeRunner((str(runner(machine, progress)),), str(library), version)


def installed_library() -> tuple[Path, str]:
    """libLiteRt.so of the ai-edge-litert of this Python, and its version. DeviceError where there is none, or
    one that is too old."""
    install = f"run: {sys.executable} -m pip install '{PACKAGE}>={'.'.join(map(str, VERSION_MIN))}'"
    found = importlib.util.find_spec("ai_edge_litert")
    if found is None or not found.submodule_search_locations:
        raise DeviceError(
            f"the native runner loads {LIBRARY} of {PACKAGE}, which is not installed; {install}"
        )
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise DeviceError(
            f"{found.submodule_search_locations[0]}: of an unknown version, no {PACKAGE} is installed; "
            f"{install}"
        ) from None
    library = Path(found.submodule_search_locations[0]) / LIBRARY
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < VERSION_MIN or not library.is_file():
        raise DeviceError(f"{PACKAGE} {version} is too old for the native runner; {install}")
    return library, version


def _content(sources: Path) -> list[bytes]:
    """What the runner is made from: the sources' names and contents, and how they are compiled."""
    files = [sources / "build.py", *sorted((sources / "src").rglob("*.[ch]"))]
    return [part for file in files for part in (str(file.relative_to(sources)).encode(), file.read_bytes())]


def _compile(sources: Path, machine: str, chosen: Compiler, output: Path) -> None:
    command = [
        *(sys.executable, str(sources / "build.py"), "--machine", machine, "--compiler", chosen.name),
        *("--program", output.name, "--version", __version__, "--output", str(output)),
    ]
    done = _run(command)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        reason = next((line for line in lines if "error:" in line), lines[-1])
        raise fault(f"{output.name} does not compile with {chosen.name} {chosen.version}", reason)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )


def _prepared(name: str, build: Callable[[Path], None], progress: Progress) -> Path:
    """The folder `name` of the cache, filled by `build` unless it is there."""
    home = cache_root() / "native"
    folder = home / name
    if not (folder / COMPLETE).is_file():
        with building_alone(home, lambda: progress(0.0, "waiting for another edgeseq that makes it")):
            if not (folder / COMPLETE).is_file():
                build_folder(folder, build)
            remove_unused(home, {folder})
    mark_used(folder)
    return folder
