"""The graph forms that the TFLite writer has, and the check that a plan asks for no other."""

from __future__ import annotations

from edgeseq_export.forms import FLOAT, HYBRID, LOOKED_UP, ROW_SCALE, WIDENED, Known, Plan, check_plan
from edgeseq_export.layers import GRU, LSTM, Layer
from edgeseq_export.spec import SeqSpec

_PRODUCTS = (FLOAT, WIDENED, HYBRID, ROW_SCALE)
_LOOP_FORMS: Known = {"unrolled": _PRODUCTS, "nested": _PRODUCTS}
_ROWS_FORMS: Known = {"rows": (*_PRODUCTS, LOOKED_UP)}
_STEP_FORMS: Known = {"step": (*_PRODUCTS, LOOKED_UP)}


def check_forms(spec: SeqSpec, plan: Plan) -> None:
    """Raises ValueError naming a layer that has no form, or one that does not fit it, in `plan`."""
    check_plan(spec, plan, _sequence_forms, _STEP_FORMS)
    for form in plan.sequence:
        if form.form in _LOOP_FORMS and (form.chunk_frames or 0) < 1:
            raise ValueError(f"{form.layer}: chunk_frames is {form.chunk_frames}; a turn takes at least 1")


def _sequence_forms(layer: Layer) -> Known:
    return _LOOP_FORMS if isinstance(layer, (GRU, LSTM)) else _ROWS_FORMS
