from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench import run_once
from edgeseq.devices.agent_link import AgentEndedError, agent_archive, converse
from edgeseq.devices.links import LocalLink
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.measuring.request import Limits, Request, request_to_dict

LIMITS = Limits(timeout_s=60)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def parity_request(artifact: Path) -> Request:
    return Request(str(artifact), ("tflite",), ("parity",), limits=LIMITS)


def impostor(folder: Path, code: str) -> list[str]:
    """A command whose agent is `code`, told nothing of edgeseq."""
    path = folder / "impostor.py"
    path.write_text(f"import json, os, signal, sys, time\nsys.stdin.readline()\n{code}\n")
    return [sys.executable, str(path)]


def ignore(_event: Mapping[str, Any]) -> None:
    return None


def test_the_archive_has_the_device_code_and_nothing_else(cache: Path) -> None:
    path = agent_archive()
    assert path.parent == cache / "agent"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert "__main__.py" in names
    assert "edgeseq_device/measuring/agent.py" in names
    assert all(name == "__main__.py" or name.startswith("edgeseq_device/") for name in names)


def test_the_archive_is_the_same_for_the_same_code_and_mended_when_damaged() -> None:
    path = agent_archive()
    content = path.read_bytes()
    path.write_bytes(b"damaged")
    assert agent_archive() == path
    assert path.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_a_device_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(DeviceError, match="name another folder in EDGESEQ_CACHE_DIR"):
        agent_archive()


def test_a_result_comes_with_the_progress_that_led_to_it(pristine_artifact: Path) -> None:
    events: list[Mapping[str, Any]] = []
    request = request_to_dict(parity_request(pristine_artifact))
    guards = converse(LocalLink().agent("serve"), request, events.append)
    assert "governor" in guards
    assert [event["event"] for event in events] == ["began", "progress", "outcome"]
    assert events[-1]["outcome"]["values"]["parity_ok"]


def test_the_agents_own_error_keeps_its_class(artifact_folder: Path) -> None:
    (artifact_folder / "golden.npz").write_bytes(b"")
    with pytest.raises(DataError, match=r"golden\.npz: its content changed"):
        run_once(LocalLink(), parity_request(artifact_folder))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("sys.exit('no libc here')", r"ended without a result \(exit code 1\): no libc here"),
        ("os.kill(os.getpid(), signal.SIGKILL)", r"ended without a result \(exit code -9\)"),
        ("print('Welcome to Raspberry Pi OS')", "no event: 'Welcome to Raspberry Pi OS'"),
        ("print('[]')", "no event"),
        ("print(json.dumps({'event': 'result'}))", "ended without a result"),
    ],
)
def test_an_agent_that_breaks_off_or_breaks_the_protocol_is_a_device_error(
    tmp_path: Path, code: str, said: str
) -> None:
    with pytest.raises(DeviceError, match=said):
        converse(impostor(tmp_path, code), {}, ignore)


def test_an_agent_that_cannot_be_started_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match="/nonexistent: the agent cannot be started"):
        converse(["/nonexistent"], {}, ignore)


def test_the_agent_is_ended_when_the_host_is_interrupted(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "print(json.dumps({'event': 'progress'}), flush=True)\n"
        "sys.stdin.read()"
    )

    def interrupt(_event: Mapping[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        converse(impostor(tmp_path, code), {}, interrupt)
    assert not Path(f"/proc/{pid_file.read_text()}").exists()


def test_an_agent_that_says_nothing_tells_its_status_and_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(AgentEndedError) as caught:
        converse(impostor(tmp_path, "sys.stderr.write('one\\ntwo\\n'); sys.exit(255)"), {}, ignore)
    assert caught.value.status == 255
    assert caught.value.said == "one\ntwo\n"


def test_the_agent_without_wheels_is_small() -> None:
    assert agent_archive().stat().st_size < 200_000
