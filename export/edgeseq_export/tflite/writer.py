"""A SeqSpec as a TFLite file: the sequence form with a run-time length and the step form, batch 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeseq_device.manifest import TensorInfo
from edgeseq_device.runtimes import FEATURES, LOGITS, SIGNATURE, STEP_SIGNATURE
from edgeseq_export.exported import ExportedModel, StepModel, features_info
from edgeseq_export.forms import LayerForm, Plan, is_causal
from edgeseq_export.spec import SeqSpec
from edgeseq_export.state import NEXT, states_of
from edgeseq_export.tflite import ops
from edgeseq_export.tflite.chunk import Forms, advance
from edgeseq_export.tflite.flatbuffer import ModelBuilder
from edgeseq_export.tflite.forms import check_forms
from edgeseq_export.tflite.sequence import lower_sequence


def write_tflite(spec: SeqSpec, plan: Plan, feature_unit: str) -> ExportedModel:
    """Signature `serving_default`: features [1, T, F] in, logits [1, C] float32 out; T >= 1. Features are
    float32, or int32 ids in front of an Embedding.

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
        inputs=(features_info(spec, (1, "T"), feature_unit),),
        outputs=(_logits(spec),),
        layers=plan.sequence,
        batch=False,
        causal=is_causal(spec, plan.sequence),
        step=step,
    )


def _by_name(forms: tuple[LayerForm, ...]) -> Forms:
    return {form.layer: form for form in forms}


def _logits(spec: SeqSpec) -> TensorInfo:
    return TensorInfo(LOGITS, "float32", (1, len(spec.labels)), "logit")


def _dtype(spec: SeqSpec) -> npt.DTypeLike:
    return np.int32 if spec.takes_ids else np.float32


def _write_sequence(model: ModelBuilder, spec: SeqSpec, forms: Forms) -> None:
    graph = model.subgraph("main")
    shape, signature = ((1, frames, spec.input_features) for frames in (1, -1))
    features = graph.input(shape, _dtype(spec), FEATURES, signature)
    rows = ops.reshape(graph, features, (-1, spec.input_features))
    logits = lower_sequence(graph, spec.layers, forms, rows)
    graph.packed.outputs = [logits]
    model.signature(SIGNATURE, graph, {FEATURES: features}, {LOGITS: logits})


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
    described = {f"{state.name}{end}": state.shape for end in ("", NEXT) for state in states}
    infos = {name: TensorInfo(name, "float32", shape, "state") for name, shape in described.items()}
    return StepModel(
        content=None,
        inputs=(
            features_info(spec, (1,), feature_unit),
            *(infos[state.name] for state in states),
        ),
        outputs=(_logits(spec), *(infos[f"{state.name}{NEXT}"] for state in states)),
        states=states,
        layers=forms,
    )
