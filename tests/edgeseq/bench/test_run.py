from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench.run import BenchOptions, bench, verdict
from edgeseq.devices.agent_link import agent_archive
from edgeseq.devices.cache import Progress, cache_root
from edgeseq.devices.links import Device, Link, LocalLink
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.pick import pick_device
from edgeseq_device.errors import DataError, DeviceError, GateError, UsageError
from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import QUICK

FAST = replace(QUICK, power_s=0.1)
SHORT = BenchOptions(limits=FAST)
CACHE_OF_BOARDS = cache_root()
"""The user's own, where a board is prepared once and not once per test run."""


@dataclass
class PretendedBoard:
    """This machine under another name: a device that needs no preparation and keeps its secrets."""

    name: str = "pi9"
    emulated: bool = False
    description: str = "a board made of this machine"
    prepared: bool = False
    cores: int | None = 4

    @contextmanager
    def open(self, progress: Progress) -> Iterator[Link]:
        self.prepared = True
        progress(1.0, "ready")
        yield LocalLink()


def measure(folder: Path, device: Device, options: BenchOptions = SHORT) -> dict[str, Any]:
    return bench(folder, device, options, lambda _fraction, _label: None, lambda _event: None)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def measured(pristine_artifact: Path) -> dict[str, Any]:
    return measure(pristine_artifact, LocalDevice())


@pytest.fixture
def result(measured: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(measured)


def test_a_result_says_what_was_measured_where_and_survives_json(result: dict[str, Any]) -> None:
    validate_result(json.loads(json.dumps(result, allow_nan=False)), complete=True)
    assert result["board"] == "local"
    assert result["artifact"]["name"] == "gestures-gru-int8-generic"
    assert len(result["artifact"]["manifest_sha256"]) == 64
    assert result["host"]["edgeseq"]
    onnx, tflite = result["models"]
    assert onnx["accuracy"] == {"validation": {"n": 270, "fp32": 0.9963, "exported": 0.9926}}
    assert tflite["latency_p50_ms"] > 0
    assert tflite["not_measured"]["host_error"] == "the device is this host"


def test_no_path_of_this_machine_is_in_a_result(result: dict[str, Any], pristine_artifact: Path) -> None:
    assert str(pristine_artifact.parent) not in json.dumps(result)
    assert sys.executable not in json.dumps(result)


def test_a_boards_answers_are_held_against_this_hosts(pristine_artifact: Path) -> None:
    result = measure(pristine_artifact, PretendedBoard(), BenchOptions(formats=("tflite",), limits=FAST))
    assert [model["format"] for model in result["models"]] == ["tflite"]
    assert result["models"][0]["host_error"] == 0.0


def test_a_tampered_artifact_is_refused_before_the_device_is_touched(artifact_folder: Path) -> None:
    (artifact_folder / "model.onnx").write_bytes(b"tampered")
    board = PretendedBoard()
    with pytest.raises(DataError, match=r"model\.onnx: its content changed"):
        measure(artifact_folder, board)
    assert not board.prepared


def test_a_folder_that_becomes_another_artifact_before_the_agent_reads_it_is_refused(
    artifact_folder: Path, rewrite_manifest: Any
) -> None:
    class Swapping(PretendedBoard):
        def open(self, progress: Progress) -> Any:
            model = artifact_folder / "model.tflite"
            model.write_bytes(model.read_bytes() + b"\0" * 16)
            rewrite_manifest(artifact_folder, lambda _manifest: None)
            return super().open(progress)

    with pytest.raises(DataError, match=r"model\.tflite: changed while it was measured"):
        measure(artifact_folder, Swapping(), BenchOptions(formats=("tflite",), limits=FAST))


def test_an_unknown_format_names_the_nearest(pristine_artifact: Path) -> None:
    with pytest.raises(UsageError, match='unknown format "tflit"; did you mean "tflite"'):
        measure(pristine_artifact, LocalDevice(), BenchOptions(formats=("tflit",)))


def test_more_threads_than_the_board_has_cores_are_refused_before_it_is_prepared(
    pristine_artifact: Path,
) -> None:
    board = PretendedBoard()
    with pytest.raises(DeviceError, match="--threads 5: pi9 has 4 cores"):
        measure(pristine_artifact, board, BenchOptions(threads=(1, 5)))
    assert not board.prepared


def test_a_real_processor_is_not_taken_for_an_emulated_one(pristine_artifact: Path) -> None:
    with pytest.raises(DeviceError, match="the agent found emulated=False"):
        measure(pristine_artifact, PretendedBoard(emulated=True), replace(SHORT, formats=("tflite",)))


def test_a_whole_result_passes(result: dict[str, Any]) -> None:
    result["valid"], result["invalid_because"] = True, []  # this machine may have been busy
    assert verdict(result) is None


def test_a_result_out_of_parity_fails_the_gate_even_on_an_unfit_device(result: dict[str, Any]) -> None:
    result["models"][1].update(parity_ok=False, parity_error=0.5, parity_decisions_changed=2)
    result["invalid_because"] = ["throttled"]
    fault = verdict(result)
    assert isinstance(fault, GateError)
    assert "model.tflite is out of parity: error 5.0e-01 of 1.0e-03, decisions changed: 2" in str(fault)


def test_a_step_form_out_of_parity_fails_the_gate(result: dict[str, Any]) -> None:
    result["models"][0].update(step_parity_ok=False, step_parity_error=None, step_parity_decisions_changed=2)
    fault = verdict(result)
    assert isinstance(fault, GateError)
    assert "model.step.onnx, step form, is out of parity: error NaN or infinite of 1.0e-03" in str(fault)


def test_a_step_file_that_was_swapped_before_the_agent_reads_it_is_refused(
    artifact_folder: Path, rewrite_manifest: Any
) -> None:
    class Swapping(PretendedBoard):
        def open(self, progress: Progress) -> Any:
            step = artifact_folder / "model.step.onnx"
            step.write_bytes((artifact_folder / "model.onnx").read_bytes())
            rewrite_manifest(artifact_folder, lambda _manifest: None)
            return super().open(progress)

    with pytest.raises(DataError, match=r"model\.step\.onnx: changed while it was measured"):
        measure(artifact_folder, Swapping(), BenchOptions(formats=("onnx",), limits=FAST))


def test_a_broken_guard_makes_the_device_unfit(result: dict[str, Any]) -> None:
    result["invalid_because"] = ["under-voltage"]
    fault = verdict(result)
    assert isinstance(fault, DeviceError)
    assert "under-voltage" in str(fault)


@pytest.mark.virtual_board
def test_a_virtual_pi4_has_parity_and_repeatable_counts_and_no_latency(
    pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(CACHE_OF_BOARDS))
    first = measure(pristine_artifact, pick_device("pi4"), BenchOptions())
    monkeypatch.setattr("edgeseq.bench.run.DEFAULT_KINDS", ("instructions", "step_instructions"))
    second = measure(pristine_artifact, pick_device("pi4"), BenchOptions())
    assert first["emulated"]
    assert first["valid"], first["invalid_because"]
    for one, other in zip(first["models"], second["models"], strict=True):
        assert one["parity_ok"]
        assert one["host_error"] < 1e-3
        repeats = {"onnx": 0.02, "tflite": 0.01}[one["format"]]
        assert one["instructions"] == pytest.approx(other["instructions"], rel=repeats)
        assert one["ram_first_bytes"] < 80_000_000
        assert one["step_parity_ok"]
        assert one["step_instructions"] == pytest.approx(other["step_instructions"], rel=repeats)
        timed = (*measured_keys("latency"), *measured_keys("step_latency"))
        assert all(one[name] is None for name in timed)
        assert all("emulated" in one["not_measured"][name] for name in timed)


@pytest.mark.virtual_board
def test_a_worker_on_a_virtual_board_refuses_to_time_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(CACHE_OF_BOARDS))
    with pick_device("pi4").open(lambda _fraction, _label: None) as link:
        command = [*(link.worker_command or ()), str(agent_archive()), "worker"]
    job = json.dumps({"kind": "latency", "spawned_ns": 0})
    done = subprocess.run(command, input=job, capture_output=True, text=True, check=True)
    assert "latency is never measured on an emulated processor" in json.loads(done.stdout)["error"]
