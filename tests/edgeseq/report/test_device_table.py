"""The tables of `edgeseq device`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.profiles import profile
from edgeseq.devices.upkeep.checking import Findings
from edgeseq.devices.upkeep.fitness import Problem, table_for
from edgeseq.devices.upkeep.probing import Look
from edgeseq.report.device_table import check_rows, problem_lines

LOOK = Look(
    "aarch64",
    "6.6",
    None,
    "3.11.2",
    ("python3", "python3.11", "python3.13"),
    0,
    10**10,
    4 * 10**9,
    10**9,
    True,
)


@pytest.fixture
def told() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "devices" / "upkeep" / "told_pi4.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def rows(told: dict[str, Any] | None, ahead_s: float | None = 0.0) -> dict[str, str]:
    table = None if told is None else table_for(told)
    return dict(check_rows(Findings("pi4", "pi@host", profile("pi4"), LOOK, told, ahead_s, table, ())))


def test_a_board_is_told_fact_by_fact(told: dict[str, Any]) -> None:
    found = rows(told)
    assert found["board"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert found["Python"] == "3.11.2, also python3.13"
    assert found["programs"] == "64 bits"
    assert found["RAM"] == "1,000 MB free of 4,000 MB (of 4 GiB the kernel keeps the rest)"
    assert found["temperature"] == "46.2 °C"
    assert found["throttled"] == "never since it booted"
    assert found["wheels that fit"].endswith("ai-edge-litert 2.3.0 (cp311-aarch64)")
    assert found["~/.edgeseq"] == "0.1 MB (blobs 0.1)"
    assert found["native runner"] == "not set up"


def test_a_native_runner_is_told_with_what_it_passed(told: dict[str, Any]) -> None:
    setup = {"passed": True, "library_version": "2.3.0", "edgeseq": "1.0", "artifact": "gestures"}
    told["content"]["native"] = setup
    assert rows(told)["native runner"] == "LiteRT 2.3.0, of edgeseq 1.0, passed with gestures"
    told["content"]["native"] = {**setup, "passed": False}
    assert rows(told)["native runner"] == "did not pass its set-up"


@pytest.mark.parametrize(
    ("seen_bytes", "text"),
    [
        (239 * 10**6, "9 MB free of 239 MB (of 256 MiB the kernel keeps the rest)"),
        (300 * 10**6, "9 MB free of 300 MB"),
        (1 << 30, "9 MB free of 1,074 MB"),
        (None, "9 MB free of unknown"),
    ],
)
def test_ram_that_the_kernel_keeps_is_not_missing(seen_bytes: int | None, text: str) -> None:
    look = replace(LOOK, ram_bytes=seen_bytes, ram_available_bytes=9 * 10**6)
    assert dict(check_rows(Findings("pi4", "pi@host", None, look, None, 0.0, None, ())))["RAM"] == text


def test_what_no_agent_told_is_left_out() -> None:
    found = rows(None)
    assert found["programs"] == "does not say"
    assert "LiteRT" not in found


@pytest.mark.parametrize(
    ("ahead_s", "text"),
    [(5, "right"), (-7200, "2.0 hours behind"), (86400 * 400, "400 days ahead"), (None, "does not say")],
)
def test_a_clock_is_right_or_off_by_so_much(ahead_s: float | None, text: str) -> None:
    assert rows(None, ahead_s)["clock"] == text


def test_a_board_cannot_write_to_the_terminal(told: dict[str, Any]) -> None:
    told["system"]["board_model"] = "\x1b]0;title\x07Pi"
    told["libraries"]["onnx"] = {"version": None, "file": None, "error": "\x1b[2J"}
    assert not any("\x1b" in each for each in rows(told).values())
    problem = Problem("\x1b[2Jno", "mend it")
    findings = Findings("pi4", "pi@host", None, LOOK, told, 0.0, None, (problem,))
    assert list(problem_lines(findings)) == ["to know: [2Jno\n    mend it"]


def test_what_makes_a_board_unfit_comes_first() -> None:
    problems = (Problem("slow", "cool it"), Problem("off", "switch it on", True))
    findings = Findings("pi4", "pi@host", None, LOOK, None, 0.0, None, problems)
    assert [line.partition(":")[0] for line in problem_lines(findings)] == ["in the way", "to know"]
