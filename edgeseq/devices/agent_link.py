"""The host's end of a conversation: one zip of the device code, one process that runs it, one result."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import edgeseq_device
from edgeseq.devices.bundle import zipped
from edgeseq.devices.cache import cache_root, content_key
from edgeseq.devices.plain import cleaned, printable
from edgeseq.files import atomic_write_bytes
from edgeseq_device.conversation import HEARTBEAT_S, SILENCE_S
from edgeseq_device.errors import BudgetError, DataError, DeviceError, EdgeseqError, GateError, UsageError
from edgeseq_device.measuring.workers import last_line

OnEvent = Callable[[Mapping[str, Any]], None]

START_S = 300.0
"""An agent's first "alive" may take so long: a small board is slow, a container may have to be fetched."""

_CLASSES = (EdgeseqError, UsageError, BudgetError, GateError, DeviceError, DataError)
_ERRORS = {each.exit_code: each for each in _CLASSES}
_END_S = 5.0


class AgentEndedError(DeviceError):
    """The agent broke off, or the way to it broke.

    status: the exit status of the command that was to run it, None where it had to be ended because it said
    nothing; said: its words on stderr.
    """

    def __init__(self, status: int | None, said: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class HangUp:
    """Ends the conversations that were given it, from another thread, and lets none begin: KeyboardInterrupt
    in each."""

    def __init__(self) -> None:
        self._heard, self._told = socket.socketpair()
        self.done = False

    def __call__(self) -> None:
        """Hang up, for good."""
        self.done = True
        self._told.close()  # which makes the other end readable

    def fileno(self) -> int:
        """What a selector finds readable once it is done."""
        return self._heard.fileno()


class _SilenceError(Exception):
    """An agent that said nothing for so many seconds."""


def agent_archive() -> Path:
    """agent.pyz with this installation's edgeseq_device, in the cache; equal content has an equal name."""
    content = _zip_package()
    path = cache_root() / "agent" / f"agent-{content_key(content)}.pyz"
    if not (path.is_file() and path.read_bytes() == content):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_bytes(path, content)
        except OSError as error:
            raise DeviceError(
                f"{path}: cannot be written ({error.strerror}); name another folder in EDGESEQ_CACHE_DIR"
            ) from error
    return path


def error_of(exit_code: Any, message: str) -> EdgeseqError:
    """The error that an agent tells of, in its own class."""
    kind = _ERRORS.get(exit_code, EdgeseqError) if isinstance(exit_code, int) else EdgeseqError
    return kind(message)


def converse(
    command: Sequence[str], request: Mapping[str, Any], on_event: OnEvent, hang_up: HangUp | None = None
) -> Any:
    """Start an agent, ask one thing of it and return the result.

    command: as `Link.agent` gives it. `on_event` gets every event before the result but those that only tell
    that the agent lives; no string of an event or the result has a control character. An error that the
    agent reports is raised as its own class; AgentEndedError when it breaks off or falls silent, DeviceError
    when it cannot be started or breaks the protocol. The agent has ended when this returns, and has ended its
    worker, unless it had to be killed because it did not end when told to.
    """
    with tempfile.TemporaryFile() as stderr:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"{command[0]}: the agent cannot be started ({error.strerror})") from error
        ended, silent = threading.Event(), None
        try:
            with _alive(process, ended):
                result = _converse(process, json.dumps(request).encode() + b"\n", on_event, hang_up)
        except _SilenceError as error:
            result, silent = None, error
        finally:
            _end(process)
        if result is None:
            stderr.seek(0)
            raise _ended(process.returncode, stderr.read(), silent)
    return result["result"]


def _ended(status: int, said: bytes, silent: _SilenceError | None) -> AgentEndedError:
    text, last = said.decode("utf-8", "replace"), printable(last_line(said))
    if silent is not None:
        what = f"the agent said nothing for {silent} s and was ended; it hangs, or the board does{last}"
        return AgentEndedError(None, text, what)
    return AgentEndedError(status, text, f"the agent ended without a result (exit code {status}){last}")


@contextmanager
def _alive(process: subprocess.Popen[bytes], ended: threading.Event) -> Iterator[None]:
    """Tell the agent now and then that somebody listens."""

    def beat() -> None:
        while not ended.wait(HEARTBEAT_S):
            with suppress(OSError, ValueError):  # the conversation finds out by itself that the agent ended
                os.write(process.stdin.fileno(), b"\n")  # type: ignore[union-attr]

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _converse(
    process: subprocess.Popen[bytes], request: bytes, on_event: OnEvent, hang_up: HangUp | None
) -> Mapping[str, Any] | None:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except BrokenPipeError:
        process.wait()
        return None
    limit_s = START_S
    lines = _lines(process.stdout, lambda: limit_s, hang_up)
    for event in map(_parse_event, lines):
        if event["event"] == "error":
            raise error_of(event.get("exit_code"), str(event.get("message")))
        if event["event"] == "result" and "result" in event:
            return event
        if event["event"] == "alive":
            limit_s = SILENCE_S
        else:
            on_event(event)
    process.wait()
    return None


def _lines(stream: IO[bytes], limit_s: Callable[[], float], hang_up: HangUp | None) -> Iterator[bytes]:
    """The lines of a pipe up to its end. _SilenceError when none of it comes for `limit_s()` seconds."""
    rest = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        if hang_up is not None:
            waiting.register(hang_up, selectors.EVENT_READ)
        while True:
            ready = waiting.select(limit_s())
            if hang_up is not None and hang_up.done:
                raise KeyboardInterrupt
            if not ready:
                raise _SilenceError(f"{limit_s():.0f}")
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
    if rest:
        yield rest


def _parse_event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise DeviceError(f"the agent said what is no event: {printable(line.decode('utf-8', 'replace'))!r}")
    return {str(name): cleaned(value) for name, value in event.items()}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let an agent end, which it does when its stdin does; ask it, and kill it, if it does not."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    for ask in (process.poll, process.terminate, process.kill):
        ask()
        try:
            process.wait(_END_S)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.stdout is not None:
        process.stdout.close()


def _zip_package() -> bytes:
    """The device code as one zip that Python runs and imports from."""
    package = Path(edgeseq_device.__file__).parent
    files = {str(path.relative_to(package.parent)): path for path in sorted(package.rglob("*.py"))}
    members = {name: path.read_bytes() for name, path in files.items()}
    return zipped({**members, "__main__.py": members["edgeseq_device/board/archive_main.py"]})
