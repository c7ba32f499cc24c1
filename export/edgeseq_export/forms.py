"""The graph forms a layer can take, and the plan of a file: which form each of its layers takes.

A plan is both: what a writer is told to do, and what the manifest says it did.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgeseq_export.quantize import ActivationQuantization
from edgeseq_export.reference import Rounding

Format = Literal["onnx", "tflite"]
Compute = Literal["fp32", "int8"]


@dataclass(frozen=True)
class Product:
    """How a graph multiplies activations with a weight matrix.

    needs_dotprod: without the dotprod extension the runtime has no int8 kernel for it.
    """

    name: str
    compute: Compute
    activation_quantization: ActivationQuantization = ActivationQuantization.NONE
    needs_dotprod: bool = False


FLOAT = Product("float", "fp32")
"""float32 weights in the file; the only product of a layer that is not quantized."""
WIDENED = Product("widened", "fp32")
"""int8 weights in the file, made float32 when the model loads: ONNX Cast and Mul, TFLite DEQUANTIZE."""
HYBRID = Product("hybrid", "int8", ActivationQuantization.PER_ROW_INT8)
"""TFLite FULLY_CONNECTED with per-channel int8 weights and activations rounded row by row."""
ROW_SCALE = Product("row_scale", "int8", ActivationQuantization.PER_ROW_INT8)
"""TFLite FULLY_CONNECTED with one scale, then MUL by the row scales: right on tflite-runtime 2.14 too."""
DYNAMIC = Product("dynamic", "int8", ActivationQuantization.PER_TENSOR_UINT8)
"""ONNX Runtime's DynamicQuantizeMatMul and DynamicQuantizeLSTM: one activation scale over all rows."""
NO_PRODUCT = Product("none", "fp32")
"""Of a layer without a weight matrix."""


@dataclass(frozen=True)
class LayerForm:
    """Which graph form one layer takes.

    form: the lowering's name. chunk_frames: of a recurrent layer in TFLite, the frames that one turn of the
    loop over time takes, None elsewhere.
    """

    layer: str
    kind: str
    form: str
    product: Product = NO_PRODUCT
    chunk_frames: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        plain = asdict(self) | {"product": self.product.name, "compute": self.product.compute}
        return plain | {"activation_quantization": self.product.activation_quantization.value}


@dataclass(frozen=True)
class Plan:
    """The forms of one file, in the order of `spec.walk`.

    sequence: of the graph over whole sequences; step: of the graph that takes one frame and its state, or
    None where there is none.
    """

    sequence: tuple[LayerForm, ...]
    step: tuple[LayerForm, ...] | None = None


def rounding(forms: tuple[LayerForm, ...]) -> Rounding:
    """For each layer's name how it rounds activations: what the reference interpreter takes."""
    return {each.layer: each.product.activation_quantization for each in forms}


def is_causal(forms: tuple[LayerForm, ...]) -> bool:
    """Whether no rounding of activations spans several frames."""
    return all(
        each.product.activation_quantization is not ActivationQuantization.PER_TENSOR_UINT8 for each in forms
    )
