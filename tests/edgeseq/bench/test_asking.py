"""An agent that is lost while it measures: what was measured is kept, the rest is measured or explained."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench import added_by_host, asking
from edgeseq.bench.asking import CONNECTIONS_MAX
from edgeseq.bench.run import BenchOptions, bench, verdict
from edgeseq.devices.agent_link import AgentEndedError
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import LocalLink, Sent
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.measuring.cgroup import OFF
from edgeseq_device.measuring.keys import INTERRUPTED
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import QUICK
from edgeseq_device.measuring.verdict import InterruptedBenchError

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
    default_runners: tuple[str, ...] = ()

    def native(self, _progress: Progress) -> None:
        raise AssertionError("nobody asked for it")

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
    (said,) = [each for each in result["warnings"] if "after it was reached again" in each]
    assert said.startswith("pi9 was lost during ")
    assert LOST not in said
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


def _altered(code: str, role: str) -> list[str]:
    """The agent with something of its module replaced by what `code` does."""
    whole = f"import sys, edgeseq_device.measuring.agent as agent\n{code}\nsys.exit(agent.main())\n"
    return [sys.executable, "-c", whole, role]


# The agent itself fails at its second measurement, as with a full disk.
_FAILS = """
from edgeseq_device.errors import DataError
measure, left = agent._measure, [1]
def failing(*arguments):
    if left[0] == 0:
        raise DataError("no room on the board")
    left[0] -= 1
    return measure(*arguments)
agent._measure = failing
"""


def test_an_agent_that_fails_after_it_began_leaves_what_was_measured_before(pristine_artifact: Path) -> None:
    class Full(CutLink):
        def agent(self, role: str) -> list[str]:
            return _altered(_FAILS, role)

    result, _events = measure(pristine_artifact, Full())
    (model,) = result["models"]
    assert model["ram_peak_bytes"] > 0
    assert model["not_measured"]["parity_error"] == "pi9: no room on the board"
    assert result["invalid_because"][0] == "pi9: no room on the board"
    assert isinstance(verdict(result), DeviceError)


def test_a_board_in_use_when_it_comes_back_leaves_what_was_measured_before(pristine_artifact: Path) -> None:
    in_use = (
        "from edgeseq_device.errors import DeviceError\n"
        "def serve(*_):\n    raise DeviceError('the board is in use')\nagent.serve = serve"
    )

    class InUse(CutLink):
        def agent(self, role: str) -> list[str]:
            first = super().agent(role)
            return first if self.started == 1 else _altered(in_use, role)

    result, _events = measure(pristine_artifact, InUse((1,)))
    assert result["models"][0]["ram_peak_bytes"] > 0
    assert "pi9: the board is in use" in result["invalid_because"]


def test_an_artifact_that_is_another_when_the_board_comes_back_gives_no_result(
    pristine_artifact: Path,
) -> None:
    class Swapped(CutLink):
        def agent(self, role: str) -> list[str]:
            first = super().agent(role)
            other = "agent.hashes_of = lambda model: ['0' * 64, None]"
            return first if self.started == 1 else _altered(other, role)

    with pytest.raises(DataError, match="changed while it was measured"):
        measure(pristine_artifact, Swapped((1,)))


@dataclass
class AtLink(CutLink):
    """Its board's clock stands still on New Year's Day; one measurement is enough."""

    year: int = 1970

    def agent(self, role: str) -> list[str]:
        clock = (
            "class Clock(agent.datetime):\n"
            "    @classmethod\n"
            f"    def now(cls, zone=None):\n        return cls({self.year}, 1, 1, tzinfo=zone)\n"
            "agent.datetime = Clock\n"
            "agent._measure = lambda *_: {'error': 'not of interest'}\n"
        )
        return _altered(clock, role)


def test_a_clock_that_is_years_off_is_told_and_not_used(pristine_artifact: Path) -> None:
    result, _events = measure(pristine_artifact, AtLink())
    assert "pi9's clock says 1970-01-01 00:00; the times in this result are this host's" in result["warnings"]
    assert result["started_utc"] >= "2025"


@pytest.mark.parametrize(("year", "told"), [(2030, False), (1970, True)])
def test_the_start_is_when_the_agent_began_however_long_it_measures(
    pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch, year: int, told: bool
) -> None:
    """This host's clock is at 2030 when the agent begins, and a day later from its first event on."""
    days = [1]

    class Clock(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> Clock:
            return cls(2030, 1, days[0], tzinfo=zone)

    def later(_event: Mapping[str, Any]) -> None:
        days[0] = 2

    monkeypatch.setattr(asking, "datetime", Clock)
    board = CutBoard(AtLink(year=year))
    result = bench(pristine_artifact, board, OPTIONS, lambda _fraction, _label: None, later)
    assert result["started_utc"] == "2030-01-01T00:00:00+00:00"
    assert ("clock" in " ".join(result["warnings"])) == told


_NO_CONTROL_GROUP = """
from edgeseq_device.measuring import cgroup
def refuse(*_):
    raise cgroup.UnconfinedError(cgroup.OFF)
cgroup.confined = refuse
"""


def test_a_board_that_confines_nobody_does_not_pass_for_one_that_the_model_fits(
    pristine_artifact: Path,
) -> None:
    class Unconfined(CutLink):
        def agent(self, role: str) -> list[str]:
            return _altered(_NO_CONTROL_GROUP, role)

    options = replace(OPTIONS, kinds=("fits",), max_ram_bytes=16_000_000)
    result = bench(
        pristine_artifact,
        CutBoard(Unconfined()),
        options,
        lambda _fraction, _label: None,
        lambda _event: None,
    )
    assert result["models"][0]["fits_ram"] is None
    fault = verdict({**result, "invalid_because": []})  # a busy machine is told first
    assert isinstance(fault, DeviceError)
    assert str(fault) == (
        f"pi9: whether model.tflite fits into the RAM of --max-ram could not be measured: {OFF}"
    )


def _interrupting(at: str) -> Callable[[Mapping[str, Any]], None]:
    """Ctrl-C when the measurement of that kind begins."""

    def hear(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress" and event["kind"] == at:
            raise KeyboardInterrupt

    return hear


def test_ctrl_c_leaves_what_was_measured_before(pristine_artifact: Path) -> None:
    nothing: Progress = lambda _fraction, _label: None  # noqa: E731
    result = bench(pristine_artifact, CutBoard(CutLink()), OPTIONS, nothing, _interrupting("step_parity"))
    validate_result(result, complete=True)
    (model,) = result["models"]
    assert result["invalid_because"] == [INTERRUPTED]
    assert model["parity_ok"]
    assert model["failures"] == []
    assert {model["not_measured"][name] for name in ("step_parity_ok", "latency_p50_ms", "host_error")} == {
        INTERRUPTED
    }
    assert isinstance(verdict(result), InterruptedBenchError)
    with pytest.raises(KeyboardInterrupt):  # there is nothing yet
        bench(pristine_artifact, CutBoard(CutLink()), OPTIONS, nothing, _interrupting("ram"))


def test_ctrl_c_while_this_host_answers_too_keeps_what_the_board_has_measured(
    pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(added_by_host, "run_once", interrupted)
    result, _events = measure(pristine_artifact, CutLink())
    assert result["models"][0]["latency_p50_ms"] > 0
    assert result["models"][0]["not_measured"]["host_error"] == INTERRUPTED
    assert isinstance(verdict(result), InterruptedBenchError)
