"""The host's end of a benchmark: one zip of the device code, one process that runs it, one result."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import edgeseq_device
from edgeseq.devices.cache import Progress, cache_root, content_key
from edgeseq.files import atomic_write_bytes
from edgeseq_device.errors import DataError, DeviceError, EdgeseqError, UsageError
from edgeseq_device.protocol import validate_result
from edgeseq_device.request import Request, request_to_dict
from edgeseq_device.workers import last_line

OnEvent = Callable[[Mapping[str, Any]], None]

_ERRORS = {each.exit_code: each for each in (EdgeseqError, UsageError, DeviceError, DataError)}
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_END_S = 5.0
_MAIN = "import sys\nfrom edgeseq_device.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"


@dataclass(frozen=True)
class Launch:
    """How to run Python on a prepared device.

    Both are argv prefixes that a Python command line follows. counting_python also counts instructions, into
    the file that the environment variable INSTRUCTION_LOG names; None where they cannot be counted.
    """

    python: tuple[str, ...]
    counting_python: tuple[str, ...] | None = None


class Device(Protocol):
    """A machine that artifacts are measured on."""

    @property
    def name(self) -> str:
        """As --device names it."""

    @property
    def emulated(self) -> bool:
        """Whether no latency can be had there."""

    @property
    def description(self) -> str:
        """One line for people; known in full once `prepare` has returned."""

    @property
    def cores(self) -> int | None:
        """How many the board has, None where the agent finds out."""

    def prepare(self, progress: Progress) -> Launch:
        """Make the device ready, which may take minutes the first time. DeviceError when it cannot be."""


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


def run_agent(launch: Launch, request: Request, on_event: OnEvent) -> dict[str, Any]:
    """Run one request on a device and return the agent's checked result.

    `on_event` gets every progress event. An error that the agent reports is raised as its own class; an agent
    that breaks off or breaks the protocol is a DeviceError. The agent has ended when this returns, and has
    ended its worker, unless it had to be killed because it did not end when told to.
    """
    command = [*launch.python, str(agent_archive()), "bench"]
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
        try:
            result = _converse(process, json.dumps(request_to_dict(request)).encode(), on_event)
            process.wait()
        finally:
            _end(process)
        if result is None:
            raise DeviceError(
                f"the agent ended without a result (exit code {process.returncode}){_said(stderr)}"
            )
    return result


def _converse(process: subprocess.Popen[bytes], request: bytes, on_event: OnEvent) -> dict[str, Any] | None:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(request)
        process.stdin.close()
    except BrokenPipeError:
        return None
    for line in process.stdout:
        event = _parse_event(line)
        if event["event"] == "progress":
            on_event(event)
        elif event["event"] == "error":
            raise _ERRORS.get(event.get("exit_code", 1), EdgeseqError)(str(event.get("message")))
        else:
            return _checked(event.get("result"))
    return None


def _parse_event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or event.get("event") not in ("progress", "result", "error"):
        raise DeviceError(
            f"the agent said what is no event: {line[:200].decode('utf-8', 'replace').strip()!r}"
        )
    return event


def _checked(result: Any) -> dict[str, Any]:
    try:
        validate_result(result, complete=False)
    except DataError as error:
        raise DeviceError(f"the agent's result is refused: {error}") from error
    assert isinstance(result, dict)  # noqa: S101 - the validation has seen to it
    return result


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask an agent that still runs to end (it then ends its worker); kill it if it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _said(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return last_line(stderr.read())


def _zip_package() -> bytes:
    """A zip of the package's modules whose bytes depend on their content only."""
    package = Path(edgeseq_device.__file__).parent
    members = {f"edgeseq_device/{path.name}": path.read_bytes() for path in sorted(package.glob("*.py"))}
    members["__main__.py"] = _MAIN.encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in members.items():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, body, zipfile.ZIP_DEFLATED)
    return content.getvalue()
