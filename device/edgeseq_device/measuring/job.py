"""What the kinds of measurement share: reading a job, and loading what it names.

Imports are late on purpose: what a measurement does not need must not be in the memory it measures.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DeviceError
from edgeseq_device.measuring.keys import measured_keys

if TYPE_CHECKING:
    from edgeseq_device.golden import GoldenVectors
    from edgeseq_device.manifest import StateInfo
    from edgeseq_device.runtimes import LoadedModel
    from edgeseq_device.stepping import LoadedStep


def frame_by_frame(loaded: LoadedStep, features: Any) -> tuple[Callable[[], object], Callable[[], object]]:
    """(before, step): the step of one frame of features [T, F] and, before each, the move to the next frame.

    From the last frame the stream goes back to the first and forgets all; that is not part of a step.
    """
    take, frames, at = loaded.step, list(features), -1
    frame = frames[0]

    def before() -> None:
        nonlocal at, frame
        at = (at + 1) % len(frames)
        if at == 0:
            loaded.reset()
        frame = frames[at]

    return before, lambda: take(frame)


def samples_of(
    job: dict[str, Any], run: Callable[[], object], before: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Warm-up and steady state of `run`; `before` it comes what is not measured."""
    from edgeseq_device.measuring import measure
    from edgeseq_device.measuring.request import Limits

    limits = Limits(**job["limits"])
    warm_up = measure.warm_up(run, limits, before=before)
    return {
        "warmup": {"runs": warm_up.runs, "seconds": warm_up.seconds, "settled": warm_up.settled},
        "samples_ns": measure.steady_state(run, limits, before=before),
    }


def refuse_emulation() -> None:
    """DeviceError on an emulated processor: nothing is timed there, whoever asks."""
    from edgeseq_device.emulation import emulation

    emulated = emulation()
    if emulated is not None:
        raise DeviceError(f"latency is never measured on an emulated processor: {emulated.because}")


def load_model(job: dict[str, Any]) -> LoadedModel:
    """The job's model in its runtime."""
    from edgeseq_device import runtimes

    return runtimes.load(job["model"], job["format"], job["threads"])


def load_step(job: dict[str, Any]) -> LoadedStep:
    """The step form of the job's model in its runtime."""
    from edgeseq_device import runtimes

    return runtimes.load_step(job["step"]["path"], job["format"], states_of(job), job["threads"])


def states_of(job: dict[str, Any]) -> list[StateInfo]:
    """The step form's states; brings in the code of the step form too, which is no part of loading one."""
    from edgeseq_device import stepping  # noqa: F401
    from edgeseq_device.manifest import StateInfo

    return [StateInfo(each["name"], tuple(each["shape"]), each["initial"]) for each in job["step"]["states"]]


def golden_of(job: dict[str, Any]) -> GoldenVectors:
    """The artifact's golden vectors."""
    from edgeseq_device.golden import read_golden

    return read_golden(Path(job["golden"]), [job["format"]], tuple(job["golden_shape"]), job["dtype"])


def not_taken(kind: str, reason: str) -> dict[str, Any]:
    """The outcome of a kind of measurement whose figures cannot be had here; that is no failure."""
    names = measured_keys(kind)
    return {"values": dict.fromkeys(names), "not_measured": dict.fromkeys(names, reason)}


def runtime_of(model: LoadedModel | LoadedStep) -> dict[str, Any]:
    """What an outcome says of the runtime."""
    return {"runtime": model.version, "runtime_settings": model.settings}


def input_of(job: dict[str, Any]) -> Any:
    """[T, F], float32 or int32: the golden input of median length."""
    import numpy as np

    return np.fromfile(job["input"], job["dtype"]).reshape(job["input_shape"])
