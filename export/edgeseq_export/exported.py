"""What a writer returns: a model file in memory, with the form each layer was lowered to."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseq_device.manifest import TensorInfo
from edgeseq_device.tensors import FEATURES, LOGITS
from edgeseq_export.forms import Format, LayerForm, rounding
from edgeseq_export.reference import Rounding
from edgeseq_export.spec import SeqSpec
from edgeseq_export.state import NEXT, StateTensor


@dataclass(frozen=True)
class StepModel:
    """The streaming form: one frame and the states in, logits and the next states out.

    content: a file of its own, or None where it is the signature "step" of the sequence model's file.
    states: each an input under its name and an output under its name with `state.NEXT` behind it.
    """

    content: bytes | None
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    states: tuple[StateTensor, ...]
    layers: tuple[LayerForm, ...]

    @property
    def rounding(self) -> Rounding:
        """How each layer rounds activations."""
        return rounding(self.layers)


@dataclass(frozen=True)
class ExportedModel:
    """A finished model file.

    outputs: the logits; where the spec carries its states, these behind them (`state.carried_states`).
    batch: several sequences of different lengths can be run at once without changing an answer.
    causal: nothing at frame t depends on later frames, by a layer that reads ahead or by a rounding scale.
    """

    format: Format
    content: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    layers: tuple[LayerForm, ...]
    batch: bool
    causal: bool
    step: StepModel | None = None

    @property
    def rounding(self) -> Rounding:
        """How each layer rounds activations: what the reference interpreter takes."""
        return rounding(self.layers)


def next_states(states: tuple[StateTensor, ...]) -> tuple[TensorInfo, ...]:
    """The outputs of a file's states."""
    return tuple(TensorInfo(state.name + NEXT, "float32", state.shape, "state") for state in states)


def features_info(spec: SeqSpec, axes: tuple[int | str, ...], unit: str) -> TensorInfo:
    """The input of a file's features, whose last axis is behind `axes`."""
    dtype = "int32" if spec.takes_ids else "float32"
    return TensorInfo(FEATURES, dtype, (*axes, spec.input_features), unit)


def logits_info(spec: SeqSpec, size: int | str = 1) -> TensorInfo:
    """The first output of a file, of `size` sequences: a forecaster's is in the units of its features."""
    unit = "logit" if spec.frames is None else "standardised reading"
    return TensorInfo(LOGITS, "float32", (size, spec.outputs), unit)
