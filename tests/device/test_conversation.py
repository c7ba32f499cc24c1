from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ECHO = (
    "import sys\n"
    "from edgeseq_device.conversation import answer\n"
    "sys.exit(answer(lambda request, emit: emit({'event': 'heard'}) or request))\n"
)


def converse(code: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    """The answer to `text`, by an agent whose host stays until it has heard all."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        assert agent.stderr is not None
        agent.stdin.write(text)
        agent.stdin.flush()
        if not text:
            agent.stdin.close()
        said = agent.stdout.read(), agent.stderr.read()
    return subprocess.CompletedProcess(command, agent.returncode, *said)


def test_a_request_is_one_line_and_its_answer_the_result() -> None:
    done = converse(ECHO, b'{"a": 1}\n\n\n')
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events == [{"event": "heard"}, {"event": "result", "result": {"a": 1}}]
    assert done.stderr == b""


@pytest.mark.parametrize("text", [b"", b"{\n", b"[]\n", b"1\n", b"\xff\xfe\n"])
def test_what_is_no_request_is_refused(text: bytes) -> None:
    done = converse(ECHO, text)
    event = json.loads(done.stdout)
    assert (done.returncode, event["event"], event["exit_code"]) == (6, "error", 6)
    assert event["message"].startswith("request: not ")


@pytest.mark.parametrize(
    ("number", "advice"),
    [("ENOSPC", "; has its disk room?"), ("EDQUOT", "; has its disk room?"), ("EACCES", ""), ("EIO", "")],
)
def test_a_fault_of_the_system_is_told_with_the_file_and_a_full_disk_with_advice(
    number: str, advice: str
) -> None:
    code = (
        "import errno, os, sys\n"
        "from edgeseq_device.conversation import answer\n"
        "def work(request, emit):\n"
        f"    raise OSError(errno.{number}, os.strerror(errno.{number}), '/mnt/input')\n"
        "sys.exit(answer(work))\n"
    )
    done = converse(code, b"{}\n")
    event = json.loads(done.stdout)
    reason = os.strerror(getattr(errno, number))
    assert (done.returncode, event["exit_code"]) == (1, 1)
    assert event["message"] == f"/mnt/input: {reason}{advice}"


def test_work_ends_with_its_host_and_tidies_up(tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"
    code = (
        "import sys, time\n"
        "from edgeseq_device.conversation import answer\n"
        "def work(request, emit):\n"
        "    try:\n"
        "        emit({'event': 'begun'})\n"
        "        time.sleep(600)\n"
        "    finally:\n"
        f"        open({str(tidied)!r}, 'w').close()\n"
        "sys.exit(answer(work))\n"
    )
    agent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(b"{}\n")
    agent.stdin.flush()
    assert agent.stdout.readline() == b'{"event": "begun"}\n'
    agent.stdin.close()
    agent.wait(30)
    agent.stdout.close()
    assert tidied.exists()


def test_silence_ends_the_work_too() -> None:
    code = (
        "import sys, time\n"
        "from edgeseq_device import conversation\n"
        "conversation.SILENCE_S = 0.3\n"
        "sys.exit(conversation.answer(lambda request, emit: time.sleep(600)))\n"
    )
    agent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(b"{}\n")
    agent.stdin.flush()
    assert agent.wait(30) != 0
    agent.stdin.close()
    agent.stdout.close()


def test_an_agent_tells_now_and_then_that_it_lives() -> None:
    code = (
        "import sys, time\n"
        "from edgeseq_device import conversation\n"
        "conversation.HEARTBEAT_S = 0.05\n"
        "sys.exit(conversation.answer(lambda request, emit: time.sleep(600)))\n"
    )
    agent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(b"{}\n")
    agent.stdin.flush()
    assert [agent.stdout.readline() for _ in range(2)] == [b'{"event": "alive"}\n'] * 2
    agent.communicate(timeout=30)


def test_a_host_that_is_silent_and_takes_no_more_ends_the_work_too() -> None:
    """As when its network is gone: what is said fills the pipe, and nothing may wait for that."""
    code = (
        "import sys\n"
        "from edgeseq_device import conversation\n"
        "conversation.HEARTBEAT_S, conversation.SILENCE_S = 0.05, 0.3\n"
        "def work(request, emit):\n"
        "    while True:\n"
        "        emit({'event': 'heard by nobody'})\n"
        "sys.exit(conversation.answer(work))\n"
    )
    agent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(b"{}\n")
    agent.stdin.flush()
    assert agent.wait(30) != 0
    agent.stdin.close()
    agent.stdout.close()


def test_nobody_who_listens_is_no_crash() -> None:
    code = ECHO.replace("import sys", "import sys, time", 1).replace("emit({", "time.sleep(0.5) or emit({")
    agent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert agent.stdout is not None
    agent.stdout.close()
    assert agent.stdin is not None
    assert agent.stderr is not None
    agent.stdin.write(b"{}\n")
    agent.stdin.flush()
    said = agent.stderr.read()
    agent.stdin.close()
    agent.stderr.close()
    agent.wait(30)
    assert b"Traceback" not in said
