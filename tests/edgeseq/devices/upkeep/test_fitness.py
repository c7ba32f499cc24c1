"""What is in the way of measuring on a board, judged from what it told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.profiles import profile
from edgeseq.devices.upkeep.fitness import Problem, judge, judge_clock, judge_look, profile_of, table_for
from edgeseq.devices.upkeep.probing import Look

LOOK = Look("aarch64", "6.6", 64, "3.11.2", ("python3",), 1_750_000_000, 10**10, 4 * 10**9, 3 * 10**9, True)
MISSING = {"version": None, "file": None, "error": "not installed"}


@pytest.fixture
def told() -> dict[str, Any]:
    """What a Raspberry Pi 4 tells with which nothing is wrong."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("told_pi4.json").read_text("utf-8"))
    return found


def problems(told: dict[str, Any], board: str | None = "pi4") -> list[Problem]:
    return judge("pi4", None if board is None else profile(board), told, table_for(told))


def only(told: dict[str, Any], board: str | None = "pi4") -> Problem:
    (found,) = problems(told, board)
    return found


def test_a_board_with_all_it_needs_has_no_problem(told: dict[str, Any]) -> None:
    assert problems(told) == []
    assert list(judge_look("pi4", LOOK)) == []


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ({"python": None, "pythons": ()}, "pi4 has no python3", "sudo apt-get install python3"),
        ({"python": "3.7.3"}, "Python 3.7.3 is too old", "bookworm"),
        ({"disk_free_bytes": 3_000_000}, "3.0 MB free", "edgeseq device clean pi4"),
        ({"writable": False}, "cannot be written", "card"),
    ],
)
def test_what_keeps_the_agent_from_starting(change: dict[str, Any], what: str, remedy: str) -> None:
    (found,) = judge_look("pi4", replace(LOOK, **change))
    assert found.unfit
    assert what in found.what
    assert remedy in found.remedy


def test_a_clock_that_is_years_off_is_told_and_no_more() -> None:
    look = replace(LOOK, clock_s=86_400)
    (found,) = judge_clock(look, -1.7e9)
    assert not found.unfit
    assert "its clock says 1970-01-02 00:00 UTC" in found.what
    assert list(judge_clock(LOOK, 5.0)) == []


def test_a_runtime_that_is_missing_is_set_up(told: dict[str, Any]) -> None:
    told["libraries"]["onnx"] = MISSING
    found = only(told)
    assert (found.unfit, found.what, found.remedy) == (
        False,
        "ONNX Runtime is not installed",
        "edgeseq device setup pi4",
    )
    told["libraries"]["tflite"] = {**MISSING, "error": "the process that loads it is killed by SIGILL"}
    found = only(told)
    assert found.unfit
    assert "LiteRT does not load: the process that loads it is killed by SIGILL" in found.what


def test_numpy_comes_from_debian_where_there_is_no_wheel(told: dict[str, Any]) -> None:
    told["libraries"]["numpy"] = MISSING
    assert only(told).remedy == "edgeseq device setup pi4"
    told["python"].update(machine="armv7l", bits=32)
    numpy, bits = problems(told)
    assert numpy.remedy == ("run there: sudo apt-get install python3-numpy; then: edgeseq device setup pi4")
    assert (numpy.unfit, bits.unfit) == (True, False)


def test_a_python_that_has_no_wheels_is_told_with_those_that_have(told: dict[str, Any]) -> None:
    told["libraries"].update(onnx=MISSING, tflite=MISSING)
    told["python"]["tag"] = "cp314"
    found = only(told)
    assert found.unfit
    assert "Python 3.9, 3.10, 3.11, 3.12, 3.13 on aarch64" in found.remedy


def test_a_32_bit_system_on_a_64_bit_kernel_lacks_only_what_was_made_for_it(told: dict[str, Any]) -> None:
    told["python"].update(machine="armv7l", bits=32)
    told["libraries"]["onnx"] = MISSING  # there is none to be set up
    found = only(told)
    assert "32-bit system on a 64-bit kernel (aarch64)" in found.what
    assert "--target armv7" in found.remedy


def test_a_board_that_is_another_is_told(told: dict[str, Any]) -> None:
    told["system"].update(
        board_model="Raspberry Pi 5 Model B Rev 1.0", cpu_model="ARM Cortex-A76 (0x41/0xd0b)"
    )
    found = only(told)
    assert not found.unfit
    assert "added as Raspberry Pi 4 Model B, but it is: Raspberry Pi 5 Model B Rev 1.0" in found.what
    assert "--board pi5" in found.remedy
    assert problems(told, None) == problems(told, "aarch64") == problems(told, "pi5") == []
    told["system"].update(board_model=None, cpu_model="AMD EPYC")
    assert "it is: AMD EPYC" in only(told).what


@pytest.mark.parametrize(
    ("model", "cpu", "name"),
    [
        ("Raspberry Pi 4 Model B Rev 1.4", "ARM Cortex-A72 (0x41/0xd08)", "pi4"),
        ("Raspberry Pi 400 Rev 1.0", "ARM Cortex-A72 (0x41/0xd08)", "pi4"),
        ("Raspberry Pi Compute Module 4 Rev 1.0", "ARM Cortex-A72 (0x41/0xd08)", "pi4"),
        ("Raspberry Pi 500 Rev 1.0", "ARM Cortex-A76 (0x41/0xd0b)", "pi5"),
        ("Raspberry Pi 3 Model B Rev 1.2", "ARM Cortex-A53 (0x41/0xd03)", "pi3"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "ARM Cortex-A53 (0x41/0xd03)", "zero2"),
        ("Raspberry Pi Zero W Rev 1.1", "ARM1176 (0x41/0xb76)", None),
        ("Radxa ROCK 5B", "ARM Cortex-A76 (0x41/0xd0b)", None),
        (None, None, None),
    ],
)
def test_a_board_is_known_by_its_model(model: str | None, cpu: str | None, name: str | None) -> None:
    found = profile_of({"board_model": model, "cpu_model": cpu})
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("guards", "what", "unfit"),
    [
        ({"throttled_bits": 0x50005}, "it reports under-voltage and throttling", True),
        ({"throttled_bits": 0x50000}, "it has had under-voltage and throttling since it booted", False),
        ({"temperature_c": 81.0}, "it is 81 °C hot", True),
        ({"governor": "powersave"}, "holds the lowest clock", True),
        ({"governor": "ondemand"}, "its governor is ondemand: latencies will spread", False),
    ],
)
def test_a_throttled_or_slowed_board_is_told(
    told: dict[str, Any], guards: dict[str, Any], what: str, unfit: bool
) -> None:
    told["guards"].update(guards)
    found = only(told)
    assert what in found.what
    assert found.unfit == unfit


def test_little_ram_and_a_kernel_that_limits_none_are_told(told: dict[str, Any]) -> None:
    told.update(ram_available_bytes=30_000_000, cgroup={"version": 2, "memory": False})
    ram, groups = problems(told)
    assert "only 30 MB of its RAM are free" in ram.what
    assert "cgroup_enable=memory" in groups.remedy
    assert not ram.unfit
    assert not groups.unfit
