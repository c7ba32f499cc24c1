"""The graph forms that the ONNX writer has, and the check that a plan asks for no other."""

from __future__ import annotations

from functools import partial

from edgeseq_export.forms import DYNAMIC, DYNAMIC_ROW, FLOAT, LOOKED_UP, WIDENED, Known, Plan, check_plan
from edgeseq_export.layers import GRU, LSTM, Layer
from edgeseq_export.spec import SeqSpec

_GRU_FORMS: Known = {"operator": (FLOAT, WIDENED), "scan": (DYNAMIC,)}
_LSTM_FORMS: Known = {"operator": (FLOAT, WIDENED, DYNAMIC)}
_ROWS_FORMS: Known = {"rows": (FLOAT, WIDENED, DYNAMIC, LOOKED_UP)}
_FORECASTER_PRODUCTS = (FLOAT, WIDENED)
"""No scale over all rows, which would span channels."""
_STEP_FORMS: Known = {"step": (FLOAT, WIDENED, DYNAMIC_ROW, LOOKED_UP)}


def check_forms(spec: SeqSpec, plan: Plan) -> None:
    """Raises ValueError naming a layer that has no form, or one that does not fit it, in `plan`."""
    check_plan(spec, plan, partial(_sequence_forms, spec.frames is not None), _STEP_FORMS)


def _sequence_forms(forecasts: bool, layer: Layer) -> Known:
    if forecasts:
        name = "operator" if isinstance(layer, (GRU, LSTM)) else "rows"
        return {name: _FORECASTER_PRODUCTS}
    if isinstance(layer, GRU):
        return _GRU_FORMS
    return _LSTM_FORMS if isinstance(layer, LSTM) else _ROWS_FORMS
