"""Whether a model fits into so much RAM: the verdict on a worker in a control group.

Where this machine lets a process be confined, it is for real too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.emulation import Emulation
from edgeseq_device.golden_input import median_input
from edgeseq_device.measuring import cgroup, fits
from edgeseq_device.measuring.agent import files_of
from edgeseq_device.measuring.cgroup import OFF, Confined, UnconfinedError, confined
from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.workers import run_worker

LIMIT_BYTES = 64_000_000


def group_with(tmp_path: Path, events: str, peak: str | None = "60000000\n") -> Confined:
    (tmp_path / "memory.events").write_text(events)
    (tmp_path / "memory.peak").unlink(missing_ok=True)
    if peak is not None:
        (tmp_path / "memory.peak").write_text(peak)
    return Confined((), tmp_path)


CALM = "low 0\nhigh 0\nmax 5\noom 0\noom_kill 0\n"
KILLED = "low 0\nhigh 0\nmax 50\noom 1\noom_kill 1\n"
RUNTIME = {"runtime": "ai-edge-litert 2.3.0", "runtime_settings": {"threads": 1}}
ENDED = {"peak_rss_bytes": 40_000_000, **RUNTIME}


def test_a_worker_that_gets_to_its_end_fits(tmp_path: Path) -> None:
    outcome = fits.verdict(ENDED, group_with(tmp_path, CALM), LIMIT_BYTES, hung=False)
    assert outcome == {
        "values": {"ram_limit_bytes": LIMIT_BYTES, "fits_ram": True, "ram_limit_peak_bytes": 60_000_000},
        "not_measured": {},
        **RUNTIME,
    }


@pytest.mark.parametrize(("limit_bytes", "fit"), [(41_000_000, True), (39_000_000, False)])
def test_pages_that_are_charged_to_others_count_all_the_same(
    tmp_path: Path, limit_bytes: int, fit: bool
) -> None:
    for peak in ("18000000\n", None):
        outcome = fits.verdict(ENDED, group_with(tmp_path, CALM, peak), limit_bytes, hung=False)
        assert outcome["not_measured"] == {}
        assert outcome["values"]["fits_ram"] is fit
        assert outcome["values"]["ram_limit_peak_bytes"] == 40_000_000


def test_a_worker_that_the_kernel_killed_does_not_fit_and_that_is_no_failure(tmp_path: Path) -> None:
    killed = {"error": "the worker was killed by SIGKILL; the board may have run out of RAM"}
    outcome = fits.verdict(killed, group_with(tmp_path, KILLED, None), LIMIT_BYTES, hung=False)
    assert outcome["values"] == {
        "ram_limit_bytes": LIMIT_BYTES, "fits_ram": False, "ram_limit_peak_bytes": None
    }  # fmt: skip
    assert "Linux 5.19" in outcome["not_measured"]["ram_limit_peak_bytes"]
    assert set(outcome["values"]) == set(measured_keys("fits"))


@pytest.mark.parametrize("error", ["the worker was killed by SIGKILL", "model.tflite: refused"])
def test_a_worker_that_failed_for_another_reason_has_no_verdict(tmp_path: Path, error: str) -> None:
    outcome = fits.verdict({"error": error}, group_with(tmp_path, CALM), LIMIT_BYTES, hung=False)
    assert outcome == {"error": error}


def test_a_worker_that_hung_at_its_limit_does_not_fit(tmp_path: Path) -> None:
    hung = {"error": "the worker hung: no outcome after 120 s"}
    outcome = fits.verdict(hung, group_with(tmp_path, CALM), LIMIT_BYTES, hung=True)
    assert outcome["values"]["fits_ram"] is False
    unlimited = group_with(tmp_path, CALM.replace("max 5", "max 0"))
    assert fits.verdict(hung, unlimited, LIMIT_BYTES, hung=True) == hung


def job_of(folder: Path, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    artifact = open_artifact(folder)
    features = median_input(artifact.golden_path, artifact.golden_count)
    (tmp_path / "input").write_bytes(features.content)
    return {
        "kind": "fits",
        "format": "tflite",
        "threads": 1,
        **files_of(artifact.model("tflite")),
        "input": str(tmp_path / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(features.shape),
        "max_ram_bytes": LIMIT_BYTES,
        **changes,
    }


def measured(job: dict[str, Any], *command: str) -> dict[str, Any]:
    def run(prefix: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        return run_worker(
            [*prefix, *(command or (sys.executable,))], job, timeout_s=60, environment=environment
        )

    return fits.measure_fits(run, job, timeout_s=60)


def test_the_agent_tells_a_worker_that_ran_out_of_ram_from_one_that_crashed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @contextmanager
    def imitated(_limit_bytes: int, _scratch: Path) -> Iterator[Confined]:
        yield group_with(tmp_path, CALM)

    monkeypatch.setattr(cgroup, "confined", imitated)
    worker, job = tmp_path / "worker.py", {"input": str(tmp_path / "input"), "max_ram_bytes": LIMIT_BYTES}
    starve = f"open({str(tmp_path / 'memory.events')!r}, 'w').write('oom_kill 1')"
    for before, verdict in ((starve, False), ("", None)):
        worker.write_text(f"import os, signal\n{before}\nos.kill(os.getpid(), signal.SIGKILL)\n")
        outcome = measured(job, sys.executable, str(worker))
        assert outcome.get("values", {}).get("fits_ram") is verdict
        assert ("error" in outcome) == (verdict is None)


def test_the_worker_tells_how_much_it_held(pristine_artifact: Path, tmp_path: Path) -> None:
    outcome = run_worker([sys.executable], job_of(pristine_artifact, tmp_path), timeout_s=60)
    assert outcome["peak_rss_bytes"] > 10_000_000
    assert outcome["runtime"].startswith("ai-edge-litert")


@pytest.mark.parametrize(
    ("changes", "emulated", "reason"),
    [
        ({"max_ram_bytes": None}, None, "--max-ram"),
        ({}, Emulation("user", "a marker"), "the emulator itself"),
    ],
)
def test_what_cannot_be_judged_is_no_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    emulated: Emulation | None,
    reason: str,
) -> None:
    monkeypatch.setattr(fits, "emulation", lambda: emulated)
    outcome = measured({"input": str(tmp_path / "input"), "max_ram_bytes": LIMIT_BYTES, **changes})
    assert set(outcome["values"].values()) == {None}
    assert all(reason in each for each in outcome["not_measured"].values())


def test_a_machine_that_confines_nobody_says_why_for_every_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_limit_bytes: int, _scratch: Path) -> Any:
        raise UnconfinedError(OFF)

    monkeypatch.setattr(cgroup, "confined", refuse)
    outcome = measured({"input": str(tmp_path / "input"), "max_ram_bytes": LIMIT_BYTES})
    assert outcome["not_measured"] == dict.fromkeys(measured_keys("fits"), OFF)


@pytest.fixture
def really_confined(tmp_path: Path) -> Callable[[int, dict[str, Any]], dict[str, Any]]:
    """measure_fits with this machine's own kernel."""
    try:
        with confined(LIMIT_BYTES, tmp_path):
            pass
    except UnconfinedError as error:
        pytest.skip(str(error))
    return lambda limit_bytes, job: measured({**job, "max_ram_bytes": limit_bytes})


def test_the_kernel_lets_the_small_model_have_128_mb_and_not_8(
    really_confined: Callable[[int, dict[str, Any]], dict[str, Any]], pristine_artifact: Path, tmp_path: Path
) -> None:
    job = job_of(pristine_artifact, tmp_path)
    assert really_confined(128_000_000, job)["values"]["fits_ram"] is True
    assert really_confined(8_000_000, job)["values"]["fits_ram"] is False
