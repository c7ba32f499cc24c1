"""Embedding: the rows of a table that ids name, int8 in memory too; only those looked up become float32."""

from __future__ import annotations

from onnx import TensorProto

from edgeseq_export.forms import Product
from edgeseq_export.layers import Embedding
from edgeseq_export.onnx.graph import OnnxGraph
from edgeseq_export.onnx.rows import Rows
from edgeseq_export.quantize import QuantizedTensor


def lower_embedding(graph: OnnxGraph, layer: Embedding, _product: Product, rows: Rows) -> Rows:
    """ids [.., T, K] int32 -> [.., T, D]. An id beyond the table stops the run with an error."""
    weight, name = layer.weight, f"{layer.name}.weight"
    # ONNX Runtime's error names the Gather and nothing else of the model: so its name says what to know
    gather = f"{layer.name}: an id outside its table of {weight.shape[0]} rows"
    ids_axis = graph.integers(len(rows.layout) - 1)
    if not isinstance(weight, QuantizedTensor):
        found = graph.node("Gather", [graph.constant(name, weight), rows.value], gather)
        added = graph.node("ReduceSum", [found, ids_axis], layer.name, keepdims=0)
        return rows.with_features(added, weight.shape[1])
    values = graph.node("Gather", [graph.constant(f"{name}.int8", weight.values), rows.value], gather)
    named = graph.node("Cast", [values], f"{layer.name}.rows", to=TensorProto.FLOAT)  # [.., K, D]
    scales = graph.constant(f"{name}.scale", weight.scale)
    scale = graph.node("Unsqueeze", [graph.node("Gather", [scales, rows.value]), ids_axis])  # [.., 1, K]
    # a product of a token's scales and rows takes two thirds of the instructions of Mul and ReduceSum
    operator = "Mul" if rows.width == 1 else "MatMul"
    added = graph.node("Squeeze", [graph.node(operator, [scale, named]), ids_axis], layer.name)
    return rows.with_features(added, weight.shape[1])
