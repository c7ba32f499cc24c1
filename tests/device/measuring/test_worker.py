from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import has_ended, wait_until

from edgeseq_device.artifact import open_artifact
from edgeseq_device.golden_input import median_input
from edgeseq_device.measuring.agent import files_of
from edgeseq_device.measuring.request import Limits
from edgeseq_device.measuring.workers import run_worker

RAM_OF_OUR_OWN_BYTES_MAX = 3_000_000
BARE = """
import re, sys
from ai_edge_litert.interpreter import Interpreter
import numpy as np
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
run = interpreter.get_signature_runner("serving_default")
features = np.fromfile(sys.argv[2], sys.argv[3]).reshape([int(size) for size in sys.argv[4].split(",")])
run(features=features[None])
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
"""What the runtime itself needs: how many of a library's pages count depends on the machine's page cache."""


def job(artifact_folder: Path, kind: str, model_format: str) -> dict[str, Any]:
    artifact = open_artifact(artifact_folder)
    model = artifact.model(model_format)
    features = median_input(artifact.golden_path, artifact.golden_count)
    (artifact_folder.parent / "input").write_bytes(features.content)
    return {
        "input": str(artifact_folder.parent / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(features.shape),
        "kind": kind,
        "task": artifact.task,
        "format": model_format,
        **files_of(model),
        "golden": str(artifact.golden_path),
        "golden_shape": [artifact.golden_count, artifact.features_count, artifact.outputs_count],
        "threads": 1,
        "limits": vars(Limits()),
    }


def test_the_litert_worker_needs_hardly_more_than_the_runtime_alone(pristine_artifact: Path) -> None:
    given = job(pristine_artifact, "ram", "tflite")
    outcome = run_worker([sys.executable], given, timeout_s=60)
    shape = ",".join(str(size) for size in given["input_shape"])
    command = [sys.executable, "-c", BARE, given["model"], given["input"], given["dtype"], shape]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    alone_bytes = int(done.stdout) * 1024
    assert outcome["values"]["ram_peak_bytes"] <= alone_bytes + RAM_OF_OUR_OWN_BYTES_MAX
    assert outcome["not_measured"] == {}


@pytest.mark.parametrize(("model_format", "other"), [("onnx", "ai_edge_litert"), ("tflite", "onnxruntime")])
def test_a_measured_process_holds_nothing_it_does_not_need(
    pristine_artifact: Path, model_format: str, other: str
) -> None:
    code = (
        "import io, json, sys\n"
        "from edgeseq_device.measuring.worker import measure_ram\n"
        "measure_ram(json.loads(sys.argv[1]))\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    given = json.dumps(job(pristine_artifact, "ram", model_format))
    done = subprocess.run([sys.executable, "-c", code, given], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout))
    assert not modules & {
        other,
        "hashlib",
        "subprocess",
        "numpy.random",
        "zipfile",
        "edgeseq_device.measuring.agent",
    }


def test_a_worker_says_when_the_runtime_refuses_the_model(artifact_folder: Path) -> None:
    given = job(artifact_folder, "parity", "onnx")
    (artifact_folder / "model.onnx").write_bytes(b"not a model")
    outcome = run_worker([sys.executable], given, timeout_s=60)
    assert "model.onnx: refused by onnxruntime" in outcome["error"]
    assert outcome["exit_code"] == 6


def test_a_model_that_answers_something_else_is_out_of_parity(artifact_folder: Path) -> None:
    import numpy as np

    given = job(artifact_folder, "parity", "tflite")
    path = artifact_folder / "golden.npz"
    with np.load(path, allow_pickle=False) as stored:
        arrays: dict[str, Any] = dict(stored)
    arrays["reference_tflite"][3, 0] += 0.5
    np.savez(path, allow_pickle=False, **arrays)
    values = run_worker([sys.executable], given, timeout_s=60)["values"]
    assert values["parity_ok"] is False
    assert values["parity_error"] > 0.1


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_a_step_form_that_answers_something_else_is_out_of_parity(
    artifact_folder: Path, model_format: str
) -> None:
    import numpy as np

    given = job(artifact_folder, "step_parity", model_format)
    assert run_worker([sys.executable], given, timeout_s=60)["values"]["parity_ok"] is True
    path = artifact_folder / "golden.npz"
    with np.load(path, allow_pickle=False) as stored:
        arrays: dict[str, Any] = dict(stored)
    expected = arrays.get(f"reference_{model_format}_step", arrays[f"reference_{model_format}"]).copy()
    expected[3, 0] += 0.5
    arrays[f"reference_{model_format}_step"] = expected
    np.savez(path, allow_pickle=False, **arrays)
    values = run_worker([sys.executable], given, timeout_s=60)["values"]
    assert values["parity_ok"] is False
    assert values["parity_error"] > 0.1


def test_each_form_is_judged_by_its_own_tolerance(artifact_folder: Path, rewrite_manifest: Any) -> None:
    def give(manifest: dict[str, Any]) -> None:
        (model,) = (each for each in manifest["models"] if each["format"] == "tflite")
        model["parity_tolerance"], model["step"]["parity_tolerance"] = 0.04, 0.03

    rewrite_manifest(artifact_folder, give)
    for kind, tolerance in (("parity", 0.04), ("step_parity", 0.03)):
        outcome = run_worker([sys.executable], job(artifact_folder, kind, "tflite"), timeout_s=60)
        assert outcome["values"]["parity_tolerance"] == tolerance


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_a_launch_of_steps_times_loading_and_each_step(
    pristine_artifact: Path, fast_limits: Limits, model_format: str
) -> None:
    given = {**job(pristine_artifact, "step_latency", model_format), "limits": vars(fast_limits)}
    outcome = run_worker([sys.executable], given, timeout_s=60)
    assert set(outcome["phases"]) == {"load_ms"}
    assert outcome["phases"]["load_ms"] > 0
    assert len(outcome["samples_ns"]) >= fast_limits.steady_runs


def test_the_steps_that_are_measured_are_those_of_a_stream_that_starts_again_at_its_end() -> None:
    import numpy as np

    from edgeseq_device.measuring.worker import frame_by_frame

    class Recorder:
        """A step form that only remembers what it was given."""

        def __init__(self) -> None:
            self.seen: list[float | str] = []

        def step(self, frame: Any) -> None:
            self.seen.append(float(frame[0]))

        def reset(self) -> None:
            self.seen.append("reset")

    recorder = Recorder()
    before, step = frame_by_frame(recorder, np.array([[1.0], [2.0], [3.0]], np.float32))  # type: ignore
    for _ in range(5):
        before()
        step()
    assert recorder.seen == ["reset", 1.0, 2.0, 3.0, "reset", 1.0, 2.0]


def test_what_a_library_prints_is_not_taken_for_the_outcome(pristine_artifact: Path, tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.py"
    noisy.write_text(
        "import os, edgeseq_device.runtimes as r, edgeseq_device.measuring.worker as w\n"
        "load = r.load\n"
        "def loud(*a):\n    print('hello'); os.write(1, b'hello'); return load(*a)\n"
        "r.load = loud\n"
        "w.main()\n"
    )
    given = {**job(pristine_artifact, "parity", "tflite"), "spawned_ns": time.monotonic_ns()}
    done = subprocess.run(
        [sys.executable, str(noisy)], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["values"]["parity_ok"]
    assert "hello" in done.stderr


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_the_phases_of_a_launch_leave_no_time_out(
    pristine_artifact: Path, fast_limits: Limits, model_format: str
) -> None:
    given = {**job(pristine_artifact, "latency", model_format), "limits": vars(fast_limits)}
    phases = run_worker([sys.executable], given, timeout_s=60)["phases"]
    total_ms = phases.pop("first_answer_ms")
    assert set(phases) == {"start_ms", "numpy_ms", "import_ms", "load_ms", "first_inference_ms"}
    assert 0.8 * total_ms <= sum(phases.values()) <= 1.001 * total_ms


def test_a_process_that_is_slow_to_start_is_seen_in_the_first_phase(
    pristine_artifact: Path, fast_limits: Limits, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time; time.sleep(0.3)\nfrom edgeseq_device.measuring.worker import main\nmain()\n"
    )
    given = {**job(pristine_artifact, "latency", "tflite"), "limits": vars(fast_limits)}
    phases = run_worker([sys.executable, str(slow)], given, timeout_s=60)["phases"]
    assert phases["start_ms"] >= 300


def test_what_a_worker_leaves_running_is_killed(tmp_path: Path) -> None:
    left, pid_file = tmp_path / "left.py", tmp_path / "pid"
    left.write_text(
        "import subprocess, sys\n"
        "nowhere = {each: subprocess.DEVNULL for each in ('stdin', 'stdout', 'stderr')}\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], **nowhere)\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "print('{}')\n"
    )
    assert run_worker([sys.executable, str(left)], {}, timeout_s=60) == {}
    wait_until(lambda: has_ended(int(pid_file.read_text())))


@pytest.mark.parametrize("launcher", [(), ("/bin/sh", "-c", '"$@"; true', "sh")])
def test_a_worker_ends_with_an_agent_that_is_killed(tmp_path: Path, launcher: tuple[str, ...]) -> None:
    worker, pid_file = tmp_path / "worker.py", tmp_path / "pid"
    worker.write_text(
        "import os, time, edgeseq_device.measuring.worker as worker\n"
        "def hang(job):\n"
        f"    open({str(pid_file)!r}, 'w').write(str(os.getpid()) + '.')\n"
        "    time.sleep(600)\n"
        "worker._measure = hang\n"
        "worker.main()\n"
    )
    command = [*launcher, sys.executable, str(worker)]
    code = (
        f"from edgeseq_device.measuring.workers import run_worker\nrun_worker({command}, {{}}, timeout_s=600)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as agent:
        wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("."))
        agent.kill()
    wait_until(lambda: has_ended(int(pid_file.read_text().rstrip("."))))


def test_a_worker_whose_agent_was_killed_before_it_started_ends_too(tmp_path: Path) -> None:
    theirs, ours = os.pipe()
    os.close(ours)
    given = {"kind": "none", "agent": (theirs, os.fstat(theirs).st_ino)}
    command = [sys.executable, "-m", "edgeseq_device.measuring.worker"]
    done = subprocess.run(
        command,
        input=json.dumps(given).encode(),
        capture_output=True,
        pass_fds=(theirs,),
        check=False,
        start_new_session=True,
    )
    os.close(theirs)
    assert done.returncode != 0
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_last_words_of_a_crash_are_told_and_not_what_runtimes_say_in_any_case(tmp_path: Path) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text(
        "import os, signal\n"
        "os.write(2, b'tensor arena is too small\\n')\n"
        "os.write(2, b'INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n')\n"
        "os.write(2, b'[W:onnxruntime:Default, device_discovery.cc] GPU device discovery failed: ...\\n')\n"
        "os.kill(os.getpid(), signal.SIGABRT)\n"
    )
    outcome = run_worker([sys.executable, str(crash)], {}, timeout_s=60)
    assert outcome == {"error": "the worker was killed by SIGABRT: tensor arena is too small"}


def test_a_crash_while_litert_loads_keeps_its_message(pristine_artifact: Path, tmp_path: Path) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text(
        "import os, ai_edge_litert.interpreter as litert, edgeseq_device.measuring.worker as worker\n"
        "class Crashing(litert.Interpreter):\n"
        "    def allocate_tensors(self):\n"
        "        os.write(2, b'illegal kernel\\n'); os.abort()\n"
        "litert.Interpreter = Crashing\n"
        "worker.main()\n"
    )
    outcome = run_worker(
        [sys.executable, str(crash)], job(pristine_artifact, "parity", "tflite"), timeout_s=60
    )
    assert outcome == {"error": "the worker was killed by SIGABRT: illegal kernel"}
