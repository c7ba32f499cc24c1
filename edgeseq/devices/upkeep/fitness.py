"""Is a board fit to be measured on? Judged from what its shell and agent told; each problem has its cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from edgeseq import __version__
from edgeseq.devices.board import PYTHON_MIN
from edgeseq.devices.profiles import Profile, profile, profile_names
from edgeseq.devices.upkeep.probing import Look
from edgeseq.devices.wheel_tables import WheelTable, wheel_table, wheel_tags
from edgeseq_device.board.libraries import NOT_INSTALLED
from edgeseq_device.measuring.guards import HOT_C
from edgeseq_device.measuring.runners import with_board

CLOCK_OFF_S = 3600.0
DISK_MIN_BYTES = 20_000_000
"""Room for the agent, an artifact and a copy of it while it is measured."""
RAM_LOW_BYTES = 64_000_000

_PERFORMANCE = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
_FLAGS = ("under-voltage", "a capped clock", "throttling", "the soft temperature limit")
_RUNTIMES = {"onnx": "ONNX Runtime", "tflite": "LiteRT"}


@dataclass(frozen=True)
class Problem:
    """Something in the way, and what to do about it. unfit: nothing should be measured until it is mended."""

    what: str
    remedy: str
    unfit: bool = False


def judge_look(name: str, look: Look) -> Iterator[Problem]:
    """What keeps the agent from being started there."""
    if not look.writable:
        yield Problem(
            "its home folder cannot be written", "look at its disk: a failing card is read-only", True
        )
    free = look.disk_free_bytes
    if free is not None and free < DISK_MIN_BYTES:
        remedy = f"make room there; edgeseq device clean {name} removes what edgeseq sent"
        yield Problem(f"its disk has {free / 1e6:.1f} MB free", remedy, True)
    if look.python is None:
        yield Problem(f"{name} has no python3", "run there: sudo apt-get install python3", True)
    elif look.python_version < PYTHON_MIN:
        first = ".".join(map(str, PYTHON_MIN))
        remedy = "upgrade its system to Raspberry Pi OS bookworm (Python 3.11) or later"
        yield Problem(f"its Python {look.python} is too old, {first} is the first that works", remedy, True)


def judge_clock(look: Look, ahead_s: float | None) -> Iterator[Problem]:
    if ahead_s is not None and look.clock_s is not None and abs(ahead_s) > CLOCK_OFF_S:
        says = datetime.fromtimestamp(look.clock_s, timezone.utc)
        yield Problem(
            f"its clock says {says:%Y-%m-%d %H:%M} UTC; results will have this machine's time",
            "give it a network with a time server, then run there: sudo timedatectl set-ntp true",
        )


def judge(
    name: str, board: Profile | None, told: Mapping[str, Any], table: WheelTable | None
) -> list[Problem]:
    """What the agent's answer says against measuring there, or against trusting it."""
    return [
        *_judge_libraries(name, told, table),
        *_judge_native(name, told["content"]["native"]),
        *_judge_board(name, board, told["system"]),
        *_judge_bits(told),
        *_judge_guards(told["guards"]),
        *_judge_memory(told),
    ]


def _judge_libraries(name: str, told: Mapping[str, Any], table: WheelTable | None) -> Iterator[Problem]:
    libraries: Mapping[str, Mapping[str, Any]] = told["libraries"]
    setup = f"edgeseq device setup {name}"
    if table is None:
        setup = f"install a system with a Python that there are wheels for: {pythons_with_wheels(told)}"
    elif "python3-numpy" in table.system_packages and libraries["numpy"]["version"] is None:
        setup = f"run there: sudo apt-get install python3-numpy; then: edgeseq device setup {name}"
    if libraries["numpy"]["version"] is None:
        yield Problem(_why("numpy", libraries["numpy"]), setup, True)
        return
    loads = [each for each in _RUNTIMES if libraries[each]["version"] is not None]
    if not loads:
        reasons = "; ".join(_why(title, libraries[each]) for each, title in _RUNTIMES.items())
        yield Problem(f"no runtime loads there: {reasons}", setup, True)
        return
    for each, title in _RUNTIMES.items():
        if each not in loads and table is not None and each in table.formats:
            yield Problem(_why(title, libraries[each]), setup)


def _judge_native(name: str, setup: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Why a native runner that is there is not used."""
    again = f"edgeseq device setup {name} --native"
    if setup is None:
        return
    if not setup["passed"]:
        because = with_board(str(setup["because"]), name)
        yield Problem(f"its native runner is not used, Python is: {because}", again)
    elif setup["edgeseq"] != __version__:
        yield Problem(
            f"its native runner is of edgeseq {setup['edgeseq']}, this is {__version__}: Python is used",
            again,
        )


def _why(title: str, library: Mapping[str, Any]) -> str:
    error = library["error"]
    return f"{title} is not installed" if error == NOT_INSTALLED else f"{title} does not load: {error}"


def pythons_with_wheels(told: Mapping[str, Any]) -> str:
    """The versions of Python that there are wheels for on a board's processor, for people."""
    machine = told["python"]["machine"]
    minors = sorted(
        int(tag.partition("-")[0].removeprefix("cp3"))
        for tag in wheel_tags()
        if tag.partition("-")[2] == machine
    )
    return (
        f"Python {', '.join(f'3.{each}' for each in minors)} on {machine}" if minors else f"none on {machine}"
    )


def _judge_board(name: str, board: Profile | None, system: Mapping[str, Any]) -> Iterator[Problem]:
    """A board that is another than it was added as gets forms that are slow on its core."""
    if board is None or board.cpu is None:
        return
    found, really = system["board_model"] or system["cpu_model"], profile_of(system)
    if really is None and board.cpu in str(system["cpu_model"] or board.cpu):
        return
    if really is None or really.name != board.name:
        better = f"with --board {really.name}" if really else "under a name that is no board's"
        yield Problem(
            f"{name} was added as {board.board}, but it is: {found}",
            f"edgeseq device remove {name}, then add it {better}",
        )


def profile_of(system: Mapping[str, Any]) -> Profile | None:
    """The board that a machine says it is; None for one without a profile."""
    known = [each for each in map(profile, profile_names()) if each.cpu is not None]
    model, cpu = str(system["board_model"] or ""), str(system["cpu_model"] or "")
    # "Raspberry Pi 3 Model B" has the profile of the B+, "Raspberry Pi 400" that of the 4.
    by_model = [each for each in known if model.startswith(_family(each.board))]
    if by_model:
        return by_model[0]
    by_cpu = [each for each in known if each.cpu is not None and each.cpu in cpu]
    return by_cpu[0] if model.startswith("Raspberry Pi") and len(by_cpu) == 1 else None


def _family(board: str) -> str:
    words = board.split()
    return " ".join(words[: 4 if "Zero" in words else 3])


def _judge_bits(told: Mapping[str, Any]) -> Iterator[Problem]:
    bits, kernel = told["python"]["bits"], told["kernel_machine"]
    if bits == 32 and kernel in ("aarch64", "x86_64"):
        yield Problem(
            f"a 32-bit system on a 64-bit kernel ({kernel}): its only runtime is tflite-runtime 2.14",
            "install the 64-bit Raspberry Pi OS, or export with --target armv7",
        )


def _judge_guards(guards: Mapping[str, Any]) -> Iterator[Problem]:
    flags, governor, temperature = guards["throttled_bits"] or 0, guards["governor"], guards["temperature_c"]
    now = [each for bit, each in enumerate(_FLAGS) if flags >> bit & 1]
    since = [each for bit, each in enumerate(_FLAGS) if flags >> (bit + 16) & 1 and each not in now]
    if now:
        yield Problem(f"it reports {' and '.join(now)}", "check its power supply and cooling", True)
    if since:
        yield Problem(
            f"it has had {' and '.join(since)} since it booted", "check its power supply and cooling"
        )
    if temperature is not None and temperature >= HOT_C:
        yield Problem(f"it is {temperature:.0f} °C hot", f"let it cool below {HOT_C:.0f} °C", True)
    if governor == "powersave":
        yield Problem("its governor is powersave, which holds the lowest clock", _PERFORMANCE, True)
    elif governor not in (None, "performance"):
        yield Problem(f"its governor is {governor}: latencies will spread", _PERFORMANCE)


def _judge_memory(told: Mapping[str, Any]) -> Iterator[Problem]:
    available, groups = told["ram_available_bytes"], told["cgroup"]
    if available is not None and available < RAM_LOW_BYTES:
        yield Problem(f"only {available / 1e6:.0f} MB of its RAM are free", "end what else runs there")
    if groups["version"] != 2 or not groups["memory"]:
        yield Problem(
            f"no memory can be limited there ({_cgroups(groups)}): --max-ram cannot be tried",
            "add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and reboot it",
        )


def table_for(told: Mapping[str, Any]) -> WheelTable | None:
    """The wheels that fit a board's Python and processor; None where there are none."""
    wanted = wheel_tag(told)
    return wheel_table(wanted) if wanted in wheel_tags() else None


def wheel_tag(told: Mapping[str, Any]) -> str:
    """Such as "cp311-armv7l": by the Python that is there, not by the kernel, which may be 64-bit."""
    return f"{told['python']['tag']}-{told['python']['machine']}"


def _cgroups(groups: Mapping[str, Any]) -> str:
    if groups["version"] == 2:
        return "its kernel's memory controller is off"
    return "it has cgroup v1, not v2" if groups["version"] == 1 else "it has no cgroups"
