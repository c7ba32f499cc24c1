"""What this process holds in RAM, from Linux's /proc.

Under qemu-user the process's own figures include the emulator, so only pages of the guest's mappings are
counted there: /proc/self/maps is the guest's view, /proc/thread-self/smaps the host's. (/proc/self/smaps is
the guest's view too since QEMU 10.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgeseq_device.emulation import emulation
from edgeseq_device.errors import DeviceError

_PROC = Path("/proc/self")
_HOST_SMAPS = Path("/proc/thread-self/smaps")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ *(.*)")


@dataclass(frozen=True)
class Resident:
    """rss_bytes: pages in RAM. pss_bytes: each shared page divided among its sharers; None if unknown."""

    rss_bytes: int
    pss_bytes: int | None


@dataclass(frozen=True)
class Mapping:
    """Addresses [start, end) of one mapping, the file behind it ("" for none), the offset in it in bytes."""

    start: int
    end: int
    offset: int
    file: str


def rss_bytes() -> int:
    """Resident set size of this process now; the guest's part of it under qemu-user."""
    return _resident().rss_bytes


def pss_bytes() -> int | None:
    """Proportional set size of this process now; None without smaps_rollup (before Linux 4.14)."""
    return _resident().pss_bytes


def peak_rss_bytes() -> int | None:
    """The largest resident set since this program was exec'ed (VmHWM).

    None under qemu-user, where the kernel's figure includes the emulator.
    """
    if _under_qemu_user():
        return None
    peak = status_bytes(_status(), "VmHWM")
    # The kernel batches its counters; the peak can lag behind an exact reading by some pages.
    return None if peak is None else max(peak, rss_bytes())


def status_bytes(lines: Iterable[str], key: str) -> int | None:
    """The figure `key` (such as VmHWM) of a /proc/PID/status or smaps_rollup, in bytes; None if absent."""
    for line in lines:
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    return None


def guest_resident(maps: Iterable[str], smaps: Iterable[str]) -> Resident:
    """The part of the host's `smaps` that lies in the guest's `maps` (both line by line).

    Guest addresses are the host's less a constant that a file mapped by both reveals.
    """
    guest = [mapping for mapping in map(parse_mapping, maps) if mapping is not None]
    by_file: dict[tuple[str, int], int] = {}
    for mapping in guest:
        if mapping.file.startswith("/"):
            by_file.setdefault((mapping.file, mapping.offset), mapping.start)
    base: int | None = None
    host: list[tuple[Mapping, list[int]]] = []
    for line in smaps:
        mapping_here = parse_mapping(line)
        if mapping_here is not None:
            host.append((mapping_here, [0, 0]))
            start = by_file.get((mapping_here.file, mapping_here.offset))
            if base is None and start is not None:
                base = mapping_here.start - start
        elif line.startswith(("Rss:", "Pss:")) and host:
            host[-1][1][line.startswith("Pss:")] = int(line.split()[1]) * 1024
    return _sum_inside(guest, host, base or 0)


def parse_mapping(line: str) -> Mapping | None:
    """The head line of a mapping in maps or smaps; None for any other line."""
    found = _MAPPING.match(line)
    if found is None:
        return None
    start, end, offset, file = found.groups()
    return Mapping(int(start, 16), int(end, 16), int(offset, 16), file.strip())


def _sum_inside(guest: list[Mapping], host: list[tuple[Mapping, list[int]]], base: int) -> Resident:
    rss = pss = 0
    for mapping, (rss_here, pss_here) in host:
        if any(g.start + base < mapping.end and g.end + base > mapping.start for g in guest):
            rss += rss_here
            pss += pss_here
    return Resident(rss, pss)


def _resident() -> Resident:
    if _under_qemu_user():
        with (_PROC / "maps").open() as maps, _HOST_SMAPS.open() as smaps:
            return guest_resident(maps, smaps)
    # smaps_rollup walks the pages; VmRSS is a batched counter that can be some hundred KB off.
    try:
        lines = (_PROC / "smaps_rollup").read_text().splitlines()
    except OSError:
        lines = []
    rss = status_bytes(lines, "Rss")
    if rss is None:
        rss = status_bytes(_status(), "VmRSS")
    if rss is None:
        raise DeviceError("/proc/self/status has no VmRSS line: this kernel's memory figures are unknown")
    return Resident(rss, status_bytes(lines, "Pss"))


def _under_qemu_user() -> bool:
    found = emulation()
    return found is not None and found.tier == "user"


def _status() -> list[str]:
    try:
        return (_PROC / "status").read_text().splitlines()
    except OSError as error:
        raise DeviceError(
            f"/proc/self/status cannot be read ({error}): RAM is measured on Linux only"
        ) from error
