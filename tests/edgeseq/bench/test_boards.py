from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench.boards import bench_boards, results_to_dict
from edgeseq.bench.run import BenchOptions
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device, Link, LocalLink
from edgeseq_device.errors import DeviceError, UsageError
from edgeseq_device.measuring.keys import INTERRUPTED
from edgeseq_device.measuring.request import QUICK

OPTIONS = BenchOptions(formats=("tflite",), limits=replace(QUICK, power_s=0.1))


@dataclass
class Board:
    """This machine under another name, which may be out of reach."""

    name: str
    away: bool = False
    emulated: None = None
    description: str = "a board made of this machine"
    cores: int | None = None

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        if self.away:
            raise DeviceError(f"{self.name}: not reached; plug it in")
        progress(1.0, "ready")
        yield LocalLink()


class Broken(Board):
    """Something that nobody has foreseen happens when it is prepared."""

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        progress(1.0, "ready")
        raise ZeroDivisionError("a bug\x1b[2J")
        yield


@dataclass
class Hanging(Board):
    """A board whose agent measures so much, and from then on says nothing but that it lives."""

    measures: int = 0

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        measures = self.measures

        @dataclass(frozen=True)
        class Hangs(LocalLink):
            def agent(self, role: str) -> list[str]:
                code = (
                    "import sys, time, edgeseq_device.measuring.agent as agent\n"
                    f"todo = [agent._measure] * {measures}\n"
                    "agent._measure = lambda *each: todo.pop()(*each) if todo else time.sleep(600)\n"
                    "sys.exit(agent.main())\n"
                )
                return [sys.executable, "-c", code, role]

        progress(1.0, "ready")
        yield Hangs()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))


def measure(artifact: Path, *boards: Device, options: BenchOptions = OPTIONS) -> Any:
    heard: dict[str, list[Mapping[str, Any]]] = {board.name: [] for board in boards}
    benched = bench_boards(
        artifact,
        boards,
        options,
        lambda _board: lambda _fraction, _label: None,
        lambda board: heard[board.name].append,
    )
    return benched, heard


def test_boards_are_measured_side_by_side_and_one_that_is_away_is_told(pristine_artifact: Path) -> None:
    boards = Board("pi4"), Board("pi5", away=True), Board("zero2"), Broken("pi3")
    benched, heard = measure(pristine_artifact, *boards)
    assert [each.device.name for each in benched] == ["pi4", "pi5", "zero2", "pi3"]
    assert all(heard[name][0]["event"] == "began" for name in ("pi4", "zero2"))
    results = results_to_dict(benched)["results"]
    assert results["pi4"]["models"][0]["parity_ok"]
    assert results["zero2"]["board"] == "zero2"
    assert results["pi5"] == {"error": "pi5: not reached; plug it in", "exit_code": 5}
    assert isinstance(benched[1].fault, DeviceError)
    said = results["pi3"]["error"]
    assert said.startswith("pi3: ZeroDivisionError: a bug [2J; a fault of edgeseq itself: bench pi3 alone")
    with pytest.raises(ZeroDivisionError):
        measure(pristine_artifact, Broken("pi3"))


def test_the_result_of_one_board_stands_alone(pristine_artifact: Path) -> None:
    benched, _heard = measure(pristine_artifact, Board("pi4"))
    assert results_to_dict(benched)["schema"] == "edgeseq.bench"


def test_the_only_board_may_be_away_but_a_wrong_wish_is_refused(pristine_artifact: Path) -> None:
    benched, _heard = measure(pristine_artifact, Board("pi4", away=True))
    told = results_to_dict(benched)
    assert told["schema"] == "edgeseq.bench.devices"
    assert told["results"] == {"pi4": {"error": "pi4: not reached; plug it in", "exit_code": 5}}
    with pytest.raises(UsageError, match='unknown format "onxx"'):
        measure(pristine_artifact, Board("pi4"), options=replace(OPTIONS, formats=("onxx",)))


def test_an_interrupt_ends_every_agent_though_none_has_anything_to_say(pristine_artifact: Path) -> None:
    """Ctrl-C is a signal to the main thread, which then waits for the boards' threads."""
    code = (
        "import sys, test_boards as boards\n"
        "from pathlib import Path\n"
        "def heard(_board):\n"
        "    return lambda event: print(event['event'], flush=True)\n"
        "try:\n"
        "    boards.bench_boards(Path(sys.argv[1]), [boards.Hanging('a'), boards.Hanging('b')],\n"
        "        boards.OPTIONS, lambda _board: lambda _fraction, _label: None, heard)\n"
        "except KeyboardInterrupt:\n"
        "    import threading\n"
        "    print('interrupted', threading.active_count(), flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", code, str(pristine_artifact)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - else a background job ignores it
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(4)]
        assert sorted(said) == ["began", "began", "progress", "progress"]
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted 1\n"


def test_an_interrupt_keeps_what_each_board_has_measured(pristine_artifact: Path) -> None:
    """The last of the two to hang interrupts: both threads wait for their agents then."""
    code = (
        "import json, os, signal, sys, threading, test_boards as boards\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "hanging = {'a': 1, 'b': 0}\n"
        "def heard(board):\n"
        "    def hear(event):\n"
        "        if event['event'] == 'progress' and event['step'] == hanging[board.name]:\n"
        "            del hanging[board.name]\n"
        "            if not hanging:\n"
        "                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)\n"
        "    return hear\n"
        "both = boards.Hanging('a', measures=1), boards.Hanging('b')\n"
        "benched = boards.bench_boards(Path(sys.argv[1]), both, boards.OPTIONS,\n"
        "    lambda _board: lambda _fraction, _label: None, heard)\n"
        "print(json.dumps([boards.results_to_dict(benched), [each.fault.exit_code for each in benched]]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", code, str(pristine_artifact)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    told, codes = json.loads(done.stdout)
    assert codes == [130, 130]
    assert told["results"]["a"]["invalid_because"] == [INTERRUPTED]
    assert told["results"]["a"]["models"][0]["ram_peak_bytes"] > 0
    assert told["results"]["b"] == {"error": "b: interrupted, nothing was measured", "exit_code": 130}


def test_every_number_of_threads_is_measured_and_counted_kinds_once(pristine_artifact: Path) -> None:
    options = replace(OPTIONS, threads=(1, 2), kinds=("profile",))
    (benched,), heard = measure(pristine_artifact, Board("pi4"), options=options)
    one, two = benched.result["models"]
    assert (one["threads"], two["threads"]) == (1, 2)
    assert len(two["affinity"]) == 2
    assert two["latency_p50_ms"] > 0
    assert two["runtime_settings"]["threads"] == 2
    assert two["not_measured"]["profile"] == "taken with 1 thread only"
    taken = [(each["kind"], each["threads"]) for each in heard["pi4"] if each["event"] == "progress"]
    assert ("ram", 2) in taken
    assert ("profile", 2) not in taken


@pytest.mark.parametrize("text", ["0", "1,,2", "a", "-1", "257", "1;2", ""])
def test_threads_are_a_list_of_numbers(text: str) -> None:
    from edgeseq.cli.bench_options import thread_counts

    with pytest.raises(UsageError, match="--threads"):
        thread_counts(text)
    assert thread_counts("1,2,4,2") == (1, 2, 4)


@pytest.mark.parametrize(("text", "value"), [("10ms", 0.01), ("1.5s", 1.5), ("5m", 300.0), ("1h", 3600.0)])
def test_durations_carry_their_unit(text: str, value: float) -> None:
    from edgeseq.cli.bench_options import seconds

    assert seconds(text) == pytest.approx(value)


def test_not_to_wait_is_a_wish_where_no_time_at_all_is_none() -> None:
    from edgeseq.cli.bench_options import seconds

    assert seconds("0s", or_none=True) == 0.0
    with pytest.raises(UsageError, match="duration"):
        seconds("-1s", or_none=True)


@pytest.mark.parametrize("text", ["5", "0s", "-1s", "1d", "m", "1m30s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    from edgeseq.cli.bench_options import seconds

    with pytest.raises(UsageError, match="duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [("64", "64 of what.*64MB"), ("3MB", "4 MB or more"), ("64KB", "4 MB or more"), ("x", "size")],
)
def test_a_limit_without_a_unit_or_too_low_for_python_is_a_slip(text: str, said: str) -> None:
    from edgeseq.cli.bench_options import ram_bytes

    with pytest.raises(UsageError, match=said):
        ram_bytes(text)
    assert ram_bytes("64MB") == 64_000_000
    assert ram_bytes("4MB") == 4_000_000
    assert ram_bytes("1MB", native=True) == 1_000_000
    with pytest.raises(UsageError, match="no native runner starts in that; give 1 MB or more"):
        ram_bytes("0.9MB", native=True)
