"""Every plan of a file measured on the target's own device: the fastest one is kept, all are on record."""

from __future__ import annotations

import platform
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from edgeseq.bench.asking import run_once
from edgeseq.bench.run import EMULATED_TIMEOUT_S
from edgeseq.devices.cache import Progress
from edgeseq.devices.links import Device, Link
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.pick import pick_device
from edgeseq.devices.profiles import virtual_board_names
from edgeseq.export.golden import check_parity, choose_golden
from edgeseq.features import FeatureSplits
from edgeseq.gates import error_text
from edgeseq_device import runtimes
from edgeseq_device.errors import DataError, DeviceError, GateError, UsageError
from edgeseq_device.measuring.request import Limits, Request
from edgeseq_export import ExportedModel, Format, Plan, SeqSpec, bundle, write_model
from edgeseq_export.budget import weight_bytes
from edgeseq_export.choice import plans

HOST_TARGET = "x86"
ROUNDS = 3
"""On a real processor every plan is launched so often, in turns, so that what drifts meets them all."""
_LAUNCH = Limits(warmup_s=0.2, warmup_max_s=2.0, steady_runs=200, steady_s=0.3, steady_max_s=3.0, launches=1)
_COUNTING = Limits(instruction_runs=5, timeout_s=EMULATED_TIMEOUT_S)

Watched = Callable[[str, int, int], None]
"""Called while something long goes on: what it is, how much is done, how much there is."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is tuned. trained: the fp32 spec of `module`; spec: what is exported; unit: of the features."""

    module: nn.Module
    trained: SeqSpec
    spec: SeqSpec
    splits: FeatureSplits
    unit: str


@dataclass(frozen=True)
class Candidate:
    """A plan and its figure, in the unit of the tuning's metric; None where `refused` says why."""

    plan: Plan
    figure: float | None
    refused: str | None = None


@dataclass(frozen=True)
class Tuning:
    """What the plans of one format took on a device. metric: instructions or latency_p50_ms."""

    format: Format
    device: str
    description: str
    emulated: bool
    metric: str
    candidates: tuple[Candidate, ...]

    @property
    def winner(self) -> Candidate:
        """The candidate with the smallest figure. Raises GateError where every plan was refused."""
        measured = [each for each in self.candidates if each.figure is not None]
        if not measured:
            reasons = "; ".join(sorted({str(each.refused) for each in self.candidates}))
            raise GateError(f"{self.format}: none of its plans could be measured on {self.device}: {reasons}")
        return min(measured, key=lambda each: each.figure or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "format": self.format,
            "device": self.device,
            "description": self.description,
            "emulated": self.emulated,
            "metric": self.metric,
            "candidates": [
                {
                    "sequence": [form.to_dict() for form in each.plan.sequence],
                    "figure": each.figure,
                    "refused": each.refused,
                    "kept": each is self.winner,
                }
                for each in self.candidates
            ],
        }


def tunable_targets() -> tuple[str, ...]:
    """The targets that a device here stands for."""
    return (HOST_TARGET, *virtual_board_names())


def tuning_device(target: str) -> Device:
    """The device that a target is tuned on.

    Raises UsageError for a target that none stands for, DeviceError where this host is not of its kind.
    """
    if target not in tunable_targets():
        raise UsageError(
            f"--tune: no device here stands for the target {target}; these can be tuned:"
            f" {', '.join(tunable_targets())}; without --tune the table of measured crossovers decides"
        )
    if target != HOST_TARGET:
        return pick_device(target)
    if platform.machine() not in ("x86_64", "AMD64"):
        raise DeviceError(
            f"--tune --target {target}: this machine is {platform.machine()}; tune it on an x86"
        )
    return LocalDevice()


def tune(
    subject: Subject,
    model_format: Format,
    target: str,
    device: Device,
    *,
    batch: bool,
    prepare: Progress,
    watch: Watched,
) -> Tuning:
    """Measure every plan of a format on `device`. Raises DeviceError where it cannot be used, ValueError
    where the model cannot be written at all.

    Whole sequences are measured; a plan brings the step form that answers as its sequence form does.
    """
    frames = subject.splits.train.median_frames
    tried = plans(subject.spec, model_format, target, batch=batch, frames=frames)
    rounds = 1 if device.emulated else ROUNDS
    with device.open(prepare) as link, tempfile.TemporaryDirectory(prefix="edgeseq-tune-") as scratch:
        folders = [Path(scratch) / f"plan-{number}" for number in range(len(tried))]
        refused = [
            _write(folder, subject, model_format, plan) for folder, plan in zip(folders, tried, strict=True)
        ]
        figures: list[list[float]] = [[] for _ in tried]
        for turn in range(rounds):
            for number, folder in enumerate(folders):
                watch(
                    f"{model_format} plans on {device.name}", turn * len(tried) + number, rounds * len(tried)
                )
                if refused[number] is None:
                    refused[number] = _measure(folder, model_format, device, link, figures[number])
    candidates = tuple(
        Candidate(plan, None if reason else statistics.median(taken), reason)
        for plan, taken, reason in zip(tried, figures, refused, strict=True)
    )
    return Tuning(
        model_format, device.name, device.description, bool(device.emulated), _metric(device), candidates
    )


def _metric(device: Device) -> str:
    return "instructions" if device.emulated else "latency_p50_ms"


def _write(folder: Path, subject: Subject, model_format: Format, plan: Plan) -> str | None:
    """An artifact of one plan, small but whole; why it is refused where it does not answer rightly here."""
    model = replace(write_model(subject.spec, model_format, subject.unit, plan), step=None)
    models = {model_format: model}
    golden = choose_golden(subject.module, subject.spec, models, subject.splits)
    folder.mkdir()
    path = folder / bundle.model_file(model)
    path.write_bytes(model.content)
    try:
        loaded = {model_format: runtimes.load(path, model_format)}
        checks = check_parity(loaded, golden, subject.trained, subject.spec, models)
    except DataError as error:
        return str(error).replace(f"{path}: ", "")
    (parity,) = (each for each in checks if each.subject == model_format)
    if not parity.passed:
        return f"out of parity on this host: error {error_text(parity)}"
    bundle.write_golden(folder, golden)
    entry = bundle.model_entry(model, weight_bytes(subject.spec))
    bundle.seal(folder, _manifest(folder, subject, model, len(golden.features), parity.tolerance), [entry])
    return None


def _manifest(
    folder: Path, subject: Subject, model: ExportedModel, golden_count: int, tolerance: float
) -> dict[str, Any]:
    """What an agent reads of a manifest."""
    return {
        "name": f"{folder.name}-{model.format}",
        "labels": list(subject.spec.labels),
        "features": {"count": subject.spec.input_features, "unit": subject.unit},
        "golden": {"file": bundle.GOLDEN_FILE, "count": golden_count},
        "parity": {"tolerance": tolerance},
    }


def _measure(
    folder: Path, model_format: Format, device: Device, link: Link, figures: list[float]
) -> str | None:
    """Add one figure to `figures`, or say why this plan has none."""
    metric = _metric(device)
    request = Request(
        artifact=str(folder),
        formats=(model_format,),
        kinds=("parity", "instructions" if device.emulated else "latency"),
        limits=_COUNTING if device.emulated else _LAUNCH,
        worker_command=link.worker_command,
        counting_worker_command=link.counting_worker_command,
    )
    (model,) = run_once(link, request)["models"]
    if model["parity_ok"] is False:
        return f"out of parity on {device.name}: error {model['parity_error']}"
    if model[metric] is None:
        return "; ".join(model["failures"]) or str(model["not_measured"].get(metric))
    figures.append(float(model[metric]))
    return None
