"""The agent's end of a conversation: one request in, events out, and an end as soon as nobody listens.

The request is one JSON line on stdin; events are JSON lines on stdout ({"event": "result" | "error" | ...});
stderr is for people. The host keeps stdin open and writes an empty line now and then: at its end, or after a
minute of silence, the agent ends itself and all that it started, however the connection was lost.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgeseq_device.errors import DataError, EdgeseqError, board_fault

HEARTBEAT_S = 10.0
"""The host writes an empty line this often, and the agent tells as often that it is alive."""
SILENCE_S = 60.0

Emit = Callable[[Mapping[str, Any]], None]


def answer(work: Callable[[Mapping[str, Any], Emit], Any]) -> int:
    """Serve the request on stdin with `work`; its return value is the result.

    The exit code is that of the error, if there is one. SIGTERM ends the work by SystemExit.
    """
    signal.signal(signal.SIGTERM, _stop)
    speaking = threading.Lock()

    def emit(event: Mapping[str, Any]) -> None:
        line = json.dumps(event, allow_nan=False)
        with speaking:
            print(line, flush=True)

    try:
        request = _request(_first_line(0))
        threading.Thread(target=_end_with_the_host, args=(0, speaking), daemon=True).start()
        emit({"event": "result", "result": work(request, emit)})
    except BrokenPipeError:
        _say_no_more()
        return EdgeseqError.exit_code  # nobody listens any more
    except OSError as error:
        return _refuse(board_fault(error), emit)
    except EdgeseqError as error:
        return _refuse(error, emit)
    return 0


def _first_line(descriptor: int) -> bytes:
    """The request; what follows it stays unread."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 1)
        if not piece:
            break
        line += piece
    return line


def _request(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"request: not JSON ({error})") from error
    if not isinstance(request, dict):
        raise DataError("request: not a JSON object")
    return request


def _end_with_the_host(descriptor: int, speaking: threading.Lock) -> None:
    """Tell the host that this process lives, and end it when the host has gone: SIGTERM, so that the work
    tidies up."""
    heard = told = time.monotonic()
    while time.monotonic() - heard < SILENCE_S:
        due = min(heard + SILENCE_S, told + HEARTBEAT_S) - time.monotonic()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, due))
        if ready:
            if not os.read(descriptor, 4096):
                break
            heard = time.monotonic()
        if time.monotonic() - told >= HEARTBEAT_S:
            told = time.monotonic()
            if not _say_alive(speaking):
                break
    os.kill(os.getpid(), signal.SIGTERM)


def _say_alive(speaking: threading.Lock) -> bool:
    """{"event": "alive"}, unless the work speaks or nobody takes what it said: this must never wait. Whether
    somebody may still listen."""
    if not speaking.acquire(blocking=False):
        return True
    try:
        if select.select([], [1], [], 0)[1]:
            os.write(1, b'{"event": "alive"}\n')
    except OSError:
        return False
    finally:
        speaking.release()
    return True


def _refuse(error: EdgeseqError, emit: Emit) -> int:
    try:
        emit({"event": "error", "message": str(error), "exit_code": error.exit_code})
    except BrokenPipeError:
        _say_no_more()
    return error.exit_code


def _say_no_more() -> None:
    """Python flushes stdout once more at its end, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _stop(_number: int, _frame: object) -> None:
    """End, by way of what the work has to tidy up; what is still unsaid must wait for no reader."""
    _say_no_more()
    raise SystemExit(128 + signal.SIGTERM)
