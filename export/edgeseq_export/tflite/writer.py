"""A SeqSpec as a TFLite file: the sequence form with a run-time length and the step form, batch 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeseq_device.manifest import TensorInfo
from edgeseq_device.tensors import FEATURES, LOGITS, SIGNATURE, STEP_SIGNATURE
from edgeseq_export.exported import ExportedModel, StepModel, features_info, logits_info, next_states
from edgeseq_export.forms import LayerForm, Plan, is_causal
from edgeseq_export.spec import SeqSpec
from edgeseq_export.state import NEXT, carried_states, states_of
from edgeseq_export.tflite import shape_ops
from edgeseq_export.tflite.channels import lower_forecaster
from edgeseq_export.tflite.chunk import Forms, advance
from edgeseq_export.tflite.flatbuffer import ModelBuilder
from edgeseq_export.tflite.forms import check_forms
from edgeseq_export.tflite.recurrent import States
from edgeseq_export.tflite.sequence import lower_sequence


def write_tflite(spec: SeqSpec, plan: Plan, feature_unit: str) -> ExportedModel:
    """Signature `serving_default`: features [1, T, F] in, logits [1, C] float32 out; T >= 1. Features are
    float32, or int32 ids in front of an Embedding. Where the spec carries its states they are outputs too. Of
    a forecaster the features are [1, frames, C] and the forecast [1, H * C].

    Where the plan has a step form, the signature `step` of the same file: features [1, F] and the states in,
    logits and the next states out. Raises ValueError naming a layer that has no form as the plan wants it.
    """
    check_forms(spec, plan)
    model = ModelBuilder()
    _write_sequence(model, spec, _by_name(plan.sequence))
    step = None if plan.step is None else _write_step(model, spec, plan.step, feature_unit)
    return ExportedModel(
        format="tflite",
        content=model.finish("edgeseq"),
        inputs=(features_info(spec, (1, spec.frames or "T"), feature_unit),),
        outputs=(logits_info(spec), *next_states(carried_states(spec))),
        layers=plan.sequence,
        batch=False,
        causal=is_causal(spec, plan.sequence),
        step=step,
    )


def _by_name(forms: tuple[LayerForm, ...]) -> Forms:
    return {form.layer: form for form in forms}


def _dtype(spec: SeqSpec) -> npt.DTypeLike:
    return np.int32 if spec.takes_ids else np.float32


def _write_sequence(model: ModelBuilder, spec: SeqSpec, forms: Forms) -> None:
    if spec.frames is not None:
        _write_forecaster(model, spec, spec.frames, forms)
        return
    graph = model.subgraph("main")
    shape, signature = ((1, frames, spec.input_features) for frames in (1, -1))
    features = graph.input(shape, _dtype(spec), FEATURES, signature)
    rows = shape_ops.reshape(graph, features, (-1, spec.input_features))
    behind: States | None = {} if spec.carries else None
    outputs = {LOGITS: lower_sequence(graph, spec.layers, forms, rows, behind)}
    outputs |= {state.name + NEXT: (behind or {})[state.name] for state in carried_states(spec)}
    graph.packed.outputs = list(outputs.values())
    model.signature(SIGNATURE, graph, {FEATURES: features}, outputs)


def _write_forecaster(model: ModelBuilder, spec: SeqSpec, frames: int, forms: Forms) -> None:
    graph = model.subgraph("main")
    features = graph.input((1, frames, spec.input_features), np.float32, FEATURES)
    rows = shape_ops.reshape(graph, features, (frames, spec.input_features))
    forecast = shape_ops.reshape(graph, lower_forecaster(graph, spec, forms, rows), (1, spec.outputs))
    graph.packed.outputs = [forecast]
    model.signature(SIGNATURE, graph, {FEATURES: features}, {LOGITS: forecast})


def _write_step(
    model: ModelBuilder, spec: SeqSpec, forms: tuple[LayerForm, ...], feature_unit: str
) -> StepModel:
    states = states_of(spec)
    graph = model.subgraph("step")
    inputs = {FEATURES: graph.input((1, spec.input_features), _dtype(spec), FEATURES)}
    inputs |= {state.name: graph.input(state.shape, name=state.name) for state in states}
    before = {state.name: inputs[state.name] for state in states}
    logits, following = advance(graph, spec.layers, _by_name(forms), inputs[FEATURES], before)
    outputs = {LOGITS: logits} | {f"{state.name}{NEXT}": following[state.name] for state in states}
    graph.packed.outputs = list(outputs.values())
    model.signature(STEP_SIGNATURE, graph, inputs, outputs)
    return StepModel(
        content=None,
        inputs=(
            features_info(spec, (1,), feature_unit),
            *(TensorInfo(state.name, "float32", state.shape, "state") for state in states),
        ),
        outputs=(logits_info(spec), *next_states(states)),
        states=states,
        layers=forms,
    )
