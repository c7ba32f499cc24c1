"""GRU and LSTM on ONNX Runtime's fused operators.

ONNX Runtime has no int8 GRU operator: the GRU keeps int8 in the file and computes in fp32 (cast_mul).
The int8 LSTM is com.microsoft.DynamicQuantizeLSTM, whose one activation scale spans a whole sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeseq_export.exported import LayerForm
from edgeseq_export.onnx.graph import MICROSOFT, OnnxGraph, Value
from edgeseq_export.quantize import ActivationQuantization, QuantizedTensor, take_rows
from edgeseq_export.spec import GRU, LSTM, Cell, Recurrent, cells

# blocks of torch's gate order in ONNX's: GRU r, z, n -> z, r, h; LSTM i, f, g, o -> i, o, f, c
_GATE_ORDER = {GRU: (1, 0, 2), LSTM: (0, 3, 1, 2)}


@dataclass(frozen=True)
class Frames:
    """rows: [T, N, F] float32; lengths: [N] int32, or "" where the batch is one whole sequence."""

    rows: Value
    lengths: Value


def recurrent_form(layer: Recurrent) -> LayerForm:
    """The form a recurrent layer is lowered to."""
    kind = type(layer).__name__
    if not isinstance(layer.forward.weight_hh, QuantizedTensor):
        return LayerForm(layer.name, kind, "fused", "fp32")
    if isinstance(layer, GRU):
        return LayerForm(layer.name, kind, "cast_mul", "fp32")
    return LayerForm(
        layer.name, kind, "dynamic_quantize_lstm", "int8", ActivationQuantization.PER_TENSOR_UINT8
    )


def lower_recurrent(graph: OnnxGraph, layer: Recurrent, frames: Frames) -> tuple[Value, Frames]:
    """The final states [N, F] and all outputs; outputs behind a sequence's end are zero."""
    directions = [_reorder(layer, cell) for cell in cells(layer).values()]
    lower = _dynamic_quantize_lstm if recurrent_form(layer).compute == "int8" else _fused
    outputs, final = lower(graph, layer, directions, frames)
    return _join_directions(graph, layer, final), Frames(_join_frames(graph, layer, outputs), frames.lengths)


def _fused(graph: OnnxGraph, layer: Recurrent, directions: list[Cell], frames: Frames) -> tuple[Value, Value]:
    """Outputs [T, D, N, H] and final states [D, N, H] of the fp32 operator; weights [D, G*H, K]."""
    weights = [
        graph.widened(f"{layer.name}.{field}", [getattr(cell, field) for cell in directions])
        for field in ("weight_ih", "weight_hh")
    ]
    inputs = [frames.rows, *weights, _bias(graph, layer, directions), frames.lengths]
    attributes = _attributes(layer)
    if isinstance(layer, GRU):
        attributes["linear_before_reset"] = 1
    outputs, final = graph.node(
        type(layer).__name__, inputs, name=layer.name, outputs=2, attributes=attributes
    )
    return outputs, final


def _dynamic_quantize_lstm(
    graph: OnnxGraph, layer: Recurrent, directions: list[Cell], frames: Frames
) -> tuple[Value, Value]:
    """The int8 operator: weights [D, K, 4H] int8, scales and zero points [D, 4H], all of them 0."""
    values, scales = [], []
    for field in ("weight_ih", "weight_hh"):
        weights = [getattr(cell, field) for cell in directions]
        stacked = np.stack([weight.values.T for weight in weights])
        values.append(graph.constant(f"{layer.name}.{field}.int8", stacked))
        scale = np.stack([weight.scale for weight in weights])
        scales.append(graph.constant(f"{layer.name}.{field}.scale", scale))
        scales.append(graph.constant(f"{layer.name}.zero_point", np.zeros(scale.shape, np.int8)))
    no_states = ["", "", ""]  # initial hidden state, initial cell state, peepholes
    inputs = [frames.rows, *values, _bias(graph, layer, directions), frames.lengths, *no_states, *scales]
    outputs, final = graph.node(
        "DynamicQuantizeLSTM",
        inputs,
        name=layer.name,
        outputs=2,
        domain=MICROSOFT,
        attributes=_attributes(layer),
    )
    return outputs, final


def _bias(graph: OnnxGraph, layer: Recurrent, directions: list[Cell]) -> Value:
    """[D, 2*G*H]."""
    stacked = np.stack([np.concatenate([cell.bias_ih, cell.bias_hh]) for cell in directions])
    return graph.constant(f"{layer.name}.bias", stacked)


def _attributes(layer: Recurrent) -> dict[str, int | str]:
    direction = "forward" if layer.backward is None else "bidirectional"
    return {"hidden_size": layer.forward.hidden, "direction": direction}


def _join_directions(graph: OnnxGraph, layer: Recurrent, final: Value) -> Value:
    """[D, N, H] -> [N, D * H]."""
    swapped = graph.node("Transpose", [final], attributes={"perm": [1, 0, 2]})
    shape = graph.constant("keep_batch_join_rest", np.array([0, -1], np.int64))
    return str(graph.node("Reshape", [swapped, shape], name=f"{layer.name}.final"))


def _join_frames(graph: OnnxGraph, layer: Recurrent, outputs: Value) -> Value:
    """[T, D, N, H] -> [T, N, D * H]."""
    swapped = graph.node("Transpose", [outputs], attributes={"perm": [0, 2, 1, 3]})
    shape = graph.constant("keep_frames_and_batch", np.array([0, 0, -1], np.int64))
    return str(graph.node("Reshape", [swapped, shape], name=f"{layer.name}.outputs"))


def _reorder(layer: Recurrent, cell: Cell) -> Cell:
    """The cell with its gates in ONNX's order."""
    order = _GATE_ORDER[type(layer)]
    rows = np.concatenate([np.arange(cell.hidden) + gate * cell.hidden for gate in order])
    return Cell(
        take_rows(cell.weight_ih, rows),
        take_rows(cell.weight_hh, rows),
        cell.bias_ih[rows],
        cell.bias_hh[rows],
    )
