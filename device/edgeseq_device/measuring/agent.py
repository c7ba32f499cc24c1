"""The benchmark on the board: verify the artifact, start one fresh process per measurement, pass on its word.

The agent itself never measures. It tells each outcome as soon as there is one, so that a host which loses the
connection keeps what was measured; host and agent put a result together with the same code (`Taken`).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.bundle import copied
from edgeseq_device.conversation import Emit, answer
from edgeseq_device.errors import DeviceError
from edgeseq_device.golden_input import median_input
from edgeseq_device.manifest import ModelFile
from edgeseq_device.measuring.assemble import Taken, about
from edgeseq_device.measuring.cooldown import cool_down
from edgeseq_device.measuring.counting import INSTRUCTION_LOG
from edgeseq_device.measuring.guards import read_guards, worst_of
from edgeseq_device.measuring.keys import INSTRUCTIONS, INTERRUPTED, TIMED
from edgeseq_device.measuring.native_runner import NativeRunner
from edgeseq_device.measuring.plan import Measurement, plan
from edgeseq_device.measuring.request import Limits, Request, parse_request
from edgeseq_device.measuring.runners import choose_runners, find_native
from edgeseq_device.measuring.workers import run_worker
from edgeseq_device.root import Turn, locked, scratch
from edgeseq_device.system import describe_system

_ACCURACY_S = 900.0
"""A thousand recordings on the slowest board."""


def main() -> int:
    """Serve a host."""
    return answer(lambda raw, emit: serve(parse_request(raw), emit))


def bench(request: Request, watch: Emit) -> dict[str, Any]:
    """Every measurement of a request, and the result; `watch` hears each event.

    After Ctrl-C the result has what was measured until then; KeyboardInterrupt where that is nothing.
    """
    taken: list[Taken] = []

    def hear(event: Mapping[str, Any]) -> None:
        if event["event"] == "began":
            artifact = open_artifact(request.artifact)
            models = [artifact.model(each) for each in request.formats]
            taken.append(Taken(request, models, about=about(artifact)))
        if taken:
            taken[0].hear(event)
        watch(event)

    try:
        guards_after = serve(request, hear)
        taken[0].guards_after = guards_after
    except KeyboardInterrupt:  # the worker has ended
        if not (taken and taken[0].outcomes):
            raise
        taken[0].lost = INTERRUPTED
    return taken[0].result()


def serve(request: Request, emit: Emit) -> dict[str, Any]:
    """Do every measurement of a request, telling each outcome; returns the guards' readings afterwards.

    Events: "waiting" for the board's lock; "began" with what the machine is; for each measurement "progress"
    before and "outcome" behind it, both with its step in the plan.
    """
    turn = Turn(request.root, request.host, request.lock_wait_s)
    with locked(turn, emit), scratch(request.root) as folder:
        return _serve(request, emit, folder)


def _serve(request: Request, emit: Emit, folder: Path) -> dict[str, Any]:
    artifact = copied(request.artifact, request.artifact_sha256, folder / "artifact")
    models = [artifact.model(each) for each in request.formats]
    native = find_native(request, artifact)
    runners = choose_runners(request, native)
    device, before = describe_system(), read_guards()
    emulated = bool(device["emulated"])
    affinity = {str(each): None if emulated else choose_cpus(each) for each in request.threads}
    todo = plan(request, models, emulated=emulated, runners=runners)
    _check_numpy(todo)
    emit(
        {
            "event": "began",
            "started_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "device": device,
            "guards": before,
            "affinity": affinity,
            "sha256": {each.format: hashes_of(each) for each in models},
            "runners": runners,
            "native": native.told(),
            "steps": len(todo),
        }
    )
    common, after = _common_job(artifact, request, folder), before
    for step, each in list(enumerate(todo))[request.skip :]:
        emit({"event": "progress", "step": step, "steps": len(todo), **vars(each)})
        if each.kind in TIMED:
            cool_down(before, request.limits, waiting=lambda: emit({"event": "cooling"}))
        job = {**common, "kind": each.kind, "format": each.format, "threads": each.threads}
        job.update(files_of(artifact.model(each.format)))
        outcome = _measure(
            job, request, affinity[str(each.threads)], native.runner if each.runner == "native" else None
        )
        if "error" in outcome:
            outcome["error"] = outcome["error"].replace(str(artifact.path), request.artifact)
        emit({"event": "outcome", "step": step, "outcome": outcome})
        if each.kind in TIMED:
            after = worst_of(after, read_guards())
    return worst_of(after, read_guards())


def _check_numpy(todo: Sequence[Measurement]) -> None:
    """DeviceError where a worker of Python would lack it; the native runner needs none."""
    if importlib.util.find_spec("numpy") is None and any(each.runner == "python" for each in todo):
        raise DeviceError(
            f"numpy is not installed for {sys.executable}; run: sudo apt-get install python3-numpy"
        )


def choose_cpus(threads: int) -> list[int] | None:
    """The last `threads` CPUs this process may use (the first serves most interrupts); None where unknown."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise DeviceError(f"--threads {threads}: this board has {len(allowed)} CPUs; ask for fewer")
    return allowed[-threads:]


def _common_job(artifact: Artifact, request: Request, folder: Path) -> dict[str, Any]:
    """What every worker is told. The input is a bare file: reading an .npz costs a process 2 MB."""
    chosen = median_input(artifact.golden_path, artifact.golden_count)
    (folder / "input").write_bytes(chosen.content)
    return {
        "task": artifact.task,
        "input": str(folder / "input"),
        "dtype": artifact.features_dtype,
        "input_shape": list(chosen.shape),
        "golden": str(artifact.golden_path),
        "golden_shape": [artifact.golden_count, artifact.features_count, artifact.outputs_count],
        "artifact": str(artifact.path),
        "readings": request.readings,
        "readings_sha256": request.readings_sha256,
        "period_ms": request.period_ms,
        "max_ram_bytes": request.max_ram_bytes,
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


def hashes_of(model: ModelFile) -> list[str | None]:
    """The sha256 of a model's file and of its step form's, if it has one: what is really measured."""
    return [model.sha256, None if model.step is None else model.step.sha256]


def _measure(
    job: dict[str, Any], request: Request, affinity: list[int] | None, native: NativeRunner | None
) -> dict[str, Any]:
    """The outcome of one worker: of the native runner, or of Python."""
    timeout_s = request.limits.timeout_s + _asked_s(job["kind"], request.limits)
    if job["kind"] in INSTRUCTIONS:
        name = f"{job['kind']}-{job['format']}{'-native' if native else ''}.jsonl"
        job = {**job, "instruction_log": str(Path(job["input"]).with_name(name))}

    def run(prefix: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        if native is not None:
            from edgeseq_device.measuring.native_worker import run_native  # noqa: PLC0415 - only who has one

            started = replace(native, command=(*prefix, *native.command))
            return run_native(started, job, timeout_s=timeout_s, affinity=affinity, environment=environment)
        command = [*prefix, *_python(job, request)]
        return run_worker(command, job, timeout_s=timeout_s, affinity=affinity, environment=environment)

    if job["kind"] == "fits":
        from edgeseq_device.measuring.fits import measure_fits  # noqa: PLC0415 - only who asks

        return measure_fits(run, job, timeout_s=timeout_s)
    log = job.get("instruction_log")
    return run((), {} if log is None else {INSTRUCTION_LOG: log})


def _python(job: Mapping[str, Any], request: Request) -> Sequence[str]:
    """The argv prefix of a fresh Python for a job."""
    if job["kind"] in INSTRUCTIONS:
        return request.counting_worker_command or ()
    return request.worker_command or (sys.executable,)


def _asked_s(kind: str, limits: Limits) -> float:
    """How long a kind of measurement may take by what it is asked for."""
    asked = {
        "realtime": limits.realtime_s,
        "sustained": limits.sustained_s,
        "power": 2 * limits.power_s,
        "accuracy": _ACCURACY_S,
    }
    return asked.get(kind, 0.0)
