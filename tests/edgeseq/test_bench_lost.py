"""An agent that is lost while it measures: what was measured is kept, the rest is measured or explained."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench import CONNECTIONS_MAX, BenchOptions, bench, verdict
from edgeseq.devices.agent_link import AgentEndedError
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import LocalLink, Sent
from edgeseq_device.errors import DeviceError
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import QUICK

OPTIONS = BenchOptions(formats=("tflite",), limits=replace(QUICK, power_s=0.1))
LOST = "pi9: the cable was pulled"

# Passes an agent's events on, and ends as a broken `ssh` does behind so many outcomes.
_CUT = """
import json, subprocess, sys
outcomes, command = int(sys.argv[1]), sys.argv[2:]
agent = subprocess.Popen(command, stdout=subprocess.PIPE)
for line in agent.stdout:
    event = json.loads(line)["event"]
    if event in ("outcome", "result") and outcomes == 0:
        agent.terminate()
        agent.wait()
        sys.exit(255)
    outcomes -= event == "outcome"
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
sys.exit(agent.wait())
"""


@dataclass
class CutLink:
    """A link whose agents live for so many outcomes each, None for as long as they like."""

    lives: tuple[int | None, ...] = ()
    comes_back: bool = True
    started: int = 0
    reopened: int = 0
    root: str | None = None
    worker_command: tuple[str, ...] | None = None
    counting_worker_command: tuple[str, ...] | None = None

    def agent(self, role: str) -> list[str]:
        life = self.lives[self.started] if self.started < len(self.lives) else None
        self.started += 1
        command = LocalLink().agent(role)
        return command if life is None else [sys.executable, "-c", _CUT, str(life), *command]

    def send(self, path: Path, progress: Progress) -> Sent:
        return LocalLink().send(path, progress)

    def reopen(self) -> None:
        self.reopened += 1
        if not self.comes_back:
            raise DeviceError("pi9: no route to it")

    def explain(self, error: AgentEndedError) -> str:
        assert error.status == 255
        return LOST


@dataclass
class CutBoard:
    """A board made of this machine at the end of a bad cable."""

    link: CutLink
    name: str = "pi9"
    emulated: None = None
    description: str = "a board made of this machine"
    cores: int | None = 4

    @contextmanager
    def open(self, progress: Progress) -> Iterator[CutLink]:
        progress(1.0, "ready")
        yield self.link


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))


def measure(artifact: Path, link: CutLink) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    events: list[Mapping[str, Any]] = []
    result = bench(artifact, CutBoard(link), OPTIONS, lambda _fraction, _label: None, events.append)
    validate_result(result, complete=True)
    return result, events


def test_a_board_that_comes_back_is_asked_for_the_rest_and_the_lost_measurement_has_failed(
    pristine_artifact: Path,
) -> None:
    link = CutLink((1, None))
    result, events = measure(pristine_artifact, link)
    (model,) = result["models"]
    assert model["ram_peak_bytes"] > 0
    assert model["not_measured"]["parity_error"] == LOST
    assert model["step_parity_ok"]
    assert model["latency_p50_ms"] > 0
    assert link.reopened == 1
    assert [each["message"] for each in events if each["event"] == "lost"] == [LOST]
    assert f"{LOST}; the rest was measured after it was reached again" in result["warnings"]
    fault = verdict(result)
    assert isinstance(fault, DeviceError)
    assert LOST in str(fault)


def test_a_board_that_stays_away_leaves_what_was_measured_before(pristine_artifact: Path) -> None:
    result, _events = measure(pristine_artifact, CutLink((2,), comes_back=False))
    (model,) = result["models"]
    assert model["parity_ok"]
    assert model["step_parity_ok"] is None
    assert model["latency_p50_ms"] is None
    assert not result["valid"]
    assert result["invalid_because"][0] == f"{LOST}; it could not be reached again: pi9: no route to it"
    assert result["guards_after"] == {}


def test_a_board_that_is_lost_again_and_again_is_given_up(pristine_artifact: Path) -> None:
    link = CutLink((0,) * 9)
    result, _events = measure(pristine_artifact, link)
    assert link.started == CONNECTIONS_MAX
    assert f"pi9: lost {CONNECTIONS_MAX} times" in result["invalid_because"]


def test_a_board_that_is_lost_before_it_begins_gives_no_result(pristine_artifact: Path) -> None:
    class Dead(CutLink):
        def agent(self, role: str) -> list[str]:
            return [sys.executable, "-c", "raise SystemExit(255)", role]

    with pytest.raises(DeviceError, match="the cable was pulled"):
        measure(pristine_artifact, Dead())


def test_a_clock_that_is_years_off_is_told_and_not_used(pristine_artifact: Path) -> None:
    old = (
        "import sys, edgeseq_device.measuring.agent as agent\n"
        "class Past(agent.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, zone=None):\n        return cls(1970, 1, 1, tzinfo=zone)\n"
        "agent.datetime = Past\n"
        "sys.exit(agent.main())\n"
    )

    class Past(CutLink):
        def agent(self, role: str) -> list[str]:
            return [sys.executable, "-c", old, role]

    result, _events = measure(pristine_artifact, Past())
    assert "pi9's clock says 1970-01-01 00:00; the times in this result are this host's" in result["warnings"]
    assert result["started_utc"] >= "2025"
