from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import children, has_ended, wait_until

from edgeseq_device.measuring.keys import INTERRUPTED
from edgeseq_device.measuring.protocol import validate_result

Rewrite = Callable[[Path, Callable[[dict[str, Any]], object]], None]
Bench = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Packages named as the runtimes whose import leaves a mark and fails."""
    mark = tmp_path / "a runtime was imported"
    for name in ("onnxruntime", "ai_edge_litert", "tflite_runtime"):
        folder = tmp_path / "trap" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(
            f"open({str(mark)!r}, 'a').close()\nraise ImportError('a trap')\n"
        )
    return mark


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Runs `edgeseq bench` in a process of its own, with the trap's packages first when they are there."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        search_path = [str(tmp_path / "trap"), *sys.path]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, search_path)),
            "EDGESEQ_CACHE_DIR": str(tmp_path / "cache"),
        }
        command = [sys.executable, "-m", "edgeseq", "bench", "--quick", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
        )

    return run


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a flipped byte in the onnx model": lambda folder: flip(folder / "model.onnx"),
    "a flipped byte in the tflite model": lambda folder: flip(folder / "model.tflite"),
    "a flipped byte in the golden vectors": lambda folder: flip(folder / "golden.npz"),
    "a flipped byte in the manifest": lambda folder: flip(folder / "manifest.json"),
    "a missing model": lambda folder: (folder / "model.tflite").unlink(),
    "a missing manifest": lambda folder: (folder / "manifest.json").unlink(),
    "missing hashes": lambda folder: (folder / "SHA256SUMS").unlink(),
    "an extra model": lambda folder: (folder / "model.step.onnx").write_bytes(b"x"),
    "a malformed manifest": lambda folder: (folder / "manifest.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_tampered_artifact_is_refused_before_a_runtime_is_even_imported(
    bench: Bench, trap: Path, artifact_folder: Path, damage: str
) -> None:
    DAMAGES[damage](artifact_folder)
    done = bench(artifact_folder, "--json", "out.json")
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr.startswith("edgeseq: error: ")
    assert done.stderr.count("\n") == 1
    assert not trap.exists()
    assert not (artifact_folder.parent / "out.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(manifest_version=2),
        lambda manifest: manifest["models"][0].update(file="../model.onnx"),
        lambda manifest: manifest["models"][0].update(parity_tolerance=2),
    ],
)
def test_a_manifest_with_right_hashes_and_wrong_content_is_refused_too(
    bench: Bench,
    trap: Path,
    artifact_folder: Path,
    rewrite_manifest: Rewrite,
    change: Callable[[dict[str, Any]], object],
) -> None:
    rewrite_manifest(artifact_folder, change)
    done = bench(artifact_folder)
    assert done.returncode == 6
    assert "manifest.json" in done.stderr
    assert not trap.exists()


def test_the_trap_catches_a_runtime_that_is_imported(bench: Bench, trap: Path, artifact_folder: Path) -> None:
    done = bench(artifact_folder, "--format", "onnx")
    assert trap.exists()
    assert done.returncode == 5
    assert "trap" in done.stderr


def test_a_whole_bench_prints_both_formats_and_writes_its_result(bench: Bench, artifact_folder: Path) -> None:
    done = bench(artifact_folder, "--json", "out.json")
    result = json.loads((artifact_folder.parent / "out.json").read_text("utf-8"))
    validate_result(result, complete=True)
    assert done.returncode == (0 if result["valid"] else 5), done.stderr
    assert "gestures-gru-int8-generic on local" in done.stdout
    for word in ("onnx", "tflite", "latency p50", "RAM, peak", "parity"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_board_that_cannot_do_it_leaves_its_error_in_the_file(bench: Bench, artifact_folder: Path) -> None:
    done = bench(artifact_folder, "--threads", "256", "--json", "out.json")
    told = json.loads((artifact_folder.parent / "out.json").read_text("utf-8"))
    assert done.returncode == told["results"]["local"]["exit_code"] == 5
    assert "this board has" in told["results"]["local"]["error"]


def test_the_newest_artifact_is_the_default(bench: Bench, artifact_folder: Path) -> None:
    done = bench()
    assert done.returncode == 2
    assert "edgeseq export" in done.stderr
    (artifact_folder.parent / "artifacts").mkdir()
    artifact_folder.rename(artifact_folder.parent / "artifacts" / artifact_folder.name)
    done = bench("--format", "tflite")
    assert "gestures-gru-int8-generic on local" in done.stdout, done.stderr
    assert "onnxruntime" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("--device", "pi44"), 2, 'did you mean "pi4"'),
        (("--device", "pi3"), 5, "there is no virtual pi3"),
        (("--format", "onxx"), 2, 'did you mean "onnx"'),
        (("--threads", "0"), 2, "--threads"),
        (("--threads", "256"), 5, "this board has"),
        (("--json", "nowhere/out.json"), 2, "nowhere"),
        (("--json", "/proc/out.json"), 2, "cannot be written to"),
        (("--emulate",), 2, "there is no virtual form of local"),
        (("--max-ram", "64"), 2, "write --max-ram 64MB"),
    ],
)
def test_a_wrong_wish_is_refused_in_one_line(
    bench: Bench, artifact_folder: Path, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = bench(artifact_folder, *arguments)
    assert done.returncode == exit_code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("trap")
def test_an_accuracy_of_what_has_no_classes_is_refused(bench: Bench, forecaster_folder: Path) -> None:
    done = bench(forecaster_folder, "--with-accuracy")
    assert done.returncode == 2
    assert "plant has none" in done.stderr
    assert "edgeseq eval plant" in done.stderr


# The command itself, which tells of each event on stderr.
_TELLING = """
import sys, edgeseq.cli.bench as bench
from edgeseq.cli import main
bench._steps_bar = lambda _bars, _device: lambda event: print(
    event["event"], event.get("kind", ""), file=sys.stderr, flush=True
)
main(prog_name="edgeseq")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_writes_and_prints_what_was_measured_and_leaves_no_process(
    pristine_artifact: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", _TELLING, "bench", str(pristine_artifact), "--quick"]
    with subprocess.Popen(
        [*command, "--format", "tflite", "--json", "out.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - else a background job ignores it
    ) as process:
        assert process.stderr is not None
        assert any(line == "progress parity\n" for line in iter(process.stderr.readline, ""))
        (agent,) = children(process.pid)
        workers: list[int] = []
        wait_until(lambda: workers.extend(children(agent)) or workers != [])
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == f"edgeseq: error: local: {INTERRUPTED}"
    assert "Traceback" not in stderr
    assert f"INVALID: {INTERRUPTED}" in stdout
    result = json.loads((tmp_path / "out.json").read_text("utf-8"))
    validate_result(result, complete=True)
    assert result["invalid_because"][0] == INTERRUPTED
    assert result["models"][0]["ram_peak_bytes"] > 0
    assert result["models"][0]["not_measured"]["latency_p50_ms"] == INTERRUPTED
    wait_until(lambda: all(map(has_ended, [agent, *workers])))
