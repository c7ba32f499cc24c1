"""What a board tells of itself, asked of a real process."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgeseq.devices.agent_link import agent_archive, converse
from edgeseq_device.board.libraries import try_library
from edgeseq_device.board.probe import cgroup, content
from edgeseq_device.errors import DataError


def probed(
    root: Path, python: Sequence[str] = (sys.executable,)
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The answer of an agent, and the events before it."""
    events: list[dict[str, Any]] = []
    command = [*python, str(agent_archive()), "probe"]
    found = converse(command, {"root": str(root)}, lambda event: events.append(dict(event)))
    return found, events


def broken_library(folder: Path, name: str, code: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)


def test_an_agent_tells_its_python_and_what_loads_there(tmp_path: Path) -> None:
    found, events = probed(tmp_path / "root")
    major, minor = sys.version_info[:2]
    assert found["python"]["tag"] == f"cp{major}{minor}"
    assert found["python"]["bits"] == (64 if sys.maxsize > 2**32 else 32)
    assert found["kernel_machine"] == platform.machine()
    assert found["libraries"]["numpy"]["version"].startswith("numpy ")
    assert found["own_numpy"] == found["libraries"]["numpy"]["version"]
    assert found["libraries"]["tflite"]["version"].startswith("ai-edge-litert ")
    assert abs(found["clock_s"] - time.time()) < 600
    assert found["disk_free_bytes"] > 0
    assert [event["library"] for event in events] == ["numpy", "onnx", "tflite"]
    assert not (tmp_path / "root").exists()
    json.dumps(found, allow_nan=False)


def test_a_python_without_anything_tells_what_is_missing(tmp_path: Path) -> None:
    found, _ = probed(tmp_path, (sys.executable, "-I", "-S"))
    assert {each["error"] for each in found["libraries"].values()} == {"not installed"}
    assert found["own_numpy"] is None


def test_python_3_9_tells_too(tmp_path: Path, old_python: str) -> None:
    found, _ = probed(tmp_path, (old_python,))
    assert (found["python"]["tag"], found["own_numpy"]) == ("cp39", "numpy 2.0.2")
    assert found["libraries"]["onnx"]["error"] == "not installed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ImportError('libcblas.so.3: cannot open shared object file')", "libcblas.so.3"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
            "the process that loads it is killed by SIGILL",
        ),
        ("import sys; sys.exit(3)", "exit code 3"),
    ],
)
def test_a_library_that_breaks_its_process_is_told_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    broken_library(tmp_path / "site", "onnxruntime", code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=":")
    found = try_library("onnx")
    assert found["version"] is None
    assert said in found["error"]


def test_a_library_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_library(tmp_path / "site", "onnxruntime", "import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=":")
    assert try_library("onnx", timeout_s=1)["error"] == "no answer in 1 s while it loads"


def test_what_a_library_prints_while_it_loads_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_library(tmp_path / "site", "numpy", "print('hello'); __version__ = '1.2'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=":")
    assert try_library("numpy")["version"] == "numpy 1.2"


def test_the_content_of_a_folder_is_told_with_its_sizes(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / ("a" * 64)).write_bytes(os.urandom(10_000))  # no disk makes it smaller
    (tmp_path / "python" / "cp311-0123456789abcdef").mkdir(parents=True)
    (tmp_path / "python" / "cp311").symlink_to("cp311-0123456789abcdef")
    (tmp_path / "deployed" / "digits" / "versions").mkdir(parents=True)
    found = content(tmp_path)
    assert found["python"] == {"cp311": "cp311-0123456789abcdef"}
    assert found["deployed"] == ["digits"]
    assert found["parts"]["blobs"] >= 10_000
    assert found["bytes"] == sum(found["parts"].values())


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    nothing = {"bytes": 0, "parts": {}, "python": {}, "native": None, "deployed": []}
    assert content(tmp_path / "absent") == nothing


@pytest.mark.parametrize(
    ("controllers", "memory"), [("cpuset cpu io memory pids\n", True), ("cpuset cpu io pids\n", False)]
)
def test_a_pi_has_its_memory_controller_off_by_default(
    tmp_path: Path, controllers: str, memory: bool
) -> None:
    folder = tmp_path / "sys/fs/cgroup"
    folder.mkdir(parents=True)
    (folder / "cgroup.controllers").write_text(controllers)
    assert cgroup(tmp_path) == {"version": 2, "memory": memory}


def test_a_kernel_without_control_groups_has_no_version(tmp_path: Path) -> None:
    assert cgroup(tmp_path) == {"version": None, "memory": False}


@pytest.mark.parametrize("request_line", ['{"root": 1}', "{}", '{"root": "/a", "other": 1}'])
def test_another_request_is_refused(request_line: str) -> None:
    with pytest.raises(DataError, match="use one edgeseq for both ends"):
        converse(
            [sys.executable, str(agent_archive()), "probe"], json.loads(request_line), lambda _event: None
        )


def test_a_host_that_asks_nothing_is_refused() -> None:
    process = subprocess.run(
        [sys.executable, str(agent_archive()), "probe"],
        input=b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 6
