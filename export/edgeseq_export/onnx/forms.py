"""The graph forms that the ONNX writer has, and the check that a plan asks for no other."""

from __future__ import annotations

from edgeseq_export.forms import DYNAMIC, FLOAT, NO_PRODUCT, WIDENED, LayerForm, Plan, Product
from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.spec import GRU, LSTM, Attention, CausalConv, Layer, Linear, SeqSpec, walk
from edgeseq_export.state import why_no_step

_Forms = dict[str, tuple[Product, ...]]

_GRU_FORMS: _Forms = {"operator": (FLOAT, WIDENED), "scan": (DYNAMIC,)}
_LSTM_FORMS: _Forms = {"operator": (FLOAT, WIDENED, DYNAMIC)}
_ROWS_FORMS: _Forms = {"rows": (FLOAT, WIDENED, DYNAMIC)}
_STEP_FORMS: _Forms = {"step": (FLOAT, WIDENED)}
_NO_FORMS: _Forms = {"rows": (NO_PRODUCT,)}


def check_forms(spec: SeqSpec, plan: Plan) -> None:
    """Raises ValueError naming a layer that has no form, or one that does not fit it, in `plan`."""
    layers = tuple(walk(spec.layers))
    for forms in (plan.sequence, plan.step or plan.sequence):
        if [form.layer for form in forms] != [layer.name for layer in layers]:
            raise ValueError(f"the plan is for {[form.layer for form in forms]}, not for this model's layers")
    for layer, form in zip(layers, plan.sequence, strict=True):
        _check_form(layer, form, _sequence_forms(layer))
    for layer, form in zip(layers, plan.step or (), strict=False):
        _check_form(layer, form, _STEP_FORMS if _matrix(layer) is not None else {"step": (NO_PRODUCT,)})
    reason = why_no_step(spec) if plan.step else None
    if reason:
        raise ValueError(f"no step form: {reason}")


def _sequence_forms(layer: Layer) -> _Forms:
    if isinstance(layer, GRU):
        return _GRU_FORMS
    if isinstance(layer, LSTM):
        return _LSTM_FORMS
    return _NO_FORMS if _matrix(layer) is None else _ROWS_FORMS


def _matrix(layer: Layer) -> object:
    """One of the layer's weight matrices; None where it has none."""
    if isinstance(layer, (GRU, LSTM)):
        return layer.forward.weight_hh
    if isinstance(layer, Attention):
        return layer.weight_qkv
    return layer.weight if isinstance(layer, (Linear, CausalConv)) else None


def _check_form(layer: Layer, form: LayerForm, known: _Forms) -> None:
    if form.product not in known.get(form.form, ()):
        names = [f"{name} {product.name}" for name, products in known.items() for product in products]
        raise ValueError(
            f"{layer.name}: {type(layer).__name__} has no ONNX form {form.form!r} with the product "
            f"{form.product.name!r}; it has: {', '.join(names)}"
        )
    quantized = isinstance(_matrix(layer), QuantizedTensor)
    if form.product not in (FLOAT, NO_PRODUCT) and not quantized:
        raise ValueError(f"{layer.name}: the product {form.product.name!r} takes int8 weights")
    if form.product == FLOAT and quantized:
        raise ValueError(f"{layer.name}: its weights are int8, which the product 'float' does not take")
