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

from edgeseq_device.errors import DataError, EdgeseqError

HEARTBEAT_S = 10.0
"""The host writes an empty line this often."""
SILENCE_S = 60.0

Emit = Callable[[Mapping[str, Any]], None]


def answer(work: Callable[[Mapping[str, Any], Emit], Any]) -> int:
    """Serve the request on stdin with `work`; its return value is the result.

    The exit code is that of the error, if there is one. SIGTERM ends the work by SystemExit.
    """
    signal.signal(signal.SIGTERM, _stop)

    def emit(event: Mapping[str, Any]) -> None:
        print(json.dumps(event, allow_nan=False), flush=True)

    try:
        request = _request(_first_line(0))
        threading.Thread(target=_end_with_the_host, args=(0,), daemon=True).start()
        emit({"event": "result", "result": work(request, emit)})
    except BrokenPipeError:
        _say_no_more()
        return EdgeseqError.exit_code  # nobody listens any more
    except OSError as error:
        message = f"{error.filename or 'the board'}: {error.strerror or error}; has its disk room?"
        return _refuse(EdgeseqError(message), emit)
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


def _end_with_the_host(descriptor: int) -> None:
    """End this process when the host has gone: SIGTERM, so that the work tidies up."""
    heard = time.monotonic()
    while time.monotonic() - heard < SILENCE_S:
        ready, _, _ = select.select([descriptor], [], [], SILENCE_S - (time.monotonic() - heard))
        if ready:
            if not os.read(descriptor, 4096):
                break
            heard = time.monotonic()
    os.kill(os.getpid(), signal.SIGTERM)


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
    raise SystemExit(128 + signal.SIGTERM)
