"""Starting one worker process, of Python or of the native runner, and getting its outcome, whatever becomes
of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import edgeseq_device

_KEPT_STDERR_BYTES = 2000
_NOISE = ("INFO: Created TensorFlow Lite XNNPACK delegate", "GPU device discovery failed")
"""What LiteRT says of every model, and ONNX Runtime 1.23 and later of a board's display (its issue 26300)."""


def start_arguments(role: str) -> list[str]:
    """The arguments with which a Python starts this same code as `role` ("bench" or "worker")."""
    archive = _archive()
    return [str(archive), role] if archive else ["-m", "edgeseq_device", role]


@dataclass(frozen=True)
class Began:
    """What a worker is told of its own start.

    spawned_ns: by the monotonic clock, just before it; agent: the end of a pipe that it shares with nobody
    but the agent, and the pipe's inode, in case that a launcher has closed that end.
    """

    spawned_ns: int
    agent: tuple[int, int]


Start = Callable[[Began], tuple[Sequence[str], bytes]]
"""The argv of a worker, and what it finds on stdin."""
Read = Callable[[bytes], Optional[dict[str, Any]]]
"""The outcome in what a worker wrote on stdout; None where there is none."""
Run = Callable[[Sequence[str], Mapping[str, str]], dict[str, Any]]
"""The outcome of a worker that is started with an argv prefix, in an environment with these beside."""


def run_worker(
    command: Sequence[str],
    job: dict[str, Any],
    *,
    timeout_s: float,
    affinity: Sequence[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run one job in a fresh Python, started by the argv prefix `command`, and return its outcome.

    What becomes of it is as `run_process` says.
    """

    def start(began: Began) -> tuple[Sequence[str], bytes]:
        told = {**job, "agent": began.agent, "spawned_ns": began.spawned_ns}
        return [*command, *start_arguments("worker")], json.dumps(told).encode()

    return run_process(start, _read_json, timeout_s=timeout_s, affinity=affinity, environment=environment)


def run_process(
    start: Start,
    read: Read,
    *,
    timeout_s: float,
    affinity: Sequence[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The outcome of a worker in a process of its own, on the CPUs `affinity` from its first instruction on.

    A worker that crashes, hangs longer than `timeout_s` or says nothing yields {"error": what happened}.
    Nothing in its process group survives this call, nor a death of this process by SIGKILL: the worker holds
    the other end of a pipe of this process's (see `edgeseq_device.measuring.worker`).
    """
    theirs, ours = os.pipe()
    try:
        began = Began(time.monotonic_ns(), (theirs, os.fstat(theirs).st_ino))
        command, text = start(began)
        return _run(command, text, read, theirs, timeout_s, affinity, environment or {})
    finally:
        os.close(ours)
        os.close(theirs)


def _run(
    command: Sequence[str],
    text: bytes,
    read: Read,
    pipe: int,
    timeout_s: float,
    affinity: Sequence[int] | None,
    environment: Mapping[str, str],
) -> dict[str, Any]:
    try:
        with _on_cpus(affinity):
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**_environment(), **environment},
                start_new_session=True,
                pass_fds=(pipe,),
            )
    except OSError as error:
        return {"error": f"the worker cannot be started: {command[0]}: {error.strerror}"}
    try:
        stdout, stderr = process.communicate(text, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return {"error": f"the worker hung: no outcome after {timeout_s:g} s"}
    finally:
        _end_group(process)
    return _read_outcome(read, stdout, stderr, process.returncode)


@contextlib.contextmanager
def _on_cpus(affinity: Sequence[int] | None) -> Iterator[None]:
    """Hold this thread to these CPUs, so that a process it starts is held to them before it runs."""
    if not affinity:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, affinity)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _read_json(stdout: bytes) -> dict[str, Any] | None:
    try:
        outcome = json.loads(stdout)
    except ValueError:
        return None
    return outcome if isinstance(outcome, dict) else {"error": "the worker's outcome is no JSON object"}


def _read_outcome(read: Read, stdout: bytes, stderr: bytes, code: int) -> dict[str, Any]:
    said = last_line(stderr)
    if code < 0:
        hint = "; the board may have run out of RAM" if code == -signal.SIGKILL else ""
        return {"error": f"the worker was killed by {_signal_name(-code)}{hint}{said}"}
    if code != 0:
        return {"error": f"the worker failed with exit code {code}{said}"}
    outcome = read(stdout)
    return {"error": f"the worker ended without an outcome{said}"} if outcome is None else outcome


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a worker's process group, the worker too if it has not ended, and reap it."""
    with contextlib.suppress(ProcessLookupError):  # nothing is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _environment() -> dict[str, str]:
    """The worker's: hashing repeats, numpy starts no threads of its own, and it finds this code."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if _archive() is None:
        here = str(Path(edgeseq_device.__file__).parents[1])
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{here}{os.pathsep}{inherited}" if inherited else here
    return environment


def _archive() -> Path | None:
    """The agent.pyz this code runs from, or None when it runs from a folder."""
    package = Path(edgeseq_device.__file__).parent
    return package.parent.absolute() if package.parent.is_file() else None


def last_line(stderr: bytes) -> str:
    """The last line a process said on stderr, after ": ", or ""; what runtimes always say does not count."""
    lines = stderr[-_KEPT_STDERR_BYTES:].decode("utf-8", "replace").splitlines()
    told = [line.strip() for line in lines if line.strip() and not any(noise in line for noise in _NOISE)]
    return f": {told[-1]}" if told else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
