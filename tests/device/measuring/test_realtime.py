"""Frames at the pace of real time: deadlines, what a late frame costs, and where the period comes from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.golden_input import median_input
from edgeseq_device.log_mel import LogMel
from edgeseq_device.manifest import MANIFEST_FILE
from edgeseq_device.measuring.agent import files_of
from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.realtime import Clock, Paced, figures, pace, period_ms
from edgeseq_device.measuring.request import Limits
from edgeseq_device.measuring.workers import run_worker
from edgeseq_device.standardise import Standardise

MS = 1_000_000


class Simulated:
    """A board whose steps take what the test says; its clock moves by sleeping and computing only."""

    def __init__(self, *steps_ms: float) -> None:
        self.now_ns, self.computed_ns = 5_000 * MS, 0
        self.steps_ns = [round(each * MS) for each in steps_ms]
        self.begun_ms: list[float] = []
        self.clock = Clock(lambda: self.now_ns, self.sleep, lambda: self.computed_ns)

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def step(self) -> None:
        self.begun_ms.append((self.now_ns - 5_000 * MS) / MS)
        duration_ns = self.steps_ns[len(self.begun_ms) - 1]
        self.now_ns += duration_ns
        self.computed_ns += duration_ns

    def paced(self, period_ms: float, frames: int) -> Paced:
        return pace(self.step, lambda: None, round(period_ms * MS), frames, self.clock)


def test_a_step_begins_when_its_frame_is_due_and_not_before() -> None:
    board = Simulated(2, 3, 2, 1)
    paced = board.paced(10, 4)
    assert board.begun_ms == [0, 10, 20, 30]
    assert list(paced.steps_ns) == [2 * MS, 3 * MS, 2 * MS, 1 * MS]
    assert (paced.frames, paced.misses) == (4, 0)
    assert (paced.real_ns, paced.cpu_ns) == (40 * MS, 8 * MS)


def test_a_late_step_is_a_miss_and_does_not_move_the_deadlines_behind_it() -> None:
    board = Simulated(2, 14, 2, 2)
    paced = board.paced(10, 4)
    assert board.begun_ms == [0, 10, 24, 30]
    assert paced.misses == 1


def test_a_step_that_ends_just_when_the_next_frame_is_due_is_in_time() -> None:
    assert Simulated(10, 10, 10).paced(10, 3).misses == 0


def test_a_board_that_cannot_keep_up_misses_the_frames_it_never_gets_to_as_well() -> None:
    board = Simulated(*[25] * 4)
    paced = board.paced(10, 10)
    assert len(paced.steps_ns) == 4
    assert paced.misses == 10
    values, _ = figures(paced, 10.0)
    assert values["realtime_factor"] == 2.5
    assert values["realtime_cpu_percent"] == 100.0


def test_a_board_that_stands_still_all_the_while_does_one_step_and_misses_every_frame() -> None:
    board = Simulated(1)
    paced = pace(board.step, lambda: board.sleep(1.0), 10 * MS, 4, board.clock)
    assert (len(paced.steps_ns), paced.misses) == (1, 4)
    assert figures(paced, 10.0)[0]["realtime_p50_ms"] == 1.0


def test_the_move_to_the_next_frame_is_no_part_of_a_step() -> None:
    board = Simulated(1, 1)
    paced = pace(board.step, lambda: board.sleep(0.004), 10 * MS, 2, board.clock)
    assert list(paced.steps_ns) == [1 * MS, 1 * MS]
    assert board.begun_ms == [4, 14]


def test_the_figures_of_a_stream_say_how_busy_the_board_was() -> None:
    values, missing = figures(Simulated(*[2] * 600).paced(10, 600), 10.0)
    assert missing == {}
    assert values == {
        "realtime_period_ms": 10.0,
        "realtime_s": 6.0,
        "realtime_n": 600,
        "realtime_misses": 0,
        "realtime_factor": pytest.approx(0.2),
        "realtime_cpu_percent": pytest.approx(20.0),
        "realtime_p50_ms": 2.0,
        "realtime_p99_ms": 2.0,
    }


def test_there_is_no_p99_of_fewer_than_500_frames() -> None:
    values, missing = figures(Simulated(*[1] * 499).paced(10, 499), 10.0)
    assert values["realtime_p99_ms"] is None
    assert missing == {"realtime_p99_ms": "499 frames, fewer than 500: leave out --quick"}


def test_where_a_whole_run_has_too_few_frames_for_p99_no_option_is_named() -> None:
    _values, missing = figures(Simulated(*[1] * 100).paced(100, 100), 100.0)
    assert missing == {"realtime_p99_ms": "100 frames, fewer than 500"}


def folder_with(tmp_path: Path, front_end: Any) -> dict[str, Any]:
    (tmp_path / MANIFEST_FILE).write_text(json.dumps({"features": {"front_end": front_end}}), "utf-8")
    return {"artifact": str(tmp_path), "period_ms": None}


@pytest.mark.parametrize(
    ("front_end", "expected_ms"),
    [
        (LogMel(8000, hop_ms=10.0).to_dict(), 10.0),
        (LogMel(11025, hop_ms=10.0).to_dict(), 1000 * 110 / 11025),  # whole samples
        (Standardise(6, sample_rate_hz=50).to_dict(), 20.0),
        (Standardise(6).to_dict(), None),
        ({"kind": "tokens", "tokenizer": "word"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_period_is_what_the_front_end_tells_if_it_tells_one(
    tmp_path: Path, front_end: Any, expected_ms: float | None
) -> None:
    assert period_ms(folder_with(tmp_path, front_end)) == expected_ms


def test_the_period_that_the_user_gives_is_taken_before_the_artifact_s(tmp_path: Path) -> None:
    job = folder_with(tmp_path, LogMel(8000).to_dict())
    assert period_ms({**job, "period_ms": 2.5}) == 2.5


def job_of(folder: Path, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    artifact = open_artifact(folder)
    features = median_input(artifact.golden_path, artifact.golden_count)
    (tmp_path / "input").write_bytes(features.content)
    return {
        "kind": "realtime",
        "format": "tflite",
        "threads": 1,
        **files_of(artifact.model("tflite")),
        "input": str(tmp_path / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(features.shape),
        "artifact": str(folder),
        "period_ms": None,
        "limits": vars(Limits(warmup_runs=2, warmup_s=0.01, warmup_max_s=0.1, realtime_s=0.2)),
        **changes,
    }


def test_a_worker_paces_the_step_form(pristine_artifact: Path, tmp_path: Path) -> None:
    outcome = run_worker([sys.executable], job_of(pristine_artifact, tmp_path, period_ms=5.0), timeout_s=60)
    assert set(outcome["values"]) == set(measured_keys("realtime"))
    assert outcome["values"]["realtime_n"] == 40
    assert outcome["runtime"].startswith("ai-edge-litert")


@pytest.mark.parametrize(
    ("period", "reason"), [(None, "give --period"), (500.0, "none is over within 0.2 s")]
)
def test_without_a_period_that_fits_every_figure_says_why_there_is_none(
    pristine_artifact: Path, tmp_path: Path, period: float | None, reason: str
) -> None:
    outcome = run_worker(
        [sys.executable], job_of(pristine_artifact, tmp_path, period_ms=period), timeout_s=60
    )
    assert set(outcome["values"].values()) == {None}
    assert set(outcome["not_measured"]) == set(measured_keys("realtime"))
    assert all(reason in each for each in outcome["not_measured"].values())
