"""Embedding: the rows of a table that ids name, int8 in memory too; only those looked up become float32."""

from __future__ import annotations

from onnx import TensorProto

from edgeseq_export.forms import Product
from edgeseq_export.onnx.graph import OnnxGraph, Value
from edgeseq_export.onnx.rows import Rows
from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.spec import Embedding


def lower_embedding(graph: OnnxGraph, layer: Embedding, _product: Product, rows: Rows) -> Rows:
    """ids [.., T, K] int32 -> [.., T, D]. An id beyond the table stops the run with an error."""
    weight, name = layer.weight, f"{layer.name}.weight"
    # ONNX Runtime's error names the Gather and nothing else of the model: so its name says what to know
    gather = f"{layer.name}: an id outside its table of {weight.shape[0]} rows"
    ids_axis = graph.integers(len(rows.layout) - 1)
    if isinstance(weight, QuantizedTensor):
        values = graph.node("Gather", [graph.constant(f"{name}.int8", weight.values), rows.value], gather)
        found = _scaled(graph, layer, weight, values, rows.value, ids_axis)
    else:
        found = graph.node("Gather", [graph.constant(name, weight), rows.value], gather)
        found = graph.node("ReduceSum", [found, ids_axis], layer.name, keepdims=0)
    return rows.with_features(found, weight.shape[1])


def _scaled(
    graph: OnnxGraph, layer: Embedding, weight: QuantizedTensor, values: Value, ids: Value, ids_axis: Value
) -> Value:
    """values [.., K, D] int8 -> [.., D]: a token's scales times its rows, in two thirds of the instructions
    of Mul and ReduceSum."""
    scales = graph.constant(f"{layer.name}.weight.scale", weight.scale)
    scale = graph.node("Gather", [scales, ids], f"{layer.name}.scale")
    rows = graph.node("Cast", [values], f"{layer.name}.rows", to=TensorProto.FLOAT)
    added = graph.node("MatMul", [graph.node("Unsqueeze", [scale, ids_axis]), rows])
    return graph.node("Squeeze", [added, ids_axis], layer.name)
