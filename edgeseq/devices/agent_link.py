"""The host's end of a conversation: one zip of the device code, one process that runs it, one result."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import edgeseq_device
from edgeseq.devices.bundle import zipped
from edgeseq.devices.cache import cache_root, content_key
from edgeseq.files import atomic_write_bytes
from edgeseq_device.conversation import HEARTBEAT_S
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError, UsageError
from edgeseq_device.measuring.workers import last_line

OnEvent = Callable[[Mapping[str, Any]], None]

_ERRORS = {each.exit_code: each for each in (EdgeseqError, UsageError, DeviceError, DataError)}
_END_S = 5.0


class AgentEndedError(DeviceError):
    """The agent broke off, or the way to it broke.

    status: the exit status of the command that was to run it; said: its words on stderr.
    """

    def __init__(self, status: int, said: str, last: str) -> None:
        super().__init__(f"the agent ended without a result (exit code {status}){last}")
        self.status = status
        self.said = said


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


def converse(command: Sequence[str], request: Mapping[str, Any], on_event: OnEvent) -> Any:
    """Start an agent, ask one thing of it and return the result.

    command: as `Link.agent` gives it. `on_event` gets every event before the result. An error that the agent
    reports is raised as its own class; AgentEndedError when it breaks off, DeviceError when it cannot be
    started or breaks the protocol. The agent has ended when this returns, and has ended its worker, unless it
    had to be killed because it did not end when told to.
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
        ended = threading.Event()
        try:
            with _alive(process, ended):
                result = _converse(process, json.dumps(request).encode() + b"\n", on_event)
        finally:
            _end(process)
        if result is None:
            stderr.seek(0)
            said = stderr.read()
            raise AgentEndedError(process.returncode, said.decode("utf-8", "replace"), last_line(said))
    return result["result"]


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
    process: subprocess.Popen[bytes], request: bytes, on_event: OnEvent
) -> Mapping[str, Any] | None:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except BrokenPipeError:
        process.wait()
        return None
    for line in process.stdout:
        event = _parse_event(line)
        if event["event"] == "error":
            raise _ERRORS.get(event.get("exit_code", 1), EdgeseqError)(str(event.get("message")))
        if event["event"] == "result" and "result" in event:
            return event
        on_event(event)
    process.wait()
    return None


def _parse_event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise DeviceError(
            f"the agent said what is no event: {line[:200].decode('utf-8', 'replace').strip()!r}"
        )
    return event


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
