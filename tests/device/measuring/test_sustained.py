"""Inferences without a pause: windows, and the end of it against its beginning."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.request import Limits
from edgeseq_device.measuring.sustained import Reading, Window, compared_s, figures, take_windows
from edgeseq_device.measuring.workers import run_worker


class Simulated:
    """A board whose inferences take what the test says at a time; reading it takes none."""

    def __init__(self, inference_s: Callable[[float], float]) -> None:
        self.inference_s, self.now_s, self.runs = inference_s, 0.0, 0
        self.read_after: list[int] = []

    def run(self) -> None:
        self.now_s += self.inference_s(self.now_s)
        self.runs += 1

    def read(self) -> Reading:
        self.read_after.append(self.runs)
        return 40.0 + self.now_s / 10, 1_800_000_000

    def windows(self, total_s: float) -> list[Window]:
        return take_windows(self.run, total_s, self.read, lambda: round(self.now_s * 1e9))


def test_the_board_is_read_between_windows_of_a_second_and_never_within_one() -> None:
    board = Simulated(lambda _now_s: 0.01)
    windows = board.windows(30.0)
    assert len(windows) == 30
    assert board.read_after == [100 * (index + 1) for index in range(30)]
    assert [round(each.end_s) for each in windows] == list(range(1, 31))
    assert {round(each.p50_ms, 6) for each in windows} == {10.0}
    assert windows[-1].temperature_c == pytest.approx(43.0)


def test_a_board_that_gets_slow_is_told_from_its_first_and_last_minute() -> None:
    board = Simulated(lambda now_s: 0.02 if now_s < 150 else 0.03)
    values, missing = figures(board.windows(300.0))
    assert missing == {}
    assert values["sustained_first_p50_ms"] == pytest.approx(20.0)
    assert values["sustained_last_p50_ms"] == pytest.approx(30.0)
    assert values["sustained_slowdown_percent"] == pytest.approx(50.0)
    assert values["sustained_n"] == board.runs
    assert values["sustained_windows"][0] == {
        "s": pytest.approx(1.0),
        "p50_ms": pytest.approx(20.0),
        "temperature_c": 40.1,
        "frequency_hz": 1_800_000_000,
    }


def test_less_than_five_minutes_compare_a_fifth() -> None:
    assert (compared_s(300.0), compared_s(3600.0), compared_s(100.0)) == (60.0, 60.0, 20.0)
    board = Simulated(lambda now_s: 0.1 if now_s < 20 else 0.2 if now_s < 80 else 0.4)
    values, _ = figures(board.windows(100.0))
    assert values["sustained_first_p50_ms"] == pytest.approx(100.0)
    assert values["sustained_last_p50_ms"] == pytest.approx(400.0)


@pytest.mark.parametrize(("total_s", "windows"), [(2.0, 20), (60.0, 60), (600.0, 600), (7200.0, 600)])
def test_there_are_neither_too_few_windows_nor_more_than_a_result_should_hold(
    total_s: float, windows: int
) -> None:
    assert len(Simulated(lambda _now_s: 0.05).windows(total_s)) == windows


def test_a_window_of_very_many_inferences_keeps_its_median_without_keeping_all() -> None:
    values, _ = figures(Simulated(lambda now_s: 1e-5 if now_s % 1 < 0.6 else 3e-5).windows(20.0))
    assert values["sustained_first_p50_ms"] == pytest.approx(0.01)
    assert values["sustained_n"] > 1_400_000


def test_an_inference_that_takes_all_the_time_has_no_beginning_and_end_to_compare() -> None:
    values, missing = figures(Simulated(lambda _now_s: 12.0).windows(10.0))
    assert values["sustained_n"] == 1
    assert values["sustained_slowdown_percent"] is None
    assert set(missing) == {name for name, value in values.items() if value is None}
    assert "1 inferences in 12.0 s" in missing["sustained_first_p50_ms"]


def test_a_worker_goes_on_for_as_long_as_asked(pristine_artifact: Path, tmp_path: Path) -> None:
    from edgeseq_device.artifact import open_artifact
    from edgeseq_device.golden_input import median_input

    artifact = open_artifact(pristine_artifact)
    features = median_input(artifact.golden_path, artifact.golden_count)
    (tmp_path / "input").write_bytes(features.content)
    job: dict[str, Any] = {
        "kind": "sustained",
        "format": "tflite",
        "threads": 1,
        "model": str(artifact.model("tflite").path),
        "input": str(tmp_path / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(features.shape),
        "limits": vars(Limits(warmup_runs=2, warmup_s=0.01, warmup_max_s=0.1, sustained_s=0.5)),
    }
    values = run_worker([sys.executable], job, timeout_s=60)["values"]
    assert set(values) == set(measured_keys("sustained"))
    assert values["sustained_s"] >= 0.5
    assert all(window["p50_ms"] > 0 for window in values["sustained_windows"])
