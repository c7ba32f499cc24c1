"""Guards around a measurement: was the machine throttled, hot, swapping or busy meanwhile?

Temperatures in degrees Celsius, frequencies in Hz, sizes in bytes; None where the machine offers no reading.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from edgeseq_device.emulation import find_emulation, read_text

HOT_C = 80.0
"""From here on a Raspberry Pi lowers its clock."""
SWAPPED_PAGES_MAX = 256
"""A service that wakes up may fetch a megabyte back; more than that disturbs a measurement."""

_THROTTLED_NOW = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}


def read_guards(root: Path = Path("/")) -> dict[str, object]:
    """governor, frequency_hz, frequency_max_hz, temperature_c, throttled_bits, load_1min, cores,
    swapped_pages, swap_used_bytes, ram_available_bytes; JSON-able.

    On an emulated board everything is None: its files are imitations or the host's.
    """
    if find_emulation(root) is not None:
        return dict.fromkeys(_READINGS)
    cpufreq = root / "sys/devices/system/cpu/cpu0/cpufreq"
    memory = _table_bytes(read_text(root / "proc/meminfo") or "")
    swap_total, swap_free = memory.get("SwapTotal"), memory.get("SwapFree")
    return {
        "governor": read_text(cpufreq / "scaling_governor"),
        "frequency_hz": frequency_hz(root),
        "frequency_max_hz": _scaled(cpufreq / "cpuinfo_max_freq", 1000),
        "temperature_c": temperature_c(root),
        "throttled_bits": throttled_bits(root),
        "load_1min": _load_1min(root),
        "cores": os.cpu_count(),
        "swapped_pages": _swapped_pages(read_text(root / "proc/vmstat") or ""),
        "swap_used_bytes": None if swap_total is None or swap_free is None else swap_total - swap_free,
        "ram_available_bytes": memory.get("MemAvailable"),
    }


def judge_guards(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """(broken, warnings) of a measurement that ran between two `read_guards`, each a sentence.

    One broken guard makes the result invalid; warnings only explain its spread.
    """
    broken: list[str] = []
    warnings: list[str] = []
    _judge_throttling(before, after, broken, warnings)
    _judge_clock(before, after, broken, warnings)
    _judge_memory(before, after, broken, warnings)
    load = _number(before, "load_1min")
    cores = _number(before, "cores") or 1
    if load is not None and load > cores / 2:
        warnings.append(f"the machine was busy before the measurement: load {load:.1f} on {cores:.0f} cores")
    return broken, warnings


def worst_of(earlier: Mapping[str, object], later: Mapping[str, object]) -> dict[str, object]:
    """The later reading with the higher temperature and every throttling flag of both.

    At the end of a long request a board has cooled, and the firmware's flags of what goes on are gone.
    """
    both = (earlier, later)
    hottest = max((each for each in (_number(one, "temperature_c") for one in both) if each), default=None)
    flags = [each for each in (one.get("throttled_bits") for one in both) if isinstance(each, int)]
    bits = (flags[0] | flags[-1]) if flags else None
    return {**later, "temperature_c": hottest, "throttled_bits": bits}


def temperature_c(root: Path) -> float | None:
    """The processor's thermal zone (its type names cpu or soc; else the first one that tells)."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    zones.sort(
        key=lambda zone: not any(word in (read_text(zone / "type") or "") for word in ("cpu", "soc", "pkg"))
    )
    for zone in zones:
        milli = read_text(zone / "temp") or ""
        if milli.lstrip("-").isdigit():
            return int(milli) / 1000
    return None


def frequency_hz(root: Path) -> int | None:
    """The processor's clock now.

    A Pi's firmware measures it; Linux tells there what it asked for, also while the firmware throttles.
    """
    measured = vcgencmd("measure_clock", "arm") if root == Path("/") else None
    hertz = (measured or "").rpartition("=")[2]
    if hertz.isdigit() and int(hertz) > 0:
        return int(hertz)
    return _scaled(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", 1000)


def throttled_bits(root: Path) -> int | None:
    """The Pi firmware's throttling flags: bits 0-3 now, 16-19 since boot; None without such firmware.

    vcgencmd comes first: Linux's own file holds what a driver read up to two seconds ago, and that driver
    has the flags since boot cleared at each reading.
    """
    told = [vcgencmd("get_throttled")] if root == Path("/") else []
    told.append(read_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled"))
    for text in told:
        try:
            return int((text or "").rpartition("=")[2], 16)
        except ValueError:
            continue
    return None


def vcgencmd(*words: str) -> str | None:
    """What the Pi's firmware answers; None without that program, or when it may not be asked."""
    if shutil.which("vcgencmd") is None:
        return None
    try:
        done = subprocess.run(
            ["vcgencmd", *words], capture_output=True, text=True, errors="replace", timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


_READINGS = (
    "governor", "frequency_hz", "frequency_max_hz", "temperature_c", "throttled_bits", "load_1min",
    "cores", "swapped_pages", "swap_used_bytes", "ram_available_bytes",
)  # fmt: skip


def _judge_throttling(
    before: Mapping[str, object], after: Mapping[str, object], broken: list[str], warnings: list[str]
) -> None:
    bits_before, bits_after = before.get("throttled_bits"), after.get("throttled_bits")
    earlier = bits_before if isinstance(bits_before, int) else 0
    later = bits_after if isinstance(bits_after, int) else 0
    for bit, name in _THROTTLED_NOW.items():
        happened = (earlier | later) >> bit & 1 or (later & ~earlier) >> (bit + 16) & 1
        if happened:
            broken.append(f"the board reported {name} during the measurement: check its supply and cooling")
        elif earlier >> (bit + 16) & 1:
            warnings.append(f"the board has reported {name} since it booted, not during the measurement")
    for when, reading in (("before", before), ("after", after)):
        temperature = _number(reading, "temperature_c")
        if temperature is not None and temperature >= HOT_C:
            broken.append(
                f"{temperature:.0f} °C {when} the measurement: let the board cool below {HOT_C:.0f}"
            )


def _judge_clock(
    before: Mapping[str, object], after: Mapping[str, object], broken: list[str], warnings: list[str]
) -> None:
    governor = after.get("governor")
    if governor != before.get("governor"):
        broken.append(
            f"the governor changed from {before.get('governor')} to {governor} during the measurement"
        )
    elif governor == "powersave":
        broken.append(
            "the governor is powersave, which holds the lowest clock: choose performance or ondemand"
        )
    elif governor not in (None, "performance"):
        warnings.append(f"the governor is {governor}: the clock may change during a measurement")
    frequency, highest = _number(after, "frequency_hz"), _number(after, "frequency_max_hz")
    if governor == "performance" and frequency and highest and frequency < 0.9 * highest:
        warnings.append(
            f"the clock was {frequency / 1e9:.2f} GHz afterwards, its maximum is {highest / 1e9:.2f} GHz"
        )


def _judge_memory(
    before: Mapping[str, object], after: Mapping[str, object], broken: list[str], warnings: list[str]
) -> None:
    earlier, later = _number(before, "swapped_pages"), _number(after, "swapped_pages")
    if earlier is not None and later is not None and later > earlier:
        pages = int(later - earlier)
        told = broken if pages > SWAPPED_PAGES_MAX else warnings
        told.append(f"the machine swapped {pages} pages during the measurement: free some RAM first")
    available = _number(before, "ram_available_bytes")
    if available is not None and available < 64e6:
        warnings.append(f"only {available / 1e6:.0f} MB of RAM were free before the measurement")


def _number(reading: Mapping[str, object], key: str) -> float | None:
    value = reading.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def _scaled(path: Path, factor: int) -> int | None:
    text = read_text(path)
    return int(text) * factor if text and text.isdigit() else None


def _load_1min(root: Path) -> float | None:
    text = read_text(root / "proc/loadavg")
    return float(text.split()[0]) if text else None


def _swapped_pages(vmstat: str) -> int | None:
    """Pages moved to or from swap since boot."""
    counts = dict(line.split()[:2] for line in vmstat.splitlines() if " " in line)
    if "pswpin" not in counts or "pswpout" not in counts:
        return None
    return int(counts["pswpin"]) + int(counts["pswpout"])


def _table_bytes(meminfo: str) -> dict[str, int]:
    rows = (line.split() for line in meminfo.splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3}
