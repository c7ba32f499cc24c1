"""`agent.pyz bench`: what people at a board, or in the image, get to see and to script with."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import children, has_ended, wait_until

import edgeseq_device
from edgeseq_device.measuring.bench_command import main
from edgeseq_device.measuring.keys import INTERRUPTED
from edgeseq_device.measuring.plain_table import note_lines, table_lines
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.verdict import judge

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(edgeseq_device.__file__).parents[1])}


@pytest.fixture(scope="module")
def measured(pristine_artifact: Path) -> subprocess.CompletedProcess[str]:
    """One short run of the command, with the result on stdout."""
    command = [sys.executable, "-m", "edgeseq_device", "bench", str(pristine_artifact)]
    command += ["--quick", "--format", "tflite", "--json", "-"]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_the_figures_of_an_artifact_are_measured_and_printed(
    measured: subprocess.CompletedProcess[str],
) -> None:
    result = json.loads(measured.stdout)
    assert [model["failures"] for model in result["models"]] == [[]]
    assert measured.returncode == (0 if result["valid"] else 5), measured.stderr  # 5: this machine swapped
    lines = measured.stderr.splitlines()
    assert lines[0] == "[1/6] tflite: ram"
    assert any(line.startswith("latency p50") and line.endswith("ms") for line in lines)
    assert any(line.startswith("RAM, peak") and line.endswith("MB") for line in lines)
    assert any(line.startswith("parity ok") and line.endswith("yes") for line in lines)


def test_with_a_dash_the_whole_result_goes_to_stdout_and_nothing_else(
    measured: subprocess.CompletedProcess[str],
) -> None:
    result = json.loads(measured.stdout)
    validate_result(result, complete=False)
    assert result["models"][0]["latency_p50_ms"] > 0


def test_a_figure_that_was_not_taken_is_not_measured_for_a_reason(result: dict[str, Any]) -> None:
    for model in result["models"]:
        model["ram_pss_bytes"] = None
        model["not_measured"]["ram_pss_bytes"] = "this kernel keeps no proportional figure"
    row = next(line for line in table_lines(result) if line.startswith("RAM, proportional"))
    assert row.split() == ["RAM,", "proportional", *["not", "measured"] * len(result["models"])]
    assert "not measured: RAM, proportional: this kernel keeps no proportional figure" in note_lines(result)


def test_what_only_one_model_lacks_is_told_of_that_model(result: dict[str, Any]) -> None:
    result["models"][1]["ram_pss_bytes"] = None
    result["models"][1]["not_measured"]["ram_pss_bytes"] = "no proportional figure"
    assert "not measured: RAM, proportional (tflite): no proportional figure" in note_lines(result)


def test_every_line_of_an_emulated_result_says_so(result: dict[str, Any]) -> None:
    result["emulated"], result["emulated_because"] = True, "the process is run by qemu-aarch64"
    assert all(line.endswith("  emulated") for line in table_lines(result))
    assert all(line.startswith("emulated: ") for line in note_lines(result, ["onnx: not measured"]))


def test_a_sound_result_is_no_failure(result: dict[str, Any]) -> None:
    assert judge(result) is None


def test_a_model_out_of_parity_is_a_failed_gate(result: dict[str, Any]) -> None:
    result["models"][1].update(step_parity_ok=False, step_parity_error=0.5, step_parity_decisions_changed=2)
    failed = judge(result)
    assert failed is not None
    assert failed.exit_code == 4
    step_file = result["models"][1]["step_file"]
    assert str(failed).startswith(f"{step_file}, step form, is out of parity: error 5.0e-01 of 1.0e-03, ")
    assert str(failed).endswith("decisions changed: 2 of 16; do not use it on this device")


def test_an_invalid_result_is_a_fault_of_the_device(result: dict[str, Any]) -> None:
    result["invalid_because"] = ["the board reported throttled during the measurement"]
    failed = judge(result)
    assert failed is not None
    assert failed.exit_code == 5
    assert "throttled" in str(failed)


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 6
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_without_a_folder_it_is_the_images(capsys: pytest.CaptureFixture[str]) -> None:
    if Path("/artifact").exists():
        pytest.skip("this machine has an /artifact")
    assert main([]) == 6
    assert "/artifact" in capsys.readouterr().err


def test_a_machine_without_a_runtime_is_told_what_is_missing(
    pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert main([str(pristine_artifact)]) == 5
    assert "no runtime is installed" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--threads", "0"], ["--threads", "two"], ["--format", "pt"]])
def test_a_wrong_option_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_the_help_loads_neither_numpy_nor_a_runtime() -> None:
    code = (
        "import sys; from edgeseq_device.measuring.bench_command import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'numpy', 'onnxruntime', 'ai_edge_litert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"--json" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_docker_stop_and_ctrl_c_end_the_measurement_and_its_worker(
    pristine_artifact: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "edgeseq_device", "bench", str(pristine_artifact), "--format", "tflite"]
    with subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - else a background job ignores it
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"[1/10] tflite: ram\n"
        found: list[int] = []
        wait_until(lambda: found.extend(children(process.pid)) or found != [])
        process.send_signal(number)
        _stdout, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert b"Traceback" not in said
    wait_until(lambda: all(map(has_ended, found)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_measured_before_is_the_result(
    pristine_artifact: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "edgeseq_device", "bench", str(pristine_artifact), "--format", "tflite"]
    with subprocess.Popen(
        [*command, "--json", str(tmp_path / "out.json")],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - else a background job ignores it
    ) as process:
        assert process.stderr is not None
        assert any(line == b"[2/10] tflite: parity\n" for line in iter(process.stderr.readline, b""))
        process.send_signal(number)
        stdout, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1].decode() == f"Error: {INTERRUPTED}"
    assert f"INVALID: {INTERRUPTED}" in stdout.decode()
    result = json.loads((tmp_path / "out.json").read_text("utf-8"))
    validate_result(result, complete=False)
    assert result["models"][0]["ram_peak_bytes"] > 0
