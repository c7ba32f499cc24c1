"""A SeqSpec as an ONNX file: sequence form, run-time length, a batch where all compute is fp32."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from edgeseq_device.manifest import TensorInfo
from edgeseq_device.runtimes import FEATURES, LENGTHS, LOGITS
from edgeseq_export.exported import ExportedModel, LayerForm
from edgeseq_export.onnx.graph import OnnxGraph, Value
from edgeseq_export.onnx.recurrent import Frames, lower_recurrent, recurrent_form
from edgeseq_export.quantize import ActivationQuantization, QuantizedTensor
from edgeseq_export.spec import Layer, Linear, Pool, SeqSpec, reads_backwards


def write_onnx(spec: SeqSpec, feature_unit: str) -> ExportedModel:
    """Lower every layer. features [N, T, I] float32 and lengths [N] int32 in, logits [N, C] float32 out.

    Where a layer rounds activations with one scale over batch and time there is no `lengths` and N is 1.
    Raises ValueError on an order of layers that has no lowering here.
    """
    forms = tuple(_form(layer) for layer in spec.layers)
    batch = all(form.activation_quantization is ActivationQuantization.NONE for form in forms)
    size = "N" if batch else 1
    inputs: tuple[TensorInfo, ...] = (
        TensorInfo(FEATURES, "float32", (size, "T", spec.input_features), feature_unit),
    )
    if batch:
        inputs += (TensorInfo(LENGTHS, "int32", (size,), "frames"),)
    outputs = (TensorInfo(LOGITS, "float32", (size, len(spec.labels)), "logit"),)

    graph = OnnxGraph()
    _lower_layers(graph, spec, LENGTHS if batch else "")
    causal = batch and not reads_backwards(spec)
    return ExportedModel("onnx", graph.finish(inputs, outputs), inputs, outputs, forms, batch, causal)


def _lower_layers(graph: OnnxGraph, spec: SeqSpec, lengths: Value) -> None:
    rows = graph.node("Transpose", [FEATURES], name="frames", attributes={"perm": [1, 0, 2]})
    frames = Frames(rows, lengths)
    vector: Value | None = None  # [N, F]
    for position, layer in enumerate(spec.layers):
        if isinstance(layer, Linear):
            if vector is None:
                raise ValueError(f"{layer.name}: needs a pooled [N, F] input; put a Pool layer before it")
            name = LOGITS if position == len(spec.layers) - 1 else layer.name
            vector = _lower_linear(graph, layer, vector, name)
        elif isinstance(layer, Pool):
            if vector is None:
                raise ValueError(f"{layer.name}: a Pool layer needs a recurrent layer before it")
            vector = vector if layer.kind == "last" else _lower_pool(graph, layer, frames)
        else:
            vector, frames = lower_recurrent(graph, layer, frames)


def _lower_linear(graph: OnnxGraph, layer: Linear, vector: Value, name: str) -> Value:
    stacked = graph.widened(f"{layer.name}.weight.stacked", [layer.weight])
    weight = graph.node("Squeeze", [stacked, _axes(graph, 0)], name=f"{layer.name}.weight")
    bias = graph.constant(f"{layer.name}.bias", layer.bias)
    return str(graph.node("Gemm", [vector, weight, bias], name=name, attributes={"transB": 1}))


def _lower_pool(graph: OnnxGraph, layer: Pool, frames: Frames) -> Value:
    """[T, N, F] -> [N, F] over each sequence's true length."""
    over_time = {"axes": [0], "keepdims": 0}
    if layer.kind == "max":
        rows = _masked(graph, frames) if frames.lengths else frames.rows
        return str(graph.node("ReduceMax", [rows], name=layer.name, attributes=over_time))
    if not frames.lengths:
        return str(graph.node("ReduceMean", [frames.rows], name=layer.name, attributes=over_time))
    total = graph.node("ReduceSum", [frames.rows, _axes(graph, 0)], attributes={"keepdims": 0})
    count = graph.node("Cast", [frames.lengths], attributes={"to": TensorProto.FLOAT})
    column = graph.node("Unsqueeze", [count, _axes(graph, 1)])
    return str(graph.node("Div", [total, column], name=layer.name))


def _masked(graph: OnnxGraph, frames: Frames) -> Value:
    """The rows with -1, which no GRU or LSTM output falls below, behind each sequence's end."""
    frame_count = graph.node(
        "Squeeze", [graph.node("Shape", [frames.rows], attributes={"start": 0, "end": 1})]
    )
    zero, one = (graph.constant(f"integer_{n}", np.array(n, np.int64)) for n in (0, 1))
    positions = graph.node("Range", [zero, frame_count, one])
    column = graph.node("Unsqueeze", [positions, _axes(graph, 1, 2)])  # [T, 1, 1]
    lengths = graph.node("Cast", [frames.lengths], attributes={"to": TensorProto.INT64})
    ends = graph.node("Unsqueeze", [lengths, _axes(graph, 1)])  # [N, 1]
    inside = graph.node("Less", [column, ends])
    lowest = graph.constant("lowest_output", np.array(-1, np.float32))
    return str(graph.node("Where", [inside, frames.rows, lowest]))


def _axes(graph: OnnxGraph, *axes: int) -> Value:
    return graph.constant("axes_" + "_".join(map(str, axes)), np.array(axes, np.int64))


def _form(layer: Layer) -> LayerForm:
    if isinstance(layer, Pool):
        return LayerForm(layer.name, "Pool", layer.kind, "fp32")
    if isinstance(layer, Linear):
        form = "cast_mul" if isinstance(layer.weight, QuantizedTensor) else "gemm"
        return LayerForm(layer.name, "Linear", form, "fp32")
    return recurrent_form(layer)
