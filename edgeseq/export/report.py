"""What an export measured and decided, filled on the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgeseq.evaluate import OutOfScope
from edgeseq.export.sensitivity import LayerSensitivity
from edgeseq.export.tune import Tuning
from edgeseq.gates import AccuracyDrop
from edgeseq_device.tasks import Task
from edgeseq_export import ExportedModel
from edgeseq_export.budget import SizeCheck
from edgeseq_export.parity import Parity


@dataclass
class ExportReport:
    """What was measured, filled on the way; until `finished` there is no artifact, and `error` says why."""

    precision: str
    artifact: Path
    target: str = "generic"
    task: Task = "classify"
    models: list[ExportedModel] = field(default_factory=list)
    fastest: dict[str, str | None] = field(default_factory=dict)
    tuning: list[Tuning] = field(default_factory=list)
    sensitivity: list[LayerSensitivity] = field(default_factory=list)
    sizes: list[SizeCheck] = field(default_factory=list)
    parity: list[Parity] = field(default_factory=list)
    drops: list[AccuracyDrop] = field(default_factory=list)
    accuracy: dict[str, dict[str, Any]] = field(default_factory=dict)
    out_of_scope: dict[str, OutOfScope] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    finished: bool = False
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "schema": "edgeseq-export",
            "schema_version": 1,
            "artifact": str(self.artifact) if self.finished else None,
            "task": self.task,
            "precision": self.precision,
            "target": self.target,
            "forms": {model.format: forms_of(model) for model in self.models},
            "fastest": self.fastest,
            "tuning": [each.to_dict() for each in self.tuning],
            "sensitivity": [asdict(each) for each in self.sensitivity],
            "size": [{**asdict(each), "bytes": each.bytes, "passed": each.passed} for each in self.sizes],
            "parity": [asdict(each) for each in self.parity],
            "accuracy_drop": [each.to_dict() for each in self.drops],
            "accuracy": self.accuracy,
            "out_of_scope": {name: each.to_dict() for name, each in self.out_of_scope.items()},
            "warnings": self.warnings,
            "error": self.error,
        }


def forms_of(model: ExportedModel) -> dict[str, Any]:
    """The form of every layer, of the sequence graph and of the step graph (None without one)."""
    step = model.step and [form.to_dict() for form in model.step.layers]
    return {"sequence": [form.to_dict() for form in model.layers], "step": step}
