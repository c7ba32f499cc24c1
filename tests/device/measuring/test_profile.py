"""Where the time goes, by operator: from each runtime's own profiler, and nothing that it cannot know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.emulation import Emulation
from edgeseq_device.errors import DeviceError
from edgeseq_device.golden_input import median_input
from edgeseq_device.measuring import job as jobs
from edgeseq_device.measuring import litert_operators, profile
from edgeseq_device.measuring.agent import files_of
from edgeseq_device.measuring.profile import REST, Profile, read_onnx_profile, sums_of, table
from edgeseq_device.measuring.request import Limits

RUNS = 8


def job(artifact_folder: Path, model_format: str, scratch: Path) -> dict[str, Any]:
    artifact = open_artifact(artifact_folder)
    features = median_input(artifact.golden_path, artifact.golden_count)
    (scratch / "input").write_bytes(features.content)
    return {
        "kind": "profile",
        "format": model_format,
        "threads": 1,
        "input": str(scratch / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(features.shape),
        **files_of(artifact.model(model_format)),
        "limits": vars(Limits(profile_runs=RUNS)),
    }


def rows(artifact_folder: Path, model_format: str, scratch: Path) -> dict[str, dict[str, Any]]:
    outcome = profile.measure(job(artifact_folder, model_format, scratch))
    assert outcome["not_measured"] == {}
    assert 1 <= outcome["values"]["profile_n"] <= RUNS
    return {row["op"]: row for row in outcome["values"]["profile"]}


def test_onnx_runtimes_operators_are_told(pristine_artifact: Path, tmp_path: Path) -> None:
    found = rows(pristine_artifact, "onnx", tmp_path)
    assert found["GRU"]["calls"] == 1
    assert "Gemm" in found
    assert [each.name for each in tmp_path.iterdir()] == ["input"]


def test_litert_tells_its_own_operators_from_those_of_xnnpack(
    pristine_artifact: Path, tmp_path: Path
) -> None:
    found = rows(pristine_artifact, "tflite", tmp_path)
    assert "WHILE" not in found
    assert found["SLICE"]["calls"] >= 1
    products = [op for op in found if op.startswith("XNNPACK Fully Connected")]
    assert sum(found[op]["calls"] for op in products) >= 2


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_the_parts_are_a_whole_inference(pristine_artifact: Path, tmp_path: Path, model_format: str) -> None:
    found = rows(pristine_artifact, model_format, tmp_path)
    shares = [row["percent"] for row in found.values() if row["percent"] is not None]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert all(row["us"] >= 0 for row in found.values() if row["us"] is not None)


def test_nothing_is_profiled_on_an_emulated_processor(
    pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated = Emulation("pi4", "qemu-user")
    monkeypatch.setattr("edgeseq_device.emulation.emulation", lambda: emulated)
    with pytest.raises(DeviceError, match="never measured on an emulated processor"):
        profile.measure(job(pristine_artifact, "onnx", tmp_path))


def test_a_litert_without_a_profiler_gives_the_reason(
    pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert_operators, "OLDEST", (99, 0, 0))
    outcome = profile.measure(job(pristine_artifact, "tflite", tmp_path))
    assert outcome["values"] == {"profile_n": None, "profile": None}
    assert "tells nothing of its operators; 99.0.0 and later do" in outcome["not_measured"]["profile"]
    assert outcome["runtime"].startswith("ai-edge-litert ")


def test_another_answer_with_the_profiler_is_not_trusted(
    pristine_artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = jobs.load_model(job(pristine_artifact, "tflite", tmp_path))
    run = other.run
    monkeypatch.setattr(other, "run", lambda features: run(features) + 1)
    monkeypatch.setattr(profile, "load_model", lambda _job: other)
    outcome = profile.measure(job(pristine_artifact, "tflite", tmp_path))
    assert "not trusted" in outcome["not_measured"]["profile"]


def profiled(*events: tuple[str, int], whole_us: float = 100.0) -> list[dict[str, Any]]:
    return table(Profile(whole_us, [sums_of(events)] * 2, lambda op: op.startswith("cut")))


def test_half_a_microsecond_is_added_to_a_time_that_was_cut() -> None:
    long, rest = sorted(profiled(("cut long", 10), ("cut long", 20)), key=lambda row: row["op"])
    assert long == {"op": "cut long", "calls": 2, "us": 31.0, "percent": 31.0}
    assert rest == {"op": REST, "calls": None, "us": 69.0, "percent": 69.0}


def test_an_operator_too_short_for_the_clock_has_no_time() -> None:
    assert profiled(("cut short", 1), ("cut short", 2))[-1] == {
        "op": "cut short",
        "calls": 2,
        "us": None,
        "percent": None,
    }


def test_an_evenly_rounded_time_is_taken_as_it_is() -> None:
    assert profiled(("SLICE", 0), ("SLICE", 1))[1] == {"op": "SLICE", "calls": 2, "us": 1.0, "percent": 1.0}


@pytest.mark.parametrize("container", ["WHILE", "Scan"])
def test_a_loop_is_not_counted_beside_what_it_runs(container: str) -> None:
    assert {row["op"] for row in profiled((container, 90), ("cut inside", 50))} == {"cut inside", REST}


def test_operators_slowed_down_by_the_profiler_leave_no_rest() -> None:
    assert profiled(("GRU", 150), ("ADD", 50)) == [
        {"op": "GRU", "calls": 1, "us": 150.0, "percent": 75.0},
        {"op": "ADD", "calls": 1, "us": 50.0, "percent": 25.0},
    ]


def test_a_profile_file_is_cut_into_inferences(tmp_path: Path) -> None:
    node = {"cat": "Node", "dur": 7, "name": "gru_kernel_time", "args": {"op_name": "GRU"}}
    fence = {**node, "name": "gru_fence_before"}
    run = {"cat": "Session", "dur": 9, "name": "model_run", "args": {}}
    load = {"cat": "Session", "dur": 300, "name": "session_initialization", "args": {}}
    events = [load, fence, node, node, run, node, run]
    text = ",\n".join(json.dumps(each) for each in events)
    (tmp_path / "profile.json").write_text(f"[\n{text}\n]\n")
    assert list(read_onnx_profile(tmp_path / "profile.json")) == [
        (9, {"GRU": (2, 14)}),
        (9, {"GRU": (1, 7)}),
    ]
