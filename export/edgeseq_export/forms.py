"""The graph forms a layer can take, and the plan of a file: which form each of its layers takes.

A plan is both: what a writer is told to do, and what the manifest says it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgeseq_export.layers import Embedding, Layer
from edgeseq_export.quantize import ActivationQuantization, QuantizedTensor
from edgeseq_export.reference import Rounding
from edgeseq_export.spec import SeqSpec, reads_ahead, walk, weight_matrix
from edgeseq_export.state import why_no_step

Format = Literal["onnx", "tflite"]
Compute = Literal["fp32", "int8"]


@dataclass(frozen=True)
class Product:
    """How a graph multiplies activations with a weight matrix."""

    name: str
    compute: Compute
    activation_quantization: ActivationQuantization = ActivationQuantization.NONE


FLOAT = Product("float", "fp32")
"""float32 weights in the file; the only product of a layer that is not quantized."""
WIDENED = Product("widened", "fp32")
"""int8 weights in the file, made float32 when the model loads: ONNX Cast and Mul, TFLite DEQUANTIZE."""
HYBRID = Product("hybrid", "int8", ActivationQuantization.PER_ROW_INT8)
"""TFLite FULLY_CONNECTED with per-channel int8 weights and activations rounded row by row."""
ROW_SCALE = Product("row_scale", "int8", ActivationQuantization.PER_ROW_INT8)
"""TFLite FULLY_CONNECTED with one scale, then MUL by the row scales: right on tflite-runtime 2.14 too."""
LOOKED_UP = Product("looked_up", "fp32")
"""int8 rows in the file and in memory, made float32 where an Embedding looks them up."""
DYNAMIC = Product("dynamic", "int8", ActivationQuantization.PER_TENSOR_UINT8)
"""ONNX Runtime's DynamicQuantizeMatMul and DynamicQuantizeLSTM: one activation scale over all rows."""
DYNAMIC_ROW = Product("dynamic_row", "int8", ActivationQuantization.PER_ROW_UINT8)
"""The same in a step form, where there is one row."""
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


Known = Mapping[str, tuple[Product, ...]]
"""The forms that a writer has for a layer, by name, with the products that each can have."""


def check_plan(spec: SeqSpec, plan: Plan, of_sequence: Callable[[Layer], Known], step: Known) -> None:
    """Raises ValueError naming a layer that has no form, or one that does not fit it, in `plan`.

    of_sequence: what a writer has for a layer over whole sequences; step: for every layer in a step form. A
    layer without weights takes NO_PRODUCT under the same names.
    """
    layers = tuple(walk(spec.layers))
    for forms in (plan.sequence, plan.step or plan.sequence):
        if [form.layer for form in forms] != [layer.name for layer in layers]:
            raise ValueError(f"the plan is for {[form.layer for form in forms]}, not for this model's layers")
    for layer, form in zip(layers, plan.sequence, strict=True):
        _check_form(layer, form, of_sequence(layer))
    reason = None if plan.step is None else why_no_step(spec)
    if reason:
        raise ValueError(f"there is no step form: {reason}")
    for layer, form in zip(layers, plan.step or (), strict=False):
        _check_form(layer, form, step)


def _check_form(layer: Layer, form: LayerForm, known: Known) -> None:
    weight = weight_matrix(layer)
    quantized = isinstance(weight, QuantizedTensor)
    allowed = {
        name: tuple(each for each in products if _suits(each, layer, quantized=quantized))
        if weight is not None
        else (NO_PRODUCT,)
        for name, products in known.items()
    }
    if form.product not in allowed.get(form.form, ()):
        names = [f"{name} {product.name}" for name, products in allowed.items() for product in products]
        raise ValueError(
            f"{layer.name}: {type(layer).__name__} with {_WEIGHTS[quantized]} weights has no form"
            f" {form.form!r} with the product {form.product.name!r} here; it has: {', '.join(names)}"
        )


def _suits(product: Product, layer: Layer, *, quantized: bool) -> bool:
    """Whether a product takes the layer's weights: LOOKED_UP those of a quantized Embedding, and only it."""
    if not quantized:
        return product == FLOAT
    return product != FLOAT and (product == LOOKED_UP) == isinstance(layer, Embedding)


_WEIGHTS = {True: "int8", False: "float32"}


def rounding(forms: tuple[LayerForm, ...]) -> Rounding:
    """For each layer's name how it rounds activations: what the reference interpreter takes."""
    return {each.layer: each.product.activation_quantization for each in forms}


def is_causal(spec: SeqSpec, forms: tuple[LayerForm, ...]) -> bool:
    """Whether nothing at a frame depends on frames to come, by a layer or by a rounding."""
    return rounds_by_frame(forms) and not any(reads_ahead(layer) for layer in spec.layers)


def rounds_by_frame(forms: tuple[LayerForm, ...]) -> bool:
    """Whether no rounding of activations spans several frames."""
    return all(
        each.product.activation_quantization is not ActivationQuantization.PER_TENSOR_UINT8 for each in forms
    )
