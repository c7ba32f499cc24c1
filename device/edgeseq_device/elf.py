"""Which processor a program or library is for, read from its own header: names and labels can be wrong."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

_MAGIC = b"\x7fELF"
_MACHINES = {(2, 0xB7): "aarch64", (1, 0x28): "armv7l", (2, 0x3E): "x86_64", (1, 0x03): "i686"}
"""By (class, e_machine): class 1 is 32 bits, 2 is 64 bits. The names are those of `uname -m`."""


def elf_machine(path: Path) -> str | None:
    """Such as "aarch64"; None for what is no ELF file. OSError when it cannot be read."""
    with path.open("rb") as file:
        header = file.read(20)
    if len(header) < 20 or header[:4] != _MAGIC:
        return None
    machine = int.from_bytes(header[18:20], "little" if header[5] == 1 else "big")
    return _MACHINES.get((header[4], machine), f"class {header[4]}, e_machine {machine:#x}")


def python_machine() -> str:
    """What libraries must be for to be loaded by this Python, which may be 32-bit on a 64-bit kernel.

    "armv6l" where only the kernel tells: the first Raspberry Pis run no library made for "armv7l".
    """
    kernel = platform.machine()
    try:
        machine = elf_machine(Path(os.path.realpath(sys.executable or "/proc/self/exe")))
    except OSError:
        machine = None
    if machine is None:
        return {"aarch64": "armv7l", "x86_64": "i686"}.get(kernel, kernel) if sys.maxsize < 2**32 else kernel
    return "armv6l" if (machine, kernel) == ("armv7l", "armv6l") else machine
