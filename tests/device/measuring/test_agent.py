from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import has_ended, wait_until

import edgeseq_device
from edgeseq_device.artifact import open_artifact, sha256_of
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.measuring import agent
from edgeseq_device.measuring.agent import bench, choose_cpus
from edgeseq_device.measuring.assemble import Taken
from edgeseq_device.measuring.guards import read_guards
from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.plan import Measurement, plan
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import Limits, Request, request_to_dict
from edgeseq_device.measuring.worker import PHASES

PACKAGE = Path(edgeseq_device.__file__).parent


LAUNCH: dict[str, Any] = {
    "phases": dict.fromkeys((*PHASES, "first_answer_ms"), 2.0),
    "warmup": {"runs": 2, "seconds": 0.1, "settled": True},
    "samples_ns": [1000, 1100],
    "runtime": "r",
    "runtime_settings": {},
    "frames": 3,
}
"""The outcome of a launch."""


def stub(folder: Path, code: str) -> tuple[str, ...]:
    """A worker command that runs `code` with the job at hand, in place of edgeseq's worker."""
    path = folder / "stub.py"
    path.write_text(f"import json, os, signal, sys, time\njob = json.loads(sys.stdin.read())\n{code}\n")
    return (sys.executable, str(path))


def ram_only(artifact: Path, limits: Limits, command: tuple[str, ...]) -> Request:
    return Request(str(artifact), ("onnx", "tflite"), ("ram",), limits=limits, worker_command=command)


def test_every_measurement_of_both_formats_is_taken(served: tuple[dict[str, Any], list[Any]]) -> None:
    result, _events = served
    assert result["valid"], result["invalid_because"]
    for model in result["models"]:
        assert model["parity_ok"]
        assert model["parity_n"] == 16
        assert model["frames"] == 11
        assert model["latency_n"] >= 40
        assert model["latency_launches"] == 2
        assert model["latency_p50_low_ms"] <= model["latency_p50_ms"] <= model["latency_p50_high_ms"]
        assert model["step_parity_ok"]
        assert model["step_parity_n"] == 16
        assert model["step_latency_n"] >= 40
        assert model["step_latency_launches"] == 2
        assert model["step_load_ms"] > 0
        assert model["step_latency_p50_ms"] <= model["step_latency_p90_ms"]
        stages = [model[f"ram_{stage}_bytes"] for stage in ("start", "numpy", "runtime", "first", "peak")]
        assert stages == sorted(stages)
        uncounted = {*measured_keys("instructions"), *measured_keys("step_instructions")}
        assert uncounted <= set(model["not_measured"])
        assert len(model["logits"]) == 16
    assert result["models"][0]["runtime"].startswith("onnxruntime ")
    assert result["models"][1]["runtime"].startswith("ai-edge-litert ")


def test_progress_tells_each_step_and_the_launches_alternate(
    served: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    _result, events = served
    taken = [each for each in events if each["event"] == "progress"]
    assert [(each["kind"], each["format"], each["launch"]) for each in taken] == [
        ("ram", "onnx", 0),
        ("ram", "tflite", 0),
        ("parity", "onnx", 0),
        ("parity", "tflite", 0),
        ("step_parity", "onnx", 0),
        ("step_parity", "tflite", 0),
        ("latency", "onnx", 0),
        ("latency", "tflite", 0),
        ("latency", "onnx", 1),
        ("latency", "tflite", 1),
        ("step_latency", "onnx", 0),
        ("step_latency", "tflite", 0),
        ("step_latency", "onnx", 1),
        ("step_latency", "tflite", 1),
        ("power", "onnx", 0),
        ("power", "tflite", 0),
    ]
    assert {each["steps"] for each in taken} == {16}
    outcomes = [each["step"] for each in events if each["event"] == "outcome"]
    assert outcomes == [each["step"] for each in taken] == list(range(16))


def test_the_agent_itself_needs_no_numpy() -> None:
    code = "import sys; from edgeseq_device.measuring.agent import serve; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_threads_are_pinned_and_recorded(served: tuple[dict[str, Any], list[Any]]) -> None:
    assert [model["affinity"] for model in served[0]["models"]] == [[max(os.sched_getaffinity(0))]] * 2


def test_more_threads_than_processors_are_refused() -> None:
    threads = len(os.sched_getaffinity(0)) + 1
    with pytest.raises(DeviceError, match=f"--threads {threads}: this board has"):
        choose_cpus(threads)


def test_latency_is_never_planned_on_an_emulated_processor(pristine_artifact: Path) -> None:
    request = Request(str(pristine_artifact), ("onnx",), counting_worker_command=("count",))
    models = [open_artifact(pristine_artifact).model("onnx")]
    runners = {"onnx": ("python",)}
    emulated = [each.kind for each in plan(request, models, emulated=True, runners=runners)]
    assert emulated == ["ram", "parity", "step_parity", "instructions", "step_instructions"]
    real = {each.kind for each in plan(request, models, emulated=False, runners=runners)}
    assert {"latency", "step_latency"} <= real


def test_a_model_without_a_step_form_says_why_in_place_of_its_figures(
    artifact_folder: Path, fast_limits: Limits, rewrite_manifest: Any
) -> None:
    rewrite_manifest(
        artifact_folder,
        lambda manifest: manifest["models"][1].update(step=None, step_reason="gru0 reads frames to come"),
    )
    kinds = ("step_parity", "step_latency")
    result = bench(
        Request(str(artifact_folder), ("onnx", "tflite"), kinds, limits=fast_limits), lambda _event: None
    )
    onnx, tflite = result["models"]
    assert result["valid"], result["invalid_because"]
    assert onnx["step_parity_ok"]
    assert onnx["step_sha256"] == sha256_of(artifact_folder / "model.step.onnx")
    assert (tflite["step_file"], tflite["step_sha256"], tflite["step_bytes"]) == (None, None, None)
    for kind in kinds:
        for name in measured_keys(kind):
            assert tflite[name] is None
            assert tflite["not_measured"][name] == "no step form: gru0 reads frames to come"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL; the board may have run out of RAM"),
        ("raise RuntimeError('no such op')", "exit code 1: RuntimeError: no such op"),
        ("pass", "ended without an outcome"),
        ("print('Hello')", "ended without an outcome"),
        ("print(3)", "no JSON object"),
    ],
)
def test_a_worker_that_fails_is_told_and_the_next_one_runs(
    pristine_artifact: Path, fast_limits: Limits, tmp_path: Path, code: str, said: str
) -> None:
    real = f"os.execv(sys.executable, [sys.executable, '-c', {_REAL_WORKER!r}, json.dumps(job)])"
    command = stub(tmp_path, f"if job['format'] == 'onnx':\n    {code}\nelse:\n    {real}")
    result = bench(ram_only(pristine_artifact, fast_limits, command), lambda _event: None)
    broken, whole = result["models"]
    assert said in broken["failures"][0]
    assert broken["ram_peak_bytes"] is None
    assert said in broken["not_measured"]["ram_peak_bytes"]
    assert not result["valid"]
    assert any("onnx: ram: " in each for each in result["invalid_because"])
    assert whole["failures"] == []
    assert whole["ram_peak_bytes"] > 1_000_000


_REAL_WORKER = (
    "import io, sys; sys.stdin = io.StringIO(sys.argv[1]); "
    "from edgeseq_device.measuring.worker import main; main()"
)


def test_a_worker_that_hangs_is_killed_with_its_children(
    pristine_artifact: Path, fast_limits: Limits, tmp_path: Path
) -> None:
    child = tmp_path / "child"
    script = tmp_path / "stub.sh"  # there long before the time is over, on a busy machine too
    script.write_text(f"sleep 600 & echo $! >'{child}'; wait\n")
    limits = replace(fast_limits, timeout_s=3.0)
    request = replace(ram_only(pristine_artifact, limits, ("/bin/sh", str(script))), formats=("onnx",))
    result = bench(request, lambda _event: None)
    assert result["models"][0]["failures"] == ["ram: the worker hung: no outcome after 3 s"]
    wait_until(lambda: has_ended(int(child.read_text())))


def test_a_worker_that_cannot_be_started_is_told(pristine_artifact: Path, fast_limits: Limits) -> None:
    request = ram_only(pristine_artifact, fast_limits, ("/nonexistent/python",))
    result = bench(request, lambda _event: None)
    assert "/nonexistent/python" in result["models"][0]["failures"][0]


def test_a_count_without_a_counter_is_told(pristine_artifact: Path, fast_limits: Limits) -> None:
    request = Request(
        str(pristine_artifact),
        ("tflite",),
        ("instructions",),
        limits=fast_limits,
        counting_worker_command=(sys.executable,),
    )
    model = bench(request, lambda _event: None)["models"][0]
    assert "0 of 11 inferences counted" in model["failures"][0]
    assert model["instructions"] is None


def test_a_tampered_artifact_starts_no_worker(
    artifact_folder: Path, fast_limits: Limits, tmp_path: Path
) -> None:
    (artifact_folder / "model.tflite").write_bytes(b"tampered")
    started = tmp_path / "started"
    request = ram_only(artifact_folder, fast_limits, stub(tmp_path, f"open({str(started)!r}, 'w')"))
    with pytest.raises(DataError, match=r"model\.tflite"):
        bench(request, lambda _event: None)
    assert not started.exists()


def test_a_file_that_is_swapped_during_the_run_is_not_what_is_measured(
    artifact_folder: Path, fast_limits: Limits
) -> None:
    model = artifact_folder / "model.tflite"
    verified = sha256_of(model)

    def swap(_event: Mapping[str, Any]) -> None:
        model.write_bytes(b"another model")

    request = Request(str(artifact_folder), ("tflite",), ("ram", "parity"), limits=fast_limits)
    result = bench(request, swap)
    assert result["valid"], result["invalid_because"]
    assert result["models"][0]["parity_ok"]
    assert result["models"][0]["sha256"] == verified
    assert model.read_bytes() == b"another model"


def test_a_fault_with_a_model_names_the_folder_that_was_asked_for(
    pristine_artifact: Path, fast_limits: Limits, tmp_path: Path
) -> None:
    command = stub(tmp_path, "print(json.dumps({'error': job['model'] + ': refused'}))")
    request = replace(ram_only(pristine_artifact, fast_limits, command), formats=("tflite",))
    failure = bench(request, lambda _event: None)["models"][0]["failures"][0]
    assert failure == f"ram: {pristine_artifact / 'model.tflite'}: refused"


def test_a_board_that_was_throttled_between_two_good_readings_is_found_out(
    pristine_artifact: Path, fast_limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The firmware of a Pi lowers its flags again as soon as the reason has gone."""
    launches, firmware = tmp_path / "launches", tmp_path / "bin/vcgencmd"
    firmware.parent.mkdir()
    firmware.write_text(
        "#!/bin/sh\n"
        f"done=$(cat {launches} 2>/dev/null)\n"
        'if [ "$1 $done" = "get_throttled x" ]; then echo throttled=0x4; else echo throttled=0x0; fi\n'
    )
    firmware.chmod(0o755)
    monkeypatch.setenv("PATH", str(firmware.parent), prepend=os.pathsep)
    monkeypatch.setattr(agent, "read_guards", read_guards)
    code = f"open({str(launches)!r}, 'a').write('x')\nprint(json.dumps({LAUNCH!r}))"
    request = ram_only(pristine_artifact, fast_limits, stub(tmp_path, code))
    result = bench(replace(request, formats=("tflite",), kinds=("latency",)), lambda _event: None)
    assert launches.read_text() == "xx"
    assert result["models"][0]["latency_launches"] == 2
    assert any("reported throttled during the measurement" in each for each in result["invalid_because"])


def test_a_clock_that_runs_backwards_costs_one_figure_and_not_the_result(
    pristine_artifact: Path, fast_limits: Limits
) -> None:
    request = Request(str(pristine_artifact), ("tflite",), ("latency",), limits=fast_limits)
    outcome: dict[str, Any] = {**LAUNCH, "phases": {**LAUNCH["phases"], "start_ms": -1.0}}
    began = {
        "started_utc": "now",
        "device": {"emulated": False, "emulated_because": None, "warnings": []},
        "guards": {},
        "affinity": {"1": None},
        "runners": {"tflite": ["python"]},
        "native": {"because": None, "runner_sha256": None, "library_sha256": None},
    }
    models = [open_artifact(pristine_artifact).model("tflite")]
    outcomes = {Measurement("latency", "tflite", launch=each): outcome for each in range(2)}
    result = Taken(request, models, began, {}, outcomes).result()
    validate_result(result, complete=False)
    assert result["models"][0]["start_ms"] is None
    assert "clocks" in result["models"][0]["not_measured"]["start_ms"]
    assert result["models"][0]["latency_n"] == 4


def test_the_runtimes_settings_are_recorded(served: tuple[dict[str, Any], list[Any]]) -> None:
    onnx, tflite = served[0]["models"]
    assert onnx["runtime_settings"]["allow_spinning"] is False
    assert "delegate" in tflite["runtime_settings"]


def test_the_agent_ends_its_worker_when_it_is_told_to_end(
    pristine_artifact: Path, fast_limits: Limits, tmp_path: Path
) -> None:
    worker = tmp_path / "worker"
    code = f"open({str(worker)!r}, 'w').write(str(os.getpid()) + '.')\ntime.sleep(600)"
    request = ram_only(pristine_artifact, fast_limits, stub(tmp_path, code))
    agent = subprocess.Popen(
        [sys.executable, "-m", "edgeseq_device", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(json.dumps(request_to_dict(request)).encode() + b"\n")
    agent.stdin.flush()
    wait_until(lambda: worker.exists() and worker.read_text().endswith("."))
    agent.terminate()
    agent.wait(30)
    agent.stdout.close()
    wait_until(lambda: has_ended(int(worker.read_text().rstrip("."))))


@pytest.mark.parametrize("arguments", [[], ["server"], ["serve", "more"]])
def test_an_unknown_role_is_a_usage_error(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgeseq_device", *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: agent.pyz serve|worker|bench" in done.stderr


def test_help_is_no_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgeseq_device", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: agent.pyz" in done.stdout


def asked(command: list[str], request: str, **settings: Any) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, events and stderr of an agent whose host stays until it has heard all; a slow one tells
    now and then that it lives."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    ) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        assert agent.stderr is not None
        agent.stdin.write(request + "\n")
        agent.stdin.flush()
        events = [event for event in map(json.loads, agent.stdout) if event["event"] != "alive"]
        said = agent.stderr.read()
    return agent.returncode, events, said


def test_a_fault_is_one_event_with_its_exit_code() -> None:
    status, (event,), said = asked([sys.executable, "-m", "edgeseq_device", "serve"], "{}")
    assert (status, event["event"], event["exit_code"]) == (6, "error", 6)
    assert "schema version" in event["message"]
    assert said == ""


def test_a_board_whose_disk_is_full_is_told_in_one_line(pristine_artifact: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    request = json.dumps(request_to_dict(Request(str(pristine_artifact), ("tflite",), ("ram",))))
    command = [sys.executable, "-B", "-m", "edgeseq_device", "serve"]
    status, (event,), said = asked(command, request, preexec_fn=no_room)
    assert (status, event["event"], event["exit_code"]) == (1, "error", 1)
    assert event["message"].endswith("; has its disk room?")
    assert "\n" not in event["message"]
    assert said == ""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "agent.pyz"
    with zipfile.ZipFile(path, "w") as made:
        for module in PACKAGE.rglob("*.py"):
            made.write(module, str(module.relative_to(PACKAGE.parent)))
        main = "import sys\nfrom edgeseq_device.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
        made.writestr("__main__.py", main)
    return path


def test_python_3_9_without_numpy_is_told_what_to_install(
    archive: Path, pristine_artifact: Path, old_python: str, tmp_path: Path
) -> None:
    subprocess.run([old_python, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    request = json.dumps(request_to_dict(Request(str(pristine_artifact), ("tflite",), ("ram",))))
    command = [str(tmp_path / "bare/bin/python"), "-I", str(archive), "serve"]
    _status, (event,), said = asked(command, request)
    assert event["exit_code"] == 5
    assert event["message"].startswith("numpy is not installed for ")
    assert said == ""


def test_the_archive_alone_is_enough_to_measure(
    archive: Path, pristine_artifact: Path, fast_limits: Limits
) -> None:
    request = Request(str(pristine_artifact), ("tflite",), ("parity",), limits=fast_limits)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    _status, events, _said = asked(
        [sys.executable, str(archive), "serve"],
        json.dumps(request_to_dict(request)),
        env=environment,
        cwd=archive.parent,
    )
    assert [event["event"] for event in events] == ["began", "progress", "outcome", "result"]
    assert events[2]["outcome"]["values"]["parity_ok"], events[2]
