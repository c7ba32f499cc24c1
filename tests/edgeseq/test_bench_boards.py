from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench import BenchOptions
from edgeseq.bench_boards import bench_boards, results_to_dict
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device, Link, LocalLink
from edgeseq_device.errors import DeviceError, UsageError
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
    benched, heard = measure(pristine_artifact, Board("pi4"), Board("pi5", away=True), Board("zero2"))
    assert [each.device.name for each in benched] == ["pi4", "pi5", "zero2"]
    assert all(each[0]["event"] == "began" for name, each in heard.items() if name != "pi5")
    results = results_to_dict(benched)["results"]
    assert results["pi4"]["models"][0]["parity_ok"]
    assert results["zero2"]["board"] == "zero2"
    assert results["pi5"] == {"error": "pi5: not reached; plug it in", "exit_code": 5}
    assert isinstance(benched[1].fault, DeviceError)


def test_the_result_of_one_board_stands_alone_and_its_error_is_raised(pristine_artifact: Path) -> None:
    benched, _heard = measure(pristine_artifact, Board("pi4"))
    assert results_to_dict(benched)["schema"] == "edgeseq.bench"
    with pytest.raises(DeviceError, match="plug it in"):
        measure(pristine_artifact, Board("pi4", away=True))


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


@pytest.mark.parametrize("text", ["5", "0s", "-1s", "1d", "m", "1m30s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    from edgeseq.cli.bench_options import seconds

    with pytest.raises(UsageError, match="duration"):
        seconds(text)
