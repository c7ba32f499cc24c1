"""The files by which a program recognises a Raspberry Pi, written for a virtual one.

qemu-user serves them in place of the host's. Without the right /proc/cpuinfo a runtime would choose its
kernels for the host's processor: `import onnxruntime` crashes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgeseq.devices.profiles import Profile
from edgeseq.settings import settings_from_dict
from edgeseq_device.emulation import MARKER


@dataclass(frozen=True)
class CpuInfo:
    """The identification registers as /proc/cpuinfo prints them."""

    implementer: str
    variant: str
    part: str
    revision: str
    bogomips: str


@dataclass(frozen=True)
class FrequencyKhz:
    """The clock's range in kHz, the unit of cpufreq's files."""

    min: int
    max: int


@dataclass(frozen=True)
class Cache:
    """A cache of `size` (such as "48K"); shared: by all cores, else each has its own."""

    level: int
    type: str
    size: str
    shared: bool


@dataclass(frozen=True)
class Imitation:
    """What a board's files say; one JSON file each in device/virtualpi/boards."""

    model: str
    cpuinfo: CpuInfo
    frequency_khz: FrequencyKhz
    caches: tuple[Cache, ...]


def read_imitation(path: Path) -> Imitation:
    """DataError, naming the file and the key, when it is not one."""
    return settings_from_dict(Imitation, json.loads(path.read_text("utf-8")), path.name)


def board_files(profile: Profile, imitation: Imitation, suite: str, emulator: str) -> dict[str, str]:
    """Content by path relative to the guest's root, the marker of a virtual board among them.

    suite: Debian's name of the guest's release. emulator: such as "qemu-user 7.2.22 cortex-a72". ValueError
    for the profile of a kind of boards.
    """
    if profile.cores is None:
        raise ValueError(f"{profile.name} is a kind of boards, none of them in particular")
    marker = {"board": profile.name, "tier": "user", "emulator": emulator}
    files = {
        MARKER: json.dumps(marker) + "\n",
        "etc/os-release": f'ID=debian\nVERSION_CODENAME={suite}\nPRETTY_NAME="Debian GNU/Linux ({suite})"\n',
        "etc/ld.so.preload": "",  # else the guest's loader would read the host's
        "etc/ld.so.cache": "",
        "proc/cpuinfo": _cpuinfo(profile, profile.cores, imitation),
        "proc/device-tree/model": imitation.model + "\0",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "48686\n",
    }
    cpu = "sys/devices/system/cpu"
    all_cores = f"0-{profile.cores - 1}\n"
    files |= {f"{cpu}/{name}": all_cores for name in ("possible", "present", "online")}
    files[f"{cpu}/kernel_max"] = f"{profile.cores - 1}\n"
    for core in range(profile.cores):
        files |= {
            f"{cpu}/cpu{core}/{name}": content
            for name, content in _core(profile.cores, imitation, core).items()
        }
    return files


def _cpuinfo(profile: Profile, count: int, imitation: Imitation) -> str:
    info = imitation.cpuinfo
    fields = (
        ("BogoMIPS", info.bogomips),
        ("Features", " ".join(profile.features)),
        ("CPU implementer", info.implementer),
        ("CPU architecture", "8"),
        ("CPU variant", info.variant),
        ("CPU part", info.part),
        ("CPU revision", info.revision),
    )
    body = "".join(f"{name}\t: {value}\n" for name, value in fields)
    cores = "".join(f"processor\t: {core}\n{body}\n" for core in range(count))
    return f"{cores}Model\t\t: {imitation.model}\n"


def _core(count: int, imitation: Imitation, core: int) -> dict[str, str]:
    """The files in /sys/devices/system/cpu/cpuN."""
    all_cores, mask = f"0-{count - 1}", f"{(1 << count) - 1:x}"
    frequency = imitation.frequency_khz
    values: dict[str, object] = {
        "topology/physical_package_id": 0,
        "topology/core_id": core,
        "cpufreq/cpuinfo_max_freq": frequency.max,
        "cpufreq/cpuinfo_min_freq": frequency.min,
        "cpufreq/scaling_cur_freq": frequency.max,
        "cpufreq/scaling_governor": "ondemand",
    }
    values |= {
        f"topology/{name}_list": all_cores for name in ("core_siblings", "package_cpus", "cluster_cpus")
    }
    values |= {f"topology/{name}_list": core for name in ("thread_siblings", "core_cpus")}
    values |= {f"topology/{name}": mask for name in ("core_siblings", "package_cpus")}
    for index, cache in enumerate(imitation.caches):
        values |= {
            f"cache/index{index}/level": cache.level,
            f"cache/index{index}/type": cache.type,
            f"cache/index{index}/size": cache.size,
            f"cache/index{index}/shared_cpu_list": all_cores if cache.shared else core,
            f"cache/index{index}/coherency_line_size": 64,
        }
    return {name: f"{value}\n" for name, value in values.items()}
