"""Starting one worker process and getting its outcome, whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import edgeseq_device

_KEPT_STDERR_BYTES = 2000
_LITERT_NOISE = "INFO: Created TensorFlow Lite XNNPACK delegate"


def start_arguments(role: str) -> list[str]:
    """The arguments with which a Python starts this same code as `role` ("bench" or "worker")."""
    archive = _archive()
    return [str(archive), role] if archive else ["-m", "edgeseq_device", role]


def run_worker(
    command: Sequence[str],
    job: dict[str, Any],
    *,
    timeout_s: float,
    affinity: Sequence[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run one job in a fresh process and return its outcome.

    A worker that crashes, hangs longer than `timeout_s` or says nothing yields {"error": what happened}.
    Nothing in its process group survives this call, nor a death of this process by SIGKILL: the worker holds
    the other end of a pipe of this process's (see `edgeseq_device.measuring.worker`).
    """
    theirs, ours = os.pipe()
    try:
        told = {**job, "agent": (theirs, os.fstat(theirs).st_ino)}
        return _run(command, told, timeout_s, affinity, environment or {})
    finally:
        os.close(ours)
        os.close(theirs)


def _run(
    command: Sequence[str],
    job: Mapping[str, Any],
    timeout_s: float,
    affinity: Sequence[int] | None,
    environment: Mapping[str, str],
) -> dict[str, Any]:
    spawned_ns = time.monotonic_ns()
    try:
        process = subprocess.Popen(
            [*command, *start_arguments("worker")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**_environment(), **environment},
            start_new_session=True,
            pass_fds=job["agent"][:1],
        )
    except OSError as error:
        return {"error": f"the worker cannot be started: {command[0]}: {error.strerror}"}
    try:
        if affinity:
            with contextlib.suppress(ProcessLookupError):  # it failed to start; its exit code says so below
                os.sched_setaffinity(process.pid, affinity)
        text = json.dumps({**job, "spawned_ns": spawned_ns}).encode()
        stdout, stderr = process.communicate(text, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return {"error": f"the worker hung: no outcome after {timeout_s:g} s"}
    finally:
        _end_group(process)
    return _read_outcome(stdout, stderr, process.returncode)


def _read_outcome(stdout: bytes, stderr: bytes, code: int) -> dict[str, Any]:
    said = last_line(stderr)
    if code < 0:
        hint = "; the board may have run out of RAM" if code == -signal.SIGKILL else ""
        return {"error": f"the worker was killed by {_signal_name(-code)}{hint}{said}"}
    if code != 0:
        return {"error": f"the worker failed with exit code {code}{said}"}
    try:
        outcome = json.loads(stdout)
    except ValueError:
        return {"error": f"the worker ended without an outcome{said}"}
    return outcome if isinstance(outcome, dict) else {"error": "the worker's outcome is no JSON object"}


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
    """The last line a process said on stderr, after ": ", or ""; what LiteRT always says does not count."""
    lines = stderr[-_KEPT_STDERR_BYTES:].decode("utf-8", "replace").splitlines()
    told = [line.strip() for line in lines if line.strip() and not line.startswith(_LITERT_NOISE)]
    return f": {told[-1]}" if told else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
