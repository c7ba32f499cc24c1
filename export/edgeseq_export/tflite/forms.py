"""The graph forms that the TFLite writer has, and the check that a plan asks for no other."""

from __future__ import annotations

from edgeseq_export.forms import FLOAT, HYBRID, NO_PRODUCT, ROW_SCALE, WIDENED, LayerForm, Plan
from edgeseq_export.quantize import QuantizedTensor, Weight
from edgeseq_export.spec import GRU, LSTM, Attention, CausalConv, Layer, Linear, SeqSpec, walk
from edgeseq_export.state import why_no_step

LOOPS = ("unrolled", "nested")
"""Of a recurrent layer over a sequence: how the cell goes through the frames of one turn."""
ROWS, STEP = "rows", "step"
"""Of every other layer over a sequence; of every layer in the step form."""
INT8_PRODUCTS = (HYBRID, ROW_SCALE, WIDENED)
"""Of int8 weights."""


def check_forms(spec: SeqSpec, plan: Plan) -> None:
    """Raises ValueError naming a layer that has no form, or one that does not fit it, in `plan`."""
    reason = None if plan.step is None else why_no_step(spec)
    if reason:
        raise ValueError(f"there is no step form: {reason}")
    layers = tuple(walk(spec.layers))
    for forms in (plan.sequence, plan.step or plan.sequence):
        if [form.layer for form in forms] != [layer.name for layer in layers]:
            raise ValueError(f"the plan is for {[form.layer for form in forms]}, not for this model's layers")
    for layer, form in zip(layers, plan.sequence, strict=True):
        _check_form(layer, form, LOOPS if isinstance(layer, (GRU, LSTM)) else (ROWS,))
        if form.form in LOOPS and (form.chunk_frames or 0) < 1:
            raise ValueError(f"{layer.name}: chunk_frames is {form.chunk_frames}; a turn takes at least 1")
    for layer, form in zip(layers, plan.step or (), strict=False):
        _check_form(layer, form, (STEP,))


def _check_form(layer: Layer, form: LayerForm, names: tuple[str, ...]) -> None:
    if form.form not in names:
        known = ", ".join(names)
        raise ValueError(
            f"{layer.name}: {type(layer).__name__} has no TFLite form {form.form!r} here; it has: {known}"
        )
    weight = _matrix(layer)
    quantized = isinstance(weight, QuantizedTensor)
    products = INT8_PRODUCTS if quantized else ((NO_PRODUCT,) if weight is None else (FLOAT,))
    if form.product not in products:
        known = ", ".join(product.name for product in products)
        raise ValueError(f"{layer.name}: TFLite has no product {form.product.name!r} for it; it has: {known}")


def _matrix(layer: Layer) -> Weight | None:
    """One of the layer's weight matrices, which are quantized together; None where it has none."""
    if isinstance(layer, (GRU, LSTM)):
        return layer.forward.weight_hh
    if isinstance(layer, Attention):
        return layer.weight_qkv
    return layer.weight if isinstance(layer, (Linear, CausalConv)) else None
