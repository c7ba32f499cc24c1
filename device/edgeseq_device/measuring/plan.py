"""Which worker processes a request takes, in which order, and why a kind of measurement is left out.

Host and agent make the same plan of the same request, so that a number says which measurement is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeseq_device.manifest import ModelFile
from edgeseq_device.measuring.keys import INSTRUCTIONS, LATENCIES, NOT_ASKED, ONCE, TIMED, needs_step
from edgeseq_device.measuring.native_runner import KINDS as NATIVE_KINDS
from edgeseq_device.measuring.request import Request


@dataclass(frozen=True)
class Measurement:
    """One worker process: which kind of measurement, on which format, with how many threads, which launch, by
    which of keys.RUNNERS."""

    kind: str
    format: str
    threads: int = 1
    launch: int = 0
    runner: str = "python"


def plan(
    request: Request, models: Sequence[ModelFile], *, emulated: bool, runners: Mapping[str, Sequence[str]]
) -> list[Measurement]:
    """The worker processes of a request, in order; the launches for latency alternate between formats and
    runners. runners: those of each format."""
    return [
        Measurement(kind, model.format, threads, launch, runner)
        for kind in request.kinds
        for threads in request.threads
        for launch in range(request.limits.launches if kind in LATENCIES else 1)
        for model in models
        for runner in runners[model.format]
        if reason_not_to(kind, model, threads, runner, request, emulated) is None
    ]


def reason_not_to(
    kind: str, model: ModelFile, threads: int, runner: str, request: Request, emulated: bool
) -> str | None:
    """Why a kind of measurement cannot be taken of a model here; None when it can."""
    if kind not in request.kinds:
        return NOT_ASKED
    if needs_step(kind) and model.step is None:
        return f"no step form: {model.step_reason}"
    if kind in TIMED and emulated:
        return "emulated: the time of an emulated processor says nothing about the board"
    if reason := _reason_of_runner(kind, runner, request):
        return reason
    if kind in ONCE and threads != request.threads[0]:
        return f"taken with {request.threads[0]} thread{'s' if request.threads[0] > 1 else ''} only"
    return None


def _reason_of_runner(kind: str, runner: str, request: Request) -> str | None:
    counting = request.counting_worker_command
    if runner == "native":
        if kind not in NATIVE_KINDS:
            return "not by the native runner: --runner python"
        counting = request.native.counting_command if request.native else None
    if kind in INSTRUCTIONS and counting is None:
        return "counted by qemu-user only: edgeseq bench --device pi4 --emulate"
    return None
