from __future__ import annotations

import sys
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgeseq.bench.asking import run_once
from edgeseq.devices import agent_link
from edgeseq.devices.agent_link import AgentEndedError, HangUp, agent_archive, converse
from edgeseq.devices.links import LocalLink
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError, GateError
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


def test_a_conversation_outlives_the_longest_silence_because_each_end_tells_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Work of six seconds, where an agent that hears nothing for five ends itself, as does its host."""
    code = (
        "import sys, time\n"
        "from edgeseq_device import conversation\n"
        "conversation.HEARTBEAT_S, conversation.SILENCE_S = 0.1, 5.0\n"
        "sys.exit(conversation.answer(lambda request, emit: time.sleep(6) or 'done'))\n"
    )
    monkeypatch.setattr(agent_link, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(agent_link, "SILENCE_S", 5.0)
    events: list[Mapping[str, Any]] = []
    assert converse([sys.executable, "-c", code], {}, events.append) == "done"
    assert events == []


@pytest.mark.parametrize(
    ("limit", "first"), [("SILENCE_S", "print(json.dumps({'event': 'alive'}), flush=True)"), ("START_S", "")]
)
def test_an_agent_that_hangs_is_ended_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, first: str
) -> None:
    monkeypatch.setattr(agent_link, limit, 0.2)
    monkeypatch.setattr(agent_link, "_END_S", 0.1)
    with pytest.raises(AgentEndedError, match="said nothing for 0 s and was ended") as caught:
        converse(impostor(tmp_path, f"{first}\ntime.sleep(600)"), {}, ignore)
    assert caught.value.status is None


def test_hanging_up_ends_a_conversation_in_which_nothing_is_said_and_lets_none_begin(tmp_path: Path) -> None:
    command = impostor(tmp_path, "print(json.dumps({'event': 'here'}), flush=True)\nsys.stdin.read()")
    hang_up, ended = HangUp(), threading.Event()

    def listen() -> None:
        with pytest.raises(KeyboardInterrupt):
            converse(command, {}, lambda _event: threading.Timer(0.05, hang_up).start(), hang_up)
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    assert ended.wait(60)
    with pytest.raises(KeyboardInterrupt):
        converse(command, {}, ignore, hang_up)


def test_no_control_character_of_a_board_reaches_the_host(tmp_path: Path) -> None:
    told = {"event": "waiting", "for": "a\x1b[2J\u202eb", "n": 1.5, "more": [{"c\x07": None, "d": "\r\n"}]}
    result = {"event": "result", "result": {"invalid_because": ["\x1b]0;x"], "exact": 0.1}}
    code = f"for each in {[told, result]!r}: print(json.dumps(each))"
    events: list[Mapping[str, Any]] = []
    found = converse(impostor(tmp_path, code), {}, events.append)
    assert found == {"invalid_because": [" ]0;x"], "exact": 0.1}
    assert events == [{"event": "waiting", "for": "a [2J b", "n": 1.5, "more": [{"c ": None, "d": "  "}]}]
    error = {"event": "error", "message": "a\x1b[31mb", "exit_code": 5}
    with pytest.raises(DeviceError, match=r"^a \[31mb$"):
        converse(impostor(tmp_path, f"print(json.dumps({error!r}))"), {}, ignore)
    with pytest.raises(AgentEndedError, match=r"\(exit code 1\): a \[31mb$"):
        converse(impostor(tmp_path, "sys.exit('a\x1b[31mb')"), {}, ignore)


@pytest.mark.parametrize(("exit_code", "kind"), [(4, GateError), (99, EdgeseqError), ([], EdgeseqError)])
def test_an_error_that_an_agent_tells_has_the_class_of_its_exit_code(exit_code: Any, kind: type) -> None:
    assert type(agent_link.error_of(exit_code, "said")) is kind
