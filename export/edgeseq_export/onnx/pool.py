"""Pool layers: frames become one row a sequence, over each sequence's true length."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from edgeseq_export.layers import Pool
from edgeseq_export.onnx.graph import OnnxGraph, Value
from edgeseq_export.onnx.rows import Rows, inside
from edgeseq_export.state import LOWEST, NEXT


def lower_pool(graph: OnnxGraph, layer: Pool, rows: Rows) -> Rows:
    """[.., T, F] -> [N, F]. Final states of a recurrent layer, [N, F] already, are what `last` takes."""
    if rows.layout == "NF":
        return rows
    if graph.is_step:
        return rows.pooled(_step(graph, layer, rows.to(graph, "TF")))
    if layer.kind == "first" or (layer.kind == "last" and not rows.lengths):
        value = _one_frame(graph, layer, rows)
    elif layer.kind == "last":
        value = _last_true_frame(graph, rows)
    elif layer.kind == "all":
        return _behind_each_other(graph, layer, rows.to(graph, "NTF"))
    else:
        value = _reduced(graph, layer, rows)
    return rows.pooled(value)


def _step(graph: OnnxGraph, layer: Pool, rows: Rows) -> Value:
    """The answer so far; states: sum [1, F] and count [1, 1], or max [1, F], of the frames before."""
    if layer.kind == "last":
        return rows.value
    if layer.kind == "max":
        return graph.node("Max", [rows.value, f"{layer.name}.max"], f"{layer.name}.max{NEXT}")
    total = graph.node("Add", [rows.value, f"{layer.name}.sum"], f"{layer.name}.sum{NEXT}")
    one = graph.number(1, np.float32)
    count = graph.node("Add", [f"{layer.name}.count", one], f"{layer.name}.count{NEXT}")
    return graph.node("Div", [total, count], layer.name)


def _one_frame(graph: OnnxGraph, layer: Pool, rows: Rows) -> Value:
    """The first frame, or the last of the only sequence."""
    frame = 0 if layer.kind == "first" else -1
    index = graph.integers(frame) if rows.layout == "TF" else graph.number(frame)
    return graph.node("Gather", [rows.value, index], layer.name, axis=rows.time_axis)


def _last_true_frame(graph: OnnxGraph, rows: Rows) -> Value:
    rows = rows.to(graph, "NTF")
    lengths = graph.node("Cast", [rows.lengths], to=TensorProto.INT64)
    last = graph.node("Unsqueeze", [graph.node("Sub", [lengths, graph.number(1)]), graph.integers(1)])
    return graph.node("GatherND", [rows.value, last], batch_dims=1)


def _behind_each_other(graph: OnnxGraph, layer: Pool, rows: Rows) -> Rows:
    """[N, T, F] -> [N, T * F]."""
    value = graph.node("Reshape", [rows.value, graph.integers(rows.sequences, -1)], layer.name)
    return rows.pooled(value)


def _reduced(graph: OnnxGraph, layer: Pool, rows: Rows) -> Value:
    """Mean or max over the frames inside each sequence."""
    if not rows.lengths:
        rows = rows.to(graph, "NTF")
        operator = "ReduceMean" if layer.kind == "mean" else "ReduceMax"
        return graph.node(operator, [rows.value], layer.name, axes=[1], keepdims=0)
    if layer.kind == "max":
        masked = _masked(graph, rows, LOWEST)
        return graph.node("ReduceMax", [masked], layer.name, axes=[rows.time_axis], keepdims=0)
    masked = rows.value if rows.zeros_behind else _masked(graph, rows, 0)
    total = graph.node("ReduceSum", [masked, graph.integers(rows.time_axis)], keepdims=0)
    counts = graph.node("Cast", [rows.lengths], to=TensorProto.FLOAT)
    return graph.node("Div", [total, graph.node("Unsqueeze", [counts, graph.integers(1)])], layer.name)


def _masked(graph: OnnxGraph, rows: Rows, outside: float) -> Value:
    """The rows with `outside` behind each sequence's end."""
    return graph.node("Where", [inside(graph, rows), rows.value, graph.number(outside, np.float32)])
