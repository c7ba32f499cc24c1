"""What is measured, by name: cases, and the subjects of each.

A case is one model and one kind of input: 50, 100 or 500 frames at once, or one frame with its state.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgeseq_export.forms import Compute, LayerForm
from edgeseq_export.spec import SeqSpec
from edgeseq_export.state import StateTensor

Role = Literal[
    "int8",
    "int8 compute",
    "fp32",
    "op",
    "op bound",
    "op quantize_dynamic",
    "torch",
    "torch quantize_dynamic",
]
"""int8: edgeseq's chosen form, int8 in the file. int8 compute: the form that also multiplies in int8, where
the chosen one does not. fp32: edgeseq's form of the model before quantization. op: what torch.onnx.export
writes; op bound: the same through an IOBinding, the least that ONNX Runtime costs from Python."""


@dataclass(frozen=True)
class Case:
    """frames: of a whole sequence, None for a step."""

    family: str
    hidden: int
    frames: int | None

    @property
    def label(self) -> str:
        """Such as "gru 128, T=100"."""
        return f"{self.family} {self.hidden}, {'step' if self.frames is None else f'T={self.frames}'}"


@dataclass(frozen=True)
class Subject:
    """One thing that is measured.

    runtime: onnx, tflite or torch. target: whose choice the form is, "" for a baseline. call: how `calls`
    opens the file; path and file_bytes are None for a torch module. spec, layers: what an edgeseq file was
    written from, with its forms; None and () for a baseline.
    """

    case: Case
    role: Role
    runtime: str
    compute: Compute
    form: str
    target: str = ""
    call: str = ""
    path: Path | None = None
    file_bytes: int | None = None
    states: tuple[StateTensor, ...] = ()
    spec: SeqSpec | None = None
    layers: tuple[LayerForm, ...] = ()

    @property
    def name(self) -> str:
        """The same in every case, such as "edgeseq int8, LiteRT"."""
        if self.role in ("int8", "int8 compute", "fp32"):
            runtime = {"onnx": "ORT", "tflite": "LiteRT"}[self.runtime]
            return f"edgeseq {self.role.split()[0]}, {runtime}"
        return {
            "op": "ORT fp32 of torch.onnx.export",
            "op bound": "ORT fp32, through IOBinding",
            "op quantize_dynamic": "ORT quantize_dynamic of it",
            "torch": "torch fp32",
            "torch quantize_dynamic": "torch quantize_dynamic",
        }[self.role]

    @property
    def id(self) -> str:
        """Unique among all subjects of a run."""
        return ", ".join(filter(None, (self.case.label, self.role, self.runtime, self.target)))

    def to_job(self) -> dict[str, Any]:
        """What a probe takes."""
        states = [asdict(each) for each in self.states]
        job = {"id": self.id, "call": self.call, "runtime": self.runtime, "path": str(self.path)}
        return {**job, "states": states}

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; where the file was is nobody's business."""
        inner = ("case", "path", "call", "states", "spec", "layers")
        plain = {name: value for name, value in vars(self).items() if name not in inner}
        return {"name": self.name, **asdict(self.case), **plain}
