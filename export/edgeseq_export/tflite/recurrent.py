"""A recurrent layer over a chunk of rows: its frames unrolled in the graph, or a loop nested in it.

Unrolled frames cost no turns of a loop, but XNNPACK keeps a packed copy of the weights for each.
"""

from __future__ import annotations

import numpy as np

from edgeseq_export.forms import LayerForm
from edgeseq_export.layers import Recurrent
from edgeseq_export.tflite import shape_ops
from edgeseq_export.tflite.cells import RecurrentCell, recurrent_cell
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.loops import count_up

States = dict[str, Tensor]
"""State tensors by name: STATE of one layer, LAYER.STATE of several."""


def advance_recurrent(
    graph: GraphBuilder, layer: Recurrent, form: LayerForm, rows: Tensor, states: States, *, last_only: bool
) -> tuple[Tensor, States]:
    """rows [K, F], states -> rows [K, H], or [1, H] of the last row, and the states behind them.

    States [N, H] are those of N sequences, whose rows of one moment stand behind each other: rows [K * N, F].
    """
    cell = recurrent_cell(layer, form.product)
    projected = cell.project(graph, rows)
    before = [states[name] for name in cell.states]
    sequences = graph.shape(before[0])[0]
    count = graph.shape(rows)[0] // sequences
    if count > 1 and form.form == "nested":
        name = f"{layer.name}.rows"
        out, after = _loop_over_rows(graph, name, cell, projected, before, last_only=last_only)
        return out, dict(zip(cell.states, after, strict=True))
    outs, after = [], before
    for k in range(count):
        after = cell.advance(graph, projected, k * sequences, after)
        outs.append(after[0])
    out = outs[-1] if last_only or count == 1 else shape_ops.concatenate(graph, outs, 0)
    return out, dict(zip(cell.states, after, strict=True))


def _loop_over_rows(
    graph: GraphBuilder,
    name: str,
    cell: RecurrentCell,
    projected: Tensor,
    states: list[Tensor],
    *,
    last_only: bool,
) -> tuple[Tensor, list[Tensor]]:
    """The nested form: a loop over the rows of the chunk, so that its body holds the weights once."""
    count, sequences = graph.shape(projected)[0], graph.shape(states[0])[0]

    def body(inner: GraphBuilder, i: Tensor, constant: list[Tensor], carried: list[Tensor]) -> list[Tensor]:
        row = shape_ops.rows_at(inner, constant[0], i, sequences)
        following = cell.advance(inner, row, 0, carried[: len(states)])
        outputs = [] if last_only else [shape_ops.write_rows(inner, carried[-1], following[0], i)]
        return [*following, *outputs]

    outputs = [] if last_only else [shape_ops.filled(graph, (count, cell.hidden), 0.0)]
    span = (graph.constant([0], np.int32), graph.constant([count], np.int32), sequences)
    _, done = count_up(graph, name, span, [projected], [*states, *outputs], body)
    return done[0] if last_only else done[-1], done[: len(states)]
