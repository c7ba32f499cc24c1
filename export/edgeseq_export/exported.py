"""What a writer returns: a model file in memory, with the form each layer was lowered to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeseq_device.manifest import TensorInfo
from edgeseq_export.quantize import ActivationQuantization

Format = Literal["onnx", "tflite"]


@dataclass(frozen=True)
class LayerForm:
    """Which graph form a layer was given, and how it computes.

    form: the lowering's name; compute: fp32 or int8 matrix products; activation_quantization: how the
    activations of an int8 product are rounded at run time.
    """

    layer: str
    kind: str
    form: str
    compute: Literal["fp32", "int8"]
    activation_quantization: ActivationQuantization = ActivationQuantization.NONE


@dataclass(frozen=True)
class ExportedModel:
    """A finished model file.

    batch: several sequences of different lengths can be run at once without changing an answer.
    causal: nothing at frame t depends on later frames, by a backward layer or by a rounding scale.
    """

    format: Format
    content: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    layers: tuple[LayerForm, ...]
    batch: bool
    causal: bool

    @property
    def rounding(self) -> dict[str, ActivationQuantization]:
        """For each layer's name how it rounds activations: what the reference interpreter takes."""
        return {layer.layer: layer.activation_quantization for layer in self.layers}
