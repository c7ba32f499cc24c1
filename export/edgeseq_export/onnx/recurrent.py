"""GRU and LSTM on ONNX Runtime's fused operators, over whole sequences and for one frame.

ONNX Runtime has no int8 GRU operator: `scan` holds the int8 GRU. The int8 LSTM is
com.microsoft.DynamicQuantizeLSTM, whose one activation scale spans a whole sequence, which one frame is too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeseq_export.forms import DYNAMIC, DYNAMIC_ROW, LayerForm
from edgeseq_export.layers import GRU, Cell, Recurrent
from edgeseq_export.onnx.graph import MICROSOFT, OnnxGraph, Value
from edgeseq_export.onnx.products import widened
from edgeseq_export.onnx.rows import Rows
from edgeseq_export.onnx.scan import lower_scan_gru, step_gru
from edgeseq_export.quantize import QuantizedTensor, Weight, as_float, take_rows
from edgeseq_export.spec import cells
from edgeseq_export.state import NEXT

# blocks of torch's gate order in ONNX's: GRU r, z, n -> z, r, h; LSTM i, f, g, o -> i, o, f, c
_GATE_ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}


@dataclass(frozen=True)
class _Weights:
    """Inputs of an operator: weights of X and R, their bias, and behind the states scales and zero points."""

    matrices: list[Value]
    bias: Value
    scales: list[Value]


def lower_recurrent(
    graph: OnnxGraph, layer: Recurrent, form: LayerForm, rows: Rows, *, only_final: bool, memory: Value = ""
) -> Rows:
    """The outputs of every frame, or with `only_final` the final states [N, D * H] alone.

    Outputs behind a sequence's end are zero. memory: what an LSTM's final memory [D, N, H] shall be called.
    """
    if isinstance(layer, GRU) and form.product == DYNAMIC:
        return lower_scan_gru(graph, layer, rows, only_final=only_final)
    if isinstance(layer, GRU) and form.product == DYNAMIC_ROW:
        return step_gru(graph, layer, rows)
    rows = rows.to(graph, "TNF")
    if graph.is_step:
        return _step(graph, layer, form, rows)
    if graph.carries:
        return _carrying(graph, layer, form, rows, only_final=only_final)
    outputs, final = ("", f"{layer.name}.last") if only_final else (f"{layer.name}.all", "")
    _operator(graph, layer, form, rows, [], [outputs, final, *([memory] if memory else [])])
    return _join_final(graph, layer, final, rows) if only_final else _join_frames(graph, layer, outputs, rows)


def _step(graph: OnnxGraph, layer: Recurrent, form: LayerForm, rows: Rows) -> Rows:
    """One frame [1, 1, F] with the states [1, H] of the frames before."""
    before = [graph.node("Unsqueeze", [state, graph.integers(0)]) for state in _states(layer)]
    state = _with_states(graph, layer, form, rows, before, "")
    return replace(rows.with_features(state, layer.forward.hidden), layout="TF")


def _carrying(graph: OnnxGraph, layer: Recurrent, form: LayerForm, rows: Rows, *, only_final: bool) -> Rows:
    """The outputs or the final state, with the states behind the last frame."""
    outputs = "" if only_final else f"{layer.name}.all"
    state = _with_states(graph, layer, form, rows, [], outputs)
    if only_final:
        return rows.pooled(state, layer.forward.hidden)
    return _join_frames(graph, layer, outputs, rows)


def _states(layer: Recurrent) -> list[str]:
    return [f"{layer.name}.{state}" for state in ("h" if isinstance(layer, GRU) else "hc")]


def _with_states(
    graph: OnnxGraph, layer: Recurrent, form: LayerForm, rows: Rows, before: list[Value], outputs: Value
) -> Value:
    """The operator, the states [1, H] behind its last frame being outputs of the graph; the first of them."""
    states = _states(layer)
    after = [f"{state}.after" for state in states]
    _operator(graph, layer, form, rows, before, [outputs, *after])
    for state, value in zip(states, after, strict=True):
        graph.node("Squeeze", [value, graph.integers(0)], state + NEXT)
    return states[0] + NEXT


def _operator(
    graph: OnnxGraph, layer: Recurrent, form: LayerForm, rows: Rows, before: list[Value], outputs: list[Value]
) -> None:
    """The fused operator: outputs [T, D, N, H] and final states [D, N, H]; before: initial states alike."""
    directions = [_reorder(layer, cell) for cell in cells(layer).values()]
    dynamic = form.product in (DYNAMIC, DYNAMIC_ROW)
    weights = (_dynamic_weights if dynamic else _fused_weights)(graph, layer, directions)
    inputs = [rows.value, *weights.matrices, weights.bias, rows.lengths, *before]
    if weights.scales:
        inputs += [""] * (8 - len(inputs)) + weights.scales  # no peepholes
    attributes: dict[str, int | str] = {"hidden_size": layer.forward.hidden}
    attributes["direction"] = "forward" if layer.backward is None else "bidirectional"
    if isinstance(layer, GRU):
        attributes["linear_before_reset"] = 1
    operator = "DynamicQuantizeLSTM" if dynamic else type(layer).__name__
    graph.node_with(operator, inputs, outputs, domain=MICROSOFT if dynamic else "", **attributes)


def _fused_weights(graph: OnnxGraph, layer: Recurrent, directions: list[Cell]) -> _Weights:
    """Of the fp32 operator: weights [D, G*H, K], bias [D, 2*G*H]."""
    matrices = [
        stacked(graph, f"{layer.name}.{field}", [getattr(cell, field) for cell in directions])
        for field in ("weight_ih", "weight_hh")
    ]
    return _Weights(matrices, _bias(graph, layer, directions), [])


def stacked(graph: OnnxGraph, name: str, weights: list[Weight]) -> Value:
    """[D, G*H, K] float32 at run time."""
    quantized = [weight for weight in weights if isinstance(weight, QuantizedTensor)]
    if len(quantized) < len(weights):
        return graph.constant(name, np.stack([as_float(weight) for weight in weights]))
    values = graph.constant(f"{name}.int8", np.stack([weight.values for weight in quantized]))
    return widened(graph, name, values, np.stack([weight.scale[:, None] for weight in quantized]))


def _dynamic_weights(graph: OnnxGraph, layer: Recurrent, directions: list[Cell]) -> _Weights:
    """Of the int8 operator: weights [D, K, 4H] int8, scales and zero points [D, 4H], all of them 0."""
    matrices, scales = [], []
    for field in ("weight_ih", "weight_hh"):
        weights = [getattr(cell, field) for cell in directions]
        values = np.stack([weight.values.T for weight in weights])
        matrices.append(graph.constant(f"{layer.name}.{field}.int8", values))
        scale = np.stack([weight.scale for weight in weights])
        scales.append(graph.constant(f"{layer.name}.{field}.scale", scale))
        # one each: ONNX Runtime refuses a shared one where it makes the weights uint8 (onnx_runtime.py)
        scales.append(graph.constant(f"{layer.name}.{field}.zero_point", np.zeros(scale.shape, np.int8)))
    return _Weights(matrices, _bias(graph, layer, directions), scales)


def _bias(graph: OnnxGraph, layer: Recurrent, directions: list[Cell]) -> Value:
    """[D, 2*G*H]."""
    stacked = np.stack([np.concatenate([cell.bias_ih, cell.bias_hh]) for cell in directions])
    return graph.constant(f"{layer.name}.bias", stacked)


def _join_final(graph: OnnxGraph, layer: Recurrent, final: Value, rows: Rows) -> Rows:
    """[D, N, H] -> [N, D * H]."""
    name, width = f"{layer.name}.final", layer.forward.hidden * len(cells(layer))
    if layer.backward is None:
        joined = graph.node("Squeeze", [final, graph.integers(0)], name)
    else:
        first = final if rows.is_alone else graph.node("Transpose", [final], perm=[1, 0, 2])
        joined = graph.node("Reshape", [first, graph.integers(-1, width)], name)
    return rows.pooled(joined, width)


def _join_frames(graph: OnnxGraph, layer: Recurrent, outputs: Value, rows: Rows) -> Rows:
    """[T, D, N, H] -> [T, N, D * H], or [T, D * H] of the only sequence."""
    name, width = f"{layer.name}.outputs", layer.forward.hidden * len(cells(layer))
    if rows.is_alone:
        joined = graph.node("Reshape", [outputs, graph.integers(-1, width)], name)
        return replace(rows.with_features(joined, width), layout="TF")
    if layer.backward is None:
        joined = graph.node("Squeeze", [outputs, graph.integers(1)], name)
    else:
        swapped = graph.node("Transpose", [outputs], perm=[0, 2, 1, 3])
        joined = graph.node("Reshape", [swapped, graph.integers(0, 0, width)], name)
    return replace(rows.with_features(joined, width), zeros_behind=True)


def gate_rows(layer: Recurrent) -> npt.NDArray[np.int64]:
    """[G*H]: which row of a cell's weights is at each place of ONNX's gate order."""
    order = _GATE_ORDER[type(layer).__name__]
    H = layer.forward.hidden
    return np.concatenate([np.arange(H) + gate * H for gate in order])


def _reorder(layer: Recurrent, cell: Cell) -> Cell:
    """The cell with its gates in ONNX's order."""
    rows = gate_rows(layer)
    return Cell(
        take_rows(cell.weight_ih, rows),
        take_rows(cell.weight_hh, rows),
        cell.bias_ih[rows],
        cell.bias_hh[rows],
    )
