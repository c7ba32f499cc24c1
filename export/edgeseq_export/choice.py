"""Which form each layer takes on which target: the choice by measured crossovers, and what is tried."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from edgeseq_export.computing import Decide, by_table, faster_by, faster_step, fixed, reaches_in
from edgeseq_export.crossovers import (
    FORECASTER_ONNX_FROM_FP32,
    INT8_FROM,
    LOOPS,
    NESTED,
    SINGLE,
    TFLITE_FROM,
    TFLITE_FROM_FP32,
    UNROLLED,
    UNROLLING,
    Loop,
)
from edgeseq_export.forms import (
    DYNAMIC,
    DYNAMIC_ROW,
    FLOAT,
    HYBRID,
    LOOKED_UP,
    NO_PRODUCT,
    ROW_SCALE,
    WIDENED,
    Compute,
    Format,
    LayerForm,
    Plan,
    Product,
)
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    ClassToken,
    Embedding,
    Layer,
    Linear,
    Norm,
    Pool,
    Positions,
)
from edgeseq_export.quantize import QuantizedTensor, Weight
from edgeseq_export.spec import SeqSpec, cells, frames_behind, parameters, walk, weight_matrix
from edgeseq_export.state import why_no_step
from edgeseq_export.targets import TARGETS, Target, target_for

COMPUTES: tuple[Compute, ...] = ("fp32", "int8")


def choose(
    spec: SeqSpec,
    model_format: Format,
    target: str = "generic",
    *,
    batch: bool = False,
    compute: Compute | None = None,
    frames: int | None = None,
) -> Plan:
    """The plan that measured fastest on `target`.

    batch: no rounding may span sequences. compute: this one wherever there is a form for it, though it be
    slower. frames: of a usual sequence, where they are known. Raises ValueError for a target that is not
    known or has no runtime for the format, and for a batch of a forecaster or language model.
    """
    board = target_for(target, model_format)
    if batch and spec.frames is not None:
        raise ValueError("a forecaster takes one context at a time; it has no form for a batch")
    if batch and spec.carries:
        raise ValueError("a language model takes one text at a time; it has no form for a batch")
    if _crashes_legacy(spec, board):
        compute = "fp32"
    always = partial(fixed, compute) if compute else None
    decide = always or by_table(spec, model_format, board)
    of_step = always or partial(faster_step, board)
    loop = _loop(spec, board, decide, frames)
    return _plan(spec, model_format, board, loop, decide, of_step, batch=batch)


def plans(
    spec: SeqSpec,
    model_format: Format,
    target: str = "generic",
    *,
    batch: bool = False,
    frames: int | None = None,
) -> tuple[Plan, ...]:
    """The plans of a whole file that are worth measuring, the one of `choose` first.

    All layers of a file take the same loop and the same compute: their combinations would be many and differ
    little. Raises ValueError like `choose`.
    """
    board = target_for(target, model_format)
    found = [choose(spec, model_format, target, batch=batch, frames=frames)]
    crashes = _crashes_legacy(spec, board)
    for loop in LOOPS if spec.frames is None else _whole_loops(spec):
        for compute in COMPUTES:
            if not crashes or (compute == "fp32" and loop != NESTED):
                always = partial(fixed, compute)
                of_step = partial(faster_step, board)
                found.append(_plan(spec, model_format, board, loop, always, of_step, batch=batch))
    return tuple(dict.fromkeys(found))


def slower_than_fp32(spec: SeqSpec, plan: Plan, model_format: Format, target: str) -> tuple[str, ...]:
    """The layers of a plan that compute in int8 although fp32 compute measured faster on `target`."""
    board = target_for(target, model_format)
    layers = {layer.name: layer for layer in walk(spec.layers)}
    faster = by_table(spec, model_format, board)
    return tuple(
        form.layer
        for form in plan.sequence
        if form.product.compute == "int8" and faster(layers[form.layer]) == "fp32"
    )


def fastest_format(spec: SeqSpec, plans: Mapping[Format, Plan], target: str) -> Format | None:
    """The format whose plan answers whole sequences fastest on `target`; None where that is not measured.

    plans: of both formats. Of the recurrent and attention layers the one with the most weights decides:
    either its forms both compute in fp32, or each is the one that `choose` takes by itself.
    """
    board = TARGETS[target]
    measured = [layer for layer in walk(spec.layers) if type(layer).__name__ in TFLITE_FROM]
    if not measured:
        return None
    layer = max(measured, key=_weight_count)
    computes = {each: _compute_of(layer, plan) for each, plan in plans.items()}
    if spec.frames is not None:
        in_onnx = computes["tflite"] == "fp32" and reaches_in(FORECASTER_ONNX_FROM_FP32, board, layer)
        return "onnx" if in_onnx else "tflite"
    if set(computes.values()) == {"fp32"}:
        table = TFLITE_FROM_FP32
    elif all(compute == faster_by(INT8_FROM[each], board, layer) for each, compute in computes.items()):
        table = TFLITE_FROM
    else:
        return None
    if board.core not in table[type(layer).__name__]:
        return None
    return "tflite" if reaches_in(table, board, layer) else "onnx"


def _compute_of(layer: Layer, plan: Plan) -> Compute:
    return next(form.product.compute for form in plan.sequence if form.layer == layer.name)


def _weight_count(layer: Layer) -> int:
    alone = parameters(SeqSpec(0, (), (layer,)))
    return sum(math.prod(each.shape) for each in alone.values())


def _plan(
    spec: SeqSpec,
    model_format: Format,
    board: Target,
    loop: Loop,
    decide: Decide,
    of_step: Decide,
    *,
    batch: bool,
) -> Plan:
    one_row = _behind_pool(spec)
    sequence = []
    for layer in walk(spec.layers):
        # the scales of ONNX Runtime's int8 products would span a batch's sequences, a forecaster's channels
        spans = batch or spec.frames is not None
        fp32_only = model_format == "onnx" and (spans or (layer.name in one_row and not spec.carries))
        sequence.append(_form(layer, model_format, board, loop, "fp32" if fp32_only else decide(layer)))
    if why_no_step(spec):
        return Plan(tuple(sequence))
    pairs = zip(walk(spec.layers), sequence, strict=True)
    return Plan(
        tuple(sequence), tuple(_step_form(layer, form, model_format, of_step) for layer, form in pairs)
    )


def _crashes_legacy(spec: SeqSpec, board: Target) -> bool:
    """Whether int8 compute or a nested loop could crash tflite-runtime 2.14, by layers on all rows at once.

    Its XNNPACK lends one piece of memory to the graph and to the bodies of its loops. Where the graph holds
    numbers of all rows in it, it is moved when a longer sequence comes, and what is left of a body around
    an int8 product, or outside an inner loop, goes on with the old one.
    """
    before = spec.layers[: len(spec.layers) - len(_behind_pool(spec))]
    recurrent = [layer for layer in walk(before) if isinstance(layer, (GRU, LSTM))]
    on_all_rows: tuple[type, ...] = (Attention, Positions, ClassToken)
    if any(layer.backward is not None for layer in recurrent):
        on_all_rows += (Linear, Norm, CausalConv)  # beside one direction they are in its loop
    beside = any(isinstance(layer, on_all_rows) for layer in walk(before))
    return board.is_legacy and bool(recurrent) and beside


def _step_form(layer: Layer, form: LayerForm, model_format: Format, of_step: Decide) -> LayerForm:
    """The same product, so that steps answer as the sequence does; in ONNX, whose int8 sequences round over
    all frames and so answer otherwise anyway, the faster one."""
    product = form.product
    if model_format == "onnx" and product in (WIDENED, DYNAMIC):
        product = DYNAMIC_ROW if of_step(layer) == "int8" else WIDENED
    return LayerForm(form.layer, form.kind, "step", product)


def _form(layer: Layer, model_format: Format, board: Target, loop: Loop, compute: Compute) -> LayerForm:
    kind = type(layer).__name__
    product = _product(layer, model_format, board, compute)
    if not isinstance(layer, (GRU, LSTM)):
        return LayerForm(layer.name, kind, "rows", product)
    if model_format == "onnx":
        scan = isinstance(layer, GRU) and product.compute == "int8"
        return LayerForm(layer.name, kind, "scan" if scan else "operator", product)
    return LayerForm(layer.name, kind, loop.form, product, loop.frames)


def _product(layer: Layer, model_format: Format, board: Target, compute: Compute) -> Product:
    weight = weight_matrix(layer)
    if weight is None:
        return NO_PRODUCT
    if not isinstance(weight, QuantizedTensor):
        return FLOAT
    if isinstance(layer, Embedding):
        return LOOKED_UP
    int8 = {"onnx": DYNAMIC, "tflite": ROW_SCALE if board.is_legacy else HYBRID}[model_format]
    return int8 if compute == "int8" else WIDENED


def _loop(spec: SeqSpec, board: Target, decide: Decide, frames: int | None) -> Loop:
    """The longest unrolling whose copies of the recurrent weights stay in a cache; one for all layers."""
    recurrent = [layer for layer in walk(spec.layers) if isinstance(layer, (GRU, LSTM))]
    bytes_a_frame = sum(
        cell.weight_hh.shape[0] * cell.weight_hh.shape[1] * _bytes_of_weight(cell.weight_hh, decide(layer))
        for layer in recurrent
        for cell in cells(layer).values()
    )
    unrolling = UNROLLING[board.core]
    if spec.frames is not None:
        unrolled, nested = _whole_loops(spec)
        return unrolled if unrolled.frames * bytes_a_frame <= unrolling.whole_bytes_max else nested
    fitting = [loop for loop in UNROLLED if loop.frames * bytes_a_frame <= unrolling.bytes_max]
    for loop in (*fitting, unrolling.beyond):
        if frames is None or loop.frames <= frames:
            return loop
    return SINGLE


def _whole_loops(spec: SeqSpec) -> tuple[Loop, Loop]:
    """Unrolled and nested, all frames of a forecaster's recurrent layer at once: their number is known."""
    frames = spec.frames or 1
    for layer in walk(spec.layers):
        if isinstance(layer, (GRU, LSTM)):
            break
        frames = frames_behind(layer, frames)
    return Loop("unrolled", frames), Loop("nested", frames)


def _bytes_of_weight(weight: Weight, compute: Compute) -> int:
    """In the memory of the runtime."""
    return 1 if compute == "int8" and isinstance(weight, QuantizedTensor) else 4


def _behind_pool(spec: SeqSpec) -> frozenset[str]:
    """The layers that see one row: int8 products there gain nothing that could be measured."""
    names = [layer.name for layer in spec.layers]
    pool = next((index for index, layer in enumerate(spec.layers) if isinstance(layer, Pool)), len(names))
    return frozenset(names[pool:])
