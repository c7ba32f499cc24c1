"""Is this processor emulated? Instructions and RAM can be trusted there, latency never."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edgeseq_device.elf import elf_machine
from edgeseq_device.errors import DeviceError

MARKER = "etc/edgeseq-virtual-board"
"""Planted by the launcher of every virtual board; JSON with `board`, `tier` and `emulator`."""


_ARM = ("aarch64", "armv7l")


@dataclass(frozen=True)
class Emulation:
    """Why the processor counts as emulated.

    tier: "user" (one process under qemu-user) or "system" (a whole emulated machine).
    """

    tier: str
    because: str


def find_emulation(root: Path = Path("/"), machine: str | None = None) -> Emulation | None:
    """The evidence of emulation under `root`, or None on a real processor.

    The device tree's model string is never asked: virtual boards imitate it. On x86 only the marker counts,
    because a cloud machine says QEMU there and still has a real processor. DeviceError for a broken marker.
    """
    marker = root / MARKER
    if marker.is_file():
        return _from_marker(marker)
    if (platform.machine() if machine is None else machine).lower().startswith(("aarch64", "arm")):
        return _from_arm_files(root)
    return None


@lru_cache(maxsize=1)
def emulation() -> Emulation | None:
    """What `find_emulation` says of this process; asked once."""
    return find_emulation()


def read_text(path: Path) -> str | None:
    """The file without surrounding white space and NULs; None when the kernel does not offer it."""
    try:
        return path.read_text("utf-8", "replace").strip(" \t\n\0")
    except OSError:
        return None


def _from_marker(path: Path) -> Emulation:
    try:
        content = json.loads(path.read_text("utf-8"))
        tier, board, emulator = (str(content[key]) for key in ("tier", "board", "emulator"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeviceError(
            f"/{MARKER}: not a marker of a virtual board ({error}); prepare the board again"
        ) from error
    virtual = board if board.startswith("virtual") else f"virtual {board}"
    return Emulation(tier, f"/{MARKER} says: {virtual}, {emulator}")


def _from_arm_files(root: Path) -> Emulation | None:
    if "vendor_id" in (read_text(root / "proc/cpuinfo") or ""):
        return Emulation("user", "/proc/cpuinfo is that of an x86 processor while the program is an ARM one")
    interpreter = _interpreter(root)
    if interpreter is not None:
        return Emulation("user", f"the process is run by {interpreter}")
    for name in ("sys_vendor", "product_name"):
        value = read_text(root / "sys/class/dmi/id" / name) or ""
        if "qemu" in value.lower():
            return Emulation("system", f"DMI {name} is {value!r}")
    compatible = (read_text(root / "proc/device-tree/compatible") or "").split("\0")
    if "linux,dummy-virt" in compatible:
        return Emulation("system", "the device tree is QEMU's virt machine (linux,dummy-virt)")
    return None


def _interpreter(root: Path) -> str | None:
    """The program that runs this one, where the kernel knows of another than Python itself; else None.

    qemu-user answers for the files of /proc/self (`exe` and `maps`, since version 10 `smaps` and `cpuinfo`
    too) as if the guest ran by itself; those of a thread come from the kernel.
    """
    own = _program(root / "proc/self")
    for folder in (root / "proc/thread-self", root / f"proc/self/task/{os.getpid()}"):
        running = _program(folder)
        if running is None:
            continue
        name, machine = running
        if name.startswith("qemu-") or machine not in _ARM or (own is not None and own[1] != machine):
            return f"{name}, a program for {machine or 'an unknown processor'}"
    for line in (read_text(root / "proc/thread-self/maps") or "").splitlines():
        name = line.rpartition("/")[2]
        if name.startswith("qemu-") and "/" in line:
            return name
    return None


def _program(process: Path) -> tuple[str, str | None] | None:
    """The name of a process's program and the machine it is for; None where the kernel does not tell."""
    try:
        return (process / "exe").readlink().name, elf_machine(process / "exe")
    except OSError:
        return None
