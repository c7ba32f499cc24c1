"""The benchmark on the board: verify the artifact, start one fresh process per measurement, report.

The agent itself never measures. A request is one JSON object on stdin; events are JSON lines on stdout
({"event": "progress" | "result" | "error", ...}); stderr is for people.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.assemble import Measurement, Outcomes, Surroundings, assemble, reason_not_to
from edgeseq_device.counting import INSTRUCTION_LOG
from edgeseq_device.errors import DeviceError, EdgeseqError
from edgeseq_device.guards import read_guards
from edgeseq_device.manifest import ModelFile
from edgeseq_device.protocol import INSTRUCTIONS, LATENCIES, validate_result
from edgeseq_device.request import Request, parse_request
from edgeseq_device.system import describe_system
from edgeseq_device.workers import run_worker

Emit = Callable[[Mapping[str, Any]], None]


def main() -> int:
    """Serve the request on stdin; the exit code is that of the error, if there is one."""
    signal.signal(signal.SIGTERM, _stop)

    def emit(event: Mapping[str, Any]) -> None:
        print(json.dumps(event, allow_nan=False), flush=True)

    try:
        emit({"event": "result", "result": serve(parse_request(sys.stdin.read()), emit)})
    except BrokenPipeError:
        return EdgeseqError.exit_code  # nobody listens any more
    except OSError as error:
        message = f"{error.filename or 'the board'}: {error.strerror or error}; has its disk room for /tmp?"
        return _refuse(EdgeseqError(message), emit)
    except EdgeseqError as error:
        return _refuse(error, emit)
    return 0


def serve(request: Request, emit: Emit) -> dict[str, Any]:
    """Do every measurement of a request and return the result, checked against the protocol's table."""
    with tempfile.TemporaryDirectory(prefix="edgeseq-") as scratch:
        return _serve(request, emit, Path(scratch))


def _serve(request: Request, emit: Emit, scratch: Path) -> dict[str, Any]:
    artifact = _copied(request.artifact, scratch / "artifact")
    models = [artifact.model(each) for each in request.formats]
    if importlib.util.find_spec("numpy") is None:
        raise DeviceError(
            f"numpy is not installed for {sys.executable}; run: sudo apt-get install python3-numpy"
        )
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    device, before = describe_system(), read_guards()
    affinity = None if device["emulated"] else choose_cpus(request.threads)
    todo = list(plan(request, models, emulated=bool(device["emulated"])))
    outcomes: Outcomes = {}
    common = _common_job(artifact, request, scratch)
    for index, each in enumerate(todo):
        progress = {"event": "progress", "step": index, "steps": len(todo), **vars(each)}
        emit({**progress, "state": "started"})
        job = {**common, "kind": each.kind, "format": each.format, **files_of(artifact.model(each.format))}
        outcome = _measure(job, request, affinity)
        if "error" in outcome:
            outcome["error"] = outcome["error"].replace(str(artifact.path), request.artifact)
        outcomes[each] = outcome
        emit({**progress, "state": "failed" if "error" in outcome else "done"})
    surroundings = Surroundings(started, device, before, read_guards(), affinity)
    result = assemble(models, outcomes, request, surroundings)
    validate_result(result, complete=False)
    return result


def _copied(folder: str, copy: Path) -> Artifact:
    """A verified copy of a verified artifact: what the workers load is what was checked, whatever becomes of
    the folder meanwhile."""
    open_artifact(folder)  # refuses links and strangers under the name the user knows, before they are copied
    try:
        return open_artifact(shutil.copytree(folder, copy, symlinks=True))
    except shutil.Error as error:
        reason = error.args[0][0][2]
        raise EdgeseqError(
            f"{folder}: cannot be copied to {copy.parent} ({reason}); has its disk room?"
        ) from error


def plan(request: Request, models: Sequence[ModelFile], *, emulated: bool) -> Iterator[Measurement]:
    """The worker processes of a request, in order; the launches for latency alternate between formats."""
    for kind in request.kinds:
        for launch in range(request.limits.launches if kind in LATENCIES else 1):
            for model in models:
                if not reason_not_to(kind, model, request, emulated):
                    yield Measurement(kind, model.format, launch)


def choose_cpus(threads: int) -> list[int] | None:
    """The last `threads` CPUs this process may use (the first serves most interrupts); None where unknown."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise DeviceError(f"--threads {threads}: this board has {len(allowed)} CPUs; ask for fewer")
    return allowed[-threads:]


def _common_job(artifact: Artifact, request: Request, scratch: Path) -> dict[str, Any]:
    """What every worker is told. The input is a bare file: reading an .npz costs a process 2 MB."""
    features = artifact.golden().median_input
    features.tofile(scratch / "input")
    return {
        "input": str(scratch / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(features.shape),
        "golden": str(artifact.golden_path),
        "golden_shape": [artifact.golden_count, artifact.features_count, len(artifact.labels)],
        "threads": request.threads,
        "limits": vars(request.limits),
    }


def files_of(model: ModelFile) -> dict[str, Any]:
    """What a job says of a model: its file and, where it has one, its step form, each with its tolerance."""
    job: dict[str, Any] = {"model": str(model.path), "tolerance": model.parity_tolerance}
    if model.step is not None:
        states = [vars(state) for state in model.step.states]
        tolerance = model.step.parity_tolerance
        job["step"] = {"path": str(model.step.path), "states": states, "tolerance": tolerance}
    return job


def _measure(job: dict[str, Any], request: Request, affinity: list[int] | None) -> dict[str, Any]:
    """The outcome of one worker."""
    timeout_s = request.limits.timeout_s
    if job["kind"] not in INSTRUCTIONS:
        command = request.worker_command or (sys.executable,)
        return run_worker(command, job, timeout_s=timeout_s, affinity=affinity)
    log = str(Path(job["input"]).with_name(f"{job['kind']}-{job['format']}.jsonl"))
    return run_worker(
        request.counting_worker_command or (),
        {**job, "instruction_log": log},
        timeout_s=timeout_s,
        affinity=affinity,
        environment={INSTRUCTION_LOG: log},
    )


def _refuse(error: EdgeseqError, emit: Emit) -> int:
    emit({"event": "error", "message": str(error), "exit_code": error.exit_code})
    return error.exit_code


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)
