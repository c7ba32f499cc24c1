"""A SeqSpec as a TFLite file: sequence form, batch 1, run-time length."""

from __future__ import annotations

from edgeseq_device.manifest import TensorInfo
from edgeseq_device.runtimes import FEATURES, LOGITS, SIGNATURE
from edgeseq_export.exported import ExportedModel, LayerForm
from edgeseq_export.quantize import ActivationQuantization, QuantizedTensor
from edgeseq_export.spec import Layer, Linear, Pool, SeqSpec, reads_backwards
from edgeseq_export.tflite import ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, ModelBuilder, Tensor
from edgeseq_export.tflite.recurrent import CHUNK_FRAMES, Frames, lower_recurrent

# GRU and LSTM outputs lie in [-1, 1]: rows of -1 behind a sequence never raise its maximum
_FILL = {"mean": 0.0, "max": -1.0}


def write_tflite(spec: SeqSpec, feature_unit: str) -> ExportedModel:
    """Lower every layer. features [1, T, I] float32 in, logits [1, C] float32 out.

    Raises ValueError on an order of layers that has no lowering here.
    """
    model = ModelBuilder()
    graph = model.subgraph("main")
    I = spec.input_features  # noqa: E741
    features = graph.input((1, 1, I), name=FEATURES, signature=(1, -1, I))
    rows = ops.flatten_batch(graph, features)
    length = ops.row_count(graph, rows)
    frames: Frames | None = Frames(ops.pad(graph, rows, (CHUNK_FRAMES, 0)), length)
    vector: Tensor | None = None  # [1, F]
    for layer, following in zip(spec.layers, (*spec.layers[1:], None), strict=True):
        if isinstance(layer, Linear):
            pooled = _pooled(vector, layer)
            vector = ops.fully_connected(graph, pooled, layer.weight, layer.bias, f"{layer.name}.weight")
        elif isinstance(layer, Pool):
            vector = _lower_pool(graph, layer, frames, vector)
        elif frames is None:
            raise ValueError(f"{layer.name}: a recurrent layer behind one that keeps its last output only")
        else:
            vector, frames = lower_recurrent(graph, layer, frames, _fill_for(following))
    logits = _pooled(vector, spec.layers[-1])
    graph.packed.tensors[logits].name = LOGITS
    graph.packed.outputs = [logits]
    model.signature(SIGNATURE, graph, {FEATURES: features}, {LOGITS: logits})
    return ExportedModel(
        format="tflite",
        content=model.finish("edgeseq"),
        inputs=(TensorInfo(FEATURES, "float32", (1, "T", I), feature_unit),),
        outputs=(TensorInfo(LOGITS, "float32", (1, len(spec.labels)), "logit"),),
        layers=tuple(_form(layer) for layer in spec.layers),
        batch=False,
        causal=not reads_backwards(spec),
    )


def _pooled(vector: Tensor | None, layer: Layer) -> Tensor:
    if vector is None:
        raise ValueError(f"{layer.name}: needs a pooled [1, F] input; put a Pool layer before it")
    return vector


def _fill_for(following: Layer | None) -> float | None:
    """What to put behind a layer's outputs, or None where only its final state is read."""
    if isinstance(following, Pool):
        return _FILL.get(following.kind)
    return None if following is None or isinstance(following, Linear) else 0.0


def _lower_pool(graph: GraphBuilder, layer: Pool, frames: Frames | None, final: Tensor | None) -> Tensor:
    if layer.kind == "last" and final is not None:
        return final
    if frames is None or final is None:
        raise ValueError(f"{layer.name}: a Pool layer needs a recurrent layer before it")
    if layer.kind == "max":
        return ops.max_rows(graph, frames.rows)
    return ops.divide(graph, ops.sum_rows(graph, frames.rows), ops.to_float(graph, frames.length))


def _form(layer: Layer) -> LayerForm:
    kind = type(layer).__name__
    if isinstance(layer, Pool):
        return LayerForm(layer.name, kind, layer.kind, "fp32")
    weight = layer.weight if isinstance(layer, Linear) else layer.forward.weight_hh
    form = "fully_connected" if isinstance(layer, Linear) else "nested_while"
    if isinstance(weight, QuantizedTensor):
        return LayerForm(layer.name, kind, form, "int8", ActivationQuantization.PER_ROW_INT8)
    return LayerForm(layer.name, kind, form, "fp32")
