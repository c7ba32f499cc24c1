"""Guards: which readings make a measurement invalid, and which only explain it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.emulation import MARKER, read_text
from edgeseq_device.measuring import guards
from edgeseq_device.measuring.guards import (
    frequency_hz,
    judge_guards,
    read_guards,
    temperature_c,
    throttled_bits,
    worst_of,
)

CALM: dict[str, Any] = {
    "governor": "performance",
    "frequency_hz": 1_800_000_000,
    "frequency_max_hz": 1_800_000_000,
    "temperature_c": 48.7,
    "throttled_bits": 0,
    "load_1min": 0.1,
    "cores": 4,
    "swapped_pages": 12,
    "swap_used_bytes": 0,
    "ram_available_bytes": 3_000_000_000,
}


def pi_files(root: Path) -> Path:
    files = {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
        "sys/class/thermal/thermal_zone0/type": "battery\n",
        "sys/class/thermal/thermal_zone0/temp": "20000\n",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "48686\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        "proc/loadavg": "0.27 0.17 0.10 2/87 4853\n",
        "proc/vmstat": "nr_free_pages 1\npswpin 3\npswpout 4\n",
        "proc/meminfo": "MemTotal: 100 kB\nMemAvailable: 80 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_a_pis_files_are_read_with_their_units(tmp_path: Path) -> None:
    assert read_guards(pi_files(tmp_path)) == {
        "governor": "ondemand",
        "frequency_hz": 1_800_000_000,
        "frequency_max_hz": 1_800_000_000,
        "temperature_c": 48.686,
        "throttled_bits": 0x50005,
        "load_1min": 0.27,
        "cores": os.cpu_count(),
        "swapped_pages": 7,
        "swap_used_bytes": 6 * 1024,
        "ram_available_bytes": 80 * 1024,
    }


def test_an_emulated_board_has_no_readings(tmp_path: Path) -> None:
    root = pi_files(tmp_path)
    (root / MARKER).parent.mkdir()
    (root / MARKER).write_text('{"board": "pi4", "tier": "user", "emulator": "qemu"}')
    readings = read_guards(root)
    assert set(readings) == set(CALM)
    assert set(readings.values()) == {None}
    assert judge_guards(readings, readings) == ([], [])


def test_a_machine_without_any_of_the_files_has_nones(tmp_path: Path) -> None:
    assert {name for name, value in read_guards(tmp_path).items() if value is not None} == {"cores"}


def test_a_calm_board_breaks_nothing() -> None:
    assert judge_guards(CALM, CALM) == ([], [])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"throttled_bits": 0x1}, "under-voltage"),
        ({"throttled_bits": 0x40000}, "throttled"),
        ({"temperature_c": 82.0}, "82 °C"),
        ({"swapped_pages": 500}, "488 pages"),
        ({"governor": "powersave"}, "powersave"),
    ],
)
def test_what_happened_meanwhile_makes_the_result_invalid(changed: dict[str, Any], reason: str) -> None:
    broken, _ = judge_guards(CALM, {**CALM, **changed})
    assert len(broken) == 1
    assert reason in broken[0]


def test_throttling_long_before_is_only_a_warning() -> None:
    before = {**CALM, "throttled_bits": 0x10000}
    broken, warnings = judge_guards(before, before)
    assert broken == []
    assert "under-voltage" in warnings[0]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ({"load_1min": 900.0}, "busy"),
        ({"governor": "ondemand"}, "ondemand"),
        ({"ram_available_bytes": 10_000_000}, "10 MB"),
    ],
)
def test_a_busy_or_unsettled_machine_is_warned_about(before: dict[str, Any], reason: str) -> None:
    broken, warnings = judge_guards({**CALM, **before}, {**CALM, **before})
    assert broken == []
    assert len(warnings) == 1
    assert reason in warnings[0]


def test_a_zone_that_does_not_tell_is_passed_over(tmp_path: Path) -> None:
    root = pi_files(tmp_path)
    (root / "sys/class/thermal/thermal_zone1/temp").unlink()
    assert temperature_c(root) == 20.0


def firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: str) -> None:
    """A vcgencmd on PATH that knows `answers`, the branches of a shell's case."""
    program = tmp_path / "bin" / "vcgencmd"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncase "$*" in\n{answers}\n*) exit 1 ;;\nesac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_a_pis_firmware_is_asked_for_the_clock_and_the_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware(
        tmp_path,
        monkeypatch,
        'measure_clock*arm) echo "frequency(48)=1000265600" ;;\nget_throttled) echo throttled=0xe0008 ;;',
    )
    assert frequency_hz(Path("/")) == 1_000_265_600
    assert throttled_bits(Path("/")) == 0xE0008


@pytest.mark.parametrize("answer", ["echo denied >&2; exit 255", "echo 'error=2 error_msg=\"no\"'", ":"])
def test_a_firmware_that_does_not_answer_leaves_what_linux_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    root = pi_files(tmp_path / "root")  # of this machine's own processor the clock is another each time
    monkeypatch.setattr(guards, "read_text", lambda path: read_text(root / path.relative_to("/")))
    firmware(tmp_path, monkeypatch, f"measure_clock*|get_throttled) {answer} ;;")
    assert (frequency_hz(Path("/")), throttled_bits(Path("/"))) == (1_800_000_000, 0x50005)


def test_the_hottest_moment_and_every_flag_of_several_readings_are_kept() -> None:
    hot = {**CALM, "temperature_c": 81.5, "throttled_bits": 0x8, "load_1min": 2.0}
    assert worst_of(hot, CALM) == {**CALM, "temperature_c": 81.5, "throttled_bits": 0x8}
    assert worst_of(CALM, {**hot, "throttled_bits": 0x4})["throttled_bits"] == 0x4
    unknown = dict.fromkeys(CALM)
    assert worst_of(unknown, unknown) == unknown
    assert worst_of(hot, unknown)["temperature_c"] == 81.5
