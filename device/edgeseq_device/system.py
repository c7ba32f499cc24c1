"""What this machine is: the provenance of a measurement.

Functions that read files take the `root` they are under, so that a sample of a board's files can be read.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from edgeseq_device.emulation import find_emulation, read_text

# Of an x86 processor's 150 flags, those that choose a kernel in a runtime.
_X86_FEATURES = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512", "avx_vnni", "amx")


def describe_system(root: Path = Path("/"), machine: str | None = None) -> dict[str, object]:
    """The provenance of a measurement, JSON-able: a figure that is not known is None.

    Keys: board_model, machine, os, os_bits, kernel, cpu_model, cpu_features, cores (this process may use),
    ram_bytes, python, glibc, emulated, emulated_because, emulation_tier, warnings.
    os_bits are those of the Python that runs: a 64-bit kernel may carry a 32-bit system.
    Under qemu-user the kernel is the host's; cores and RAM would be too, so they are None.
    """
    machine = platform.machine() if machine is None else machine
    cpuinfo = read_text(root / "proc/cpuinfo") or ""
    emulation = find_emulation(root, machine)
    under_user_emulator = emulation is not None and emulation.tier == "user"
    return {
        "board_model": _board_model(root),
        "machine": machine,
        "os": _os_name(read_text(root / "etc/os-release") or ""),
        "os_bits": 64 if sys.maxsize > 2**32 else 32,
        "kernel": platform.release(),
        "cpu_model": cpu_model(cpuinfo),
        "cpu_features": cpu_features(cpuinfo),
        "cores": None if under_user_emulator else len(os.sched_getaffinity(0)),
        "ram_bytes": None if under_user_emulator else _ram_bytes(root),
        "python": platform.python_version(),
        "glibc": _glibc(),
        "emulated": emulation is not None,
        "emulated_because": None if emulation is None else emulation.because,
        "emulation_tier": None if emulation is None else emulation.tier,
        "warnings": _machine_warnings(root, cpuinfo) if emulation is None else [],
    }


def cpu_model(cpuinfo: str) -> str | None:
    """The processor's name in a /proc/cpuinfo; on ARM such as "ARM Cortex-A72 (0x41/0xd08)"."""
    fields = _fields(cpuinfo)
    if "model name" in fields and "CPU part" not in fields:
        return fields["model name"]
    if "CPU part" not in fields:
        return None
    part, implementer = fields["CPU part"], fields.get("CPU implementer", "?")
    return f"{_ARM_PARTS.get((implementer, part), 'unknown ARM core')} ({implementer}/{part})"


def cpu_features(cpuinfo: str) -> list[str]:
    """The features a runtime chooses its kernels by: all on ARM, the vector ones on x86; sorted."""
    fields = _fields(cpuinfo)
    if "Features" in fields:
        return sorted(fields["Features"].split())
    return sorted(flag for flag in fields.get("flags", "").split() if flag.startswith(_X86_FEATURES))


_ARM_PARTS = {
    ("0x41", "0xd03"): "ARM Cortex-A53",
    ("0x41", "0xd08"): "ARM Cortex-A72",
    ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xb76"): "ARM1176",
    ("0x41", "0xc07"): "ARM Cortex-A7",
}


def _fields(cpuinfo: str) -> dict[str, str]:
    """The fields of the first processor, and those after the last one (such as Model)."""
    found: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            found.setdefault(name.strip(), value.strip())
    return found


def _board_model(root: Path) -> str | None:
    model = read_text(root / "proc/device-tree/model")
    if model:
        return model
    told = _fields(read_text(root / "proc/cpuinfo") or "").get("Model")
    if told:  # a container sees no device tree
        return told
    dmi = (read_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    return " ".join(part for part in dmi if part) or None


def _os_name(release: str) -> str | None:
    for line in release.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")
    return None


def _ram_bytes(root: Path) -> int | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def _glibc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):  # musl
        return None


def _machine_warnings(root: Path, cpuinfo: str) -> list[str]:
    """A real processor that is shared with strangers still gives latencies, but noisier ones."""
    if "hypervisor" not in _fields(cpuinfo).get("flags", "").split():
        return []
    vendor = read_text(root / "sys/class/dmi/id/sys_vendor")
    return [f"this is a virtual machine ({vendor or 'maker unknown'}): others may share its cores"]
