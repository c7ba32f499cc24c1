"""What forecasters alone have: channels side by side as a batch of sequences, patches, steps of one state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgeseq_export.forms import Product
from edgeseq_export.layers import GRU, ParallelSteps, Patches, PerChannel, Recurrent, Reversible
from edgeseq_export.onnx.graph import OnnxGraph, Value
from edgeseq_export.onnx.recurrent import gate_rows, stacked
from edgeseq_export.onnx.rows import Rows
from edgeseq_export.quantize import FloatArray, QuantizedTensor, Weight, take_rows
from edgeseq_export.reference import patch_moments
from edgeseq_export.spec import frames_behind

Inner = Callable[[Rows], Rows]
"""Rows through the layers inside a layer."""


def lower_per_channel(graph: OnnxGraph, layer: PerChannel, rows: Rows, inner: Inner) -> Rows:
    """[T, C] -> [H, C]: C sequences of one feature each through the layers, a row of H numbers from each."""
    apart = graph.node("Reshape", [rows.value, graph.integers(-1, rows.width, 1)])
    answers = inner(replace(rows, value=apart, layout="TNF", width=1, sequences=rows.width))
    joined = graph.node("Transpose", [answers.value], layer.name, perm=[1, 0])
    return replace(rows, value=joined, layout="TF", frames=None, clock=f"/{layer.name}")


def lower_reversible(graph: OnnxGraph, layer: Reversible, rows: Rows, inner: Inner) -> Rows:
    """[T, C] -> [H, C]; what is taken from a channel, or divides it, is [1, C]."""
    rows = rows.to(graph, "TF")
    name, value = layer.name, rows.value
    if layer.kind == "last":
        taken = graph.node("Gather", [value, graph.integers(-1)], f"{name}.taken", axis=0)
    else:
        taken = graph.node("ReduceMean", [value], f"{name}.taken", axes=[0])
    value = graph.node("Sub", [value, taken], f"{name}.centred")
    if layer.kind == "last":
        answers = inner(rows.with_features(value)).value
        return replace(rows, value=graph.node("Add", [answers, taken], name))
    variance = graph.node("ReduceMean", [graph.node("Mul", [value, value])], f"{name}.variance", axes=[0])
    raised = graph.node("Add", [variance, graph.number(layer.epsilon, np.float32)])
    scale = graph.node("Sqrt", [raised], f"{name}.scale")
    answers = inner(rows.with_features(graph.node("Div", [value, scale]))).value
    return replace(rows, value=graph.node("Add", [graph.node("Mul", [answers, scale]), taken], name))


def lower_patches(graph: OnnxGraph, layer: Patches, _product: Product, rows: Rows) -> Rows:
    """[T, N, 1] -> [P, N, length] of a fixed T; a Reshape where the patches are all moments once."""
    rows, frames = rows.to(graph, "TNF"), rows.frames or 0
    count, N = frames_behind(layer, frames), rows.sequences
    if layer.stride == layer.length and count * layer.length == frames:
        value = rows.value
    else:
        moments = graph.constant(f"{layer.name}.moments", patch_moments(layer, frames))
        value = graph.node("Gather", [rows.value, moments], axis=0)
    apart = graph.node("Reshape", [value, graph.integers(count, layer.length, N)])
    patches = graph.node("Transpose", [apart], layer.name, perm=[0, 2, 1])
    return replace(rows.with_features(patches, layer.length), frames=count, clock=f"/{layer.name}")


def lower_parallel_steps(
    graph: OnnxGraph, layer: ParallelSteps, before: Recurrent, rows: Rows, memory: Value
) -> Rows:
    """From the final states of `before`, rows [N, H] and an LSTM's memory [1, N, H], -> [M, N, H].

    Where the weights are those of `before`, as usual, the file has them once.
    """
    order, name = gate_rows(before), layer.name
    inputs = layer.inputs[:, None, order]  # [M, 1, G*H]
    shared = _equal(layer.weight_hh, before.forward.weight_hh)
    weights = (
        f"{before.name}.weight_hh"
        if shared
        else stacked(graph, f"{name}.weight_hh", [take_rows(layer.weight_hh, order)])
    )
    matrix = graph.node("Squeeze", [weights, graph.integers(0)])
    bias = graph.constant(f"{name}.bias_hh", layer.bias_hh[order])
    product = graph.node("Gemm", [rows.value, matrix, bias], f"{name}.product", transB=1)
    if isinstance(before, GRU):
        after = _gru_steps(graph, name, inputs, product, rows.value)
    else:
        after = _lstm_steps(graph, name, inputs, product, memory)
    return replace(rows.with_features(after), layout="TNF", frames=len(inputs), clock=f"/{name}")


def _gru_steps(graph: OnnxGraph, name: str, inputs: FloatArray, product: Value, state: Value) -> Value:
    """inputs: [M, 1, 3H], product: [N, 3H], both in the order z, r, h; state: [N, H]."""
    H = inputs.shape[2] // 3
    sizes = graph.integers(2 * H, H)
    opening, reset = f"{name}.opening", f"{name}.recurrent"
    graph.node_with("Split", [product, sizes], [opening, reset], axis=1)
    gates = graph.node("Add", [graph.constant(f"{name}.gates", inputs[..., : 2 * H]), opening])
    z, r = f"{name}.z", f"{name}.r"
    graph.node_with("Split", [graph.node("Sigmoid", [gates]), graph.integers(H, H)], [z, r], axis=2)
    candidates = graph.constant(f"{name}.candidates", inputs[..., 2 * H :])
    n = graph.node("Tanh", [graph.node("Add", [candidates, graph.node("Mul", [r, reset])])], f"{name}.n")
    kept = graph.node("Mul", [graph.node("Sub", [state, n]), z])
    return graph.node("Add", [kept, n], name)


def _lstm_steps(graph: OnnxGraph, name: str, inputs: FloatArray, product: Value, memory: Value) -> Value:
    """inputs: [M, 1, 4H], product: [N, 4H], both in the order i, o, f, c; memory: [1, N, H]."""
    H = inputs.shape[2] // 4
    gates = graph.node("Add", [graph.constant(f"{name}.gates", inputs), product])
    opening, candidate = f"{name}.opening", f"{name}.candidate"
    graph.node_with("Split", [gates, graph.integers(3 * H, H)], [opening, candidate], axis=2)
    i, o, f = (f"{name}.{gate}" for gate in "iof")
    graph.node_with("Split", [graph.node("Sigmoid", [opening]), graph.integers(H, H, H)], [i, o, f], axis=2)
    added = graph.node("Mul", [i, graph.node("Tanh", [candidate])])
    remembered = graph.node("Add", [graph.node("Mul", [f, memory]), added])
    return graph.node("Mul", [o, graph.node("Tanh", [remembered])], name)


def _equal(left: Weight, right: Weight) -> bool:
    if isinstance(left, QuantizedTensor) and isinstance(right, QuantizedTensor):
        return np.array_equal(left.values, right.values) and np.array_equal(left.scale, right.scale)
    if isinstance(left, QuantizedTensor) or isinstance(right, QuantizedTensor):
        return False
    return np.array_equal(left, right)
