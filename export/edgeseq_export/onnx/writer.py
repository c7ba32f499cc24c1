"""A SeqSpec as ONNX files: whole sequences of any length, and one frame with explicit states."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from edgeseq_device.manifest import TensorInfo
from edgeseq_device.tensors import FEATURES, LENGTHS, LOGITS
from edgeseq_export.exported import ExportedModel, StepModel, features_info, logits_info, next_states
from edgeseq_export.forms import LayerForm, Plan, Product, is_causal, rounds_by_frame
from edgeseq_export.layers import (
    GRU,
    LSTM,
    WRAPPERS,
    Attention,
    CausalConv,
    ClassToken,
    Embedding,
    Layer,
    Linear,
    Norm,
    ParallelSteps,
    Patches,
    PerChannel,
    Pool,
    Positions,
    Recurrent,
    Residual,
    Reversible,
)
from edgeseq_export.onnx.attention import lower_attention
from edgeseq_export.onnx.embedding import lower_embedding
from edgeseq_export.onnx.forecast import (
    Inner,
    lower_parallel_steps,
    lower_patches,
    lower_per_channel,
    lower_reversible,
)
from edgeseq_export.onnx.forms import check_forms
from edgeseq_export.onnx.graph import OnnxGraph, Value
from edgeseq_export.onnx.pool import lower_pool
from edgeseq_export.onnx.recurrent import lower_recurrent
from edgeseq_export.onnx.rows import Rows
from edgeseq_export.onnx.rowwise import (
    lower_causal_conv,
    lower_class_token,
    lower_linear,
    lower_norm,
    lower_positions,
)
from edgeseq_export.spec import SeqSpec
from edgeseq_export.state import carried_states, states_of


def _lower_residual(graph: OnnxGraph, layer: Residual, rows: Rows, inner: Inner) -> Rows:
    found = inner(rows).to(graph, rows.layout)
    # ONNX Runtime would join an Add with a Norm behind it, which is four times slower than both
    return rows.with_features(graph.node("Sum", [rows.value, found.value], layer.name))


_WRAPPERS: dict[type[Layer], Callable[[OnnxGraph, Any, Rows, Inner], Rows]] = {
    Residual: _lower_residual,
    PerChannel: lower_per_channel,
    Reversible: lower_reversible,
}
_LOWERINGS: dict[type[Layer], Callable[[OnnxGraph, Any, Product, Rows], Rows]] = {
    Embedding: lower_embedding,
    Linear: lower_linear,
    Norm: lower_norm,
    CausalConv: lower_causal_conv,
    Attention: lower_attention,
    Positions: lower_positions,
    ClassToken: lower_class_token,
    Patches: lower_patches,
}


def write_onnx(spec: SeqSpec, plan: Plan, feature_unit: str) -> ExportedModel:
    """Lower a spec that `check_spec` has passed, by `plan`.

    features [N, T, F] and lengths [N] int32 in, logits [N, C] float32 out. Features are float32, or int32 ids
    in front of an Embedding; the ids behind a sequence's end must be in its table too, such as 0. Where a
    layer rounds activations with one scale over all frames there is no `lengths` and N is 1; the same where
    the spec is a forecaster's, of a fixed number of frames, and where it carries its states, which are
    outputs behind the logits then. Raises ValueError naming a layer that has no form as the plan wants it,
    or whose name is another value's.
    """
    check_forms(spec, plan)
    batch = spec.frames is None and rounds_by_frame(plan.sequence) and not spec.carries
    size = "N" if batch else 1
    inputs = [features_info(spec, (size, spec.frames or "T"), feature_unit)]
    if batch:
        inputs.append(TensorInfo(LENGTHS, "int32", (size,), "frames"))
    outputs = (logits_info(spec, size), *next_states(carried_states(spec)))

    graph = OnnxGraph(carries=spec.carries)
    rows = Rows(FEATURES, "NTF", spec.input_features, LENGTHS if batch else "", frames=spec.frames)
    _lower_model(graph, spec, plan.sequence, rows)
    return ExportedModel(
        format="onnx",
        content=graph.finish(inputs, outputs),
        inputs=tuple(inputs),
        outputs=outputs,
        layers=plan.sequence,
        batch=batch,
        causal=is_causal(spec, plan.sequence),
        step=None if plan.step is None else _write_step(spec, plan.step, feature_unit),
    )


def _write_step(spec: SeqSpec, forms: tuple[LayerForm, ...], feature_unit: str) -> StepModel:
    """features [1, F] and the states in, logits [1, C] and the next states out."""
    states = states_of(spec)
    inputs = (
        features_info(spec, (1,), feature_unit),
        *(TensorInfo(state.name, "float32", state.shape, "state") for state in states),
    )
    outputs = (logits_info(spec), *next_states(states))
    graph = OnnxGraph(is_step=True)
    _lower_model(graph, spec, forms, Rows(FEATURES, "TF", spec.input_features))
    return StepModel(graph.finish(inputs, outputs), inputs, outputs, states, forms)


def _lower_model(graph: OnnxGraph, spec: SeqSpec, forms: tuple[LayerForm, ...], rows: Rows) -> None:
    rows = _lower_layers({form.layer: form for form in forms}, graph, spec.layers, rows)
    if spec.frames is not None:
        graph.node("Reshape", [rows.value, graph.integers(1, -1)], LOGITS)
    else:
        graph.node("Identity", [rows.value], LOGITS)  # which ONNX Runtime takes out again


def _lower_layers(
    forms: dict[str, LayerForm], graph: OnnxGraph, layers: tuple[Layer, ...], rows: Rows
) -> Rows:
    before: Layer | None = None
    for layer, following in zip(layers, (*layers[1:], None), strict=True):
        if isinstance(layer, (GRU, LSTM)):
            rows = _lower_recurrent(graph, layer, forms[layer.name], rows, following)
        elif isinstance(layer, ParallelSteps) and isinstance(before, (GRU, LSTM)):
            rows = lower_parallel_steps(graph, layer, before, rows, _memory_of(before))
        elif isinstance(layer, Pool):
            rows = lower_pool(graph, layer, rows)
        elif isinstance(layer, WRAPPERS):
            inner = partial(_lower_layers, forms, graph, layer.layers)
            rows = _WRAPPERS[type(layer)](graph, layer, rows, inner)
        else:
            rows = _LOWERINGS[type(layer)](graph, layer, forms[layer.name].product, rows)
        before = layer
    return rows


def _lower_recurrent(
    graph: OnnxGraph, layer: Recurrent, form: LayerForm, rows: Rows, following: Layer | None
) -> Rows:
    steps = isinstance(following, ParallelSteps)
    only_final = steps or (isinstance(following, Pool) and following.kind == "last")
    memory = _memory_of(layer) if steps and isinstance(layer, LSTM) else ""
    return lower_recurrent(graph, layer, form, rows, only_final=only_final, memory=memory)


def _memory_of(layer: Recurrent) -> Value:
    return f"{layer.name}.memory"
