"""The one lowering of each layer kind: a chunk of rows and explicit states in, rows and next states out.

A step is a chunk of one row. A sequence is a loop over chunks (`time_loop`), or one chunk of all its rows
where a layer needs them at once (`sequence`). States have the names, shapes and meanings of
`edgeseq_export.state`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeseq_export.forms import LayerForm
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Embedding,
    Layer,
    Linear,
    Norm,
    Pool,
    Residual,
)
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.attention import step_attention
from edgeseq_export.tflite.embedding import lower_embedding
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.recurrent import States, advance_recurrent
from edgeseq_export.tflite.rows import lower_conv, lower_linear, lower_norm

Forms = Mapping[str, LayerForm]
"""The form of each layer by the layer's name."""


def advance(
    graph: GraphBuilder,
    layers: Sequence[Layer],
    forms: Forms,
    rows: Tensor,
    states: Mapping[str, Tensor],
    *,
    last_only: bool = False,
) -> tuple[Tensor, States]:
    """rows [K, F] through layers without a look ahead -> rows [K, F'] and the states behind them.

    In front of an Embedding the rows are ids. last_only: of the rows only the last is returned, [1, F']. K is
    known when the graph is written. Raises ValueError naming a layer that has no such form.
    """
    following: States = {}
    for number, layer in enumerate(layers):
        if isinstance(layer, Residual):
            inner, found = advance(graph, layer.layers, forms, rows, states)
            rows = ops.add(graph, rows, inner)
            following |= found
            continue
        own, ends = own_states(layer, states), last_only and number == len(layers) - 1
        rows, found = _advance_one(graph, layer, forms[layer.name], rows, own, last_only=ends)
        following |= {f"{layer.name}.{name}": state for name, state in found.items()}
    if last_only and graph.shape(rows)[0] > 1:
        rows = shape_ops.crop(graph, rows, (graph.shape(rows)[0] - 1, 0), (1, graph.shape(rows)[1]))
    return rows, following


def own_states(layer: Layer, states: Mapping[str, Tensor]) -> States:
    """The states of one layer, by their names within it."""
    split = ((*name.rpartition("."), state) for name, state in states.items())
    return {name: state for owner, _, name, state in split if owner == layer.name}


def _advance_one(
    graph: GraphBuilder, layer: Layer, form: LayerForm, rows: Tensor, states: States, *, last_only: bool
) -> tuple[Tensor, States]:
    if isinstance(layer, (GRU, LSTM)):
        return advance_recurrent(graph, layer, form, rows, states, last_only=last_only)
    if isinstance(layer, (Embedding, Linear, Norm)):
        return _row_by_row(graph, layer, form, rows), {}
    if isinstance(layer, CausalConv):
        count, width = graph.shape(rows)
        out, joined = lower_conv(graph, layer, rows, states.get("frames"), form.product)
        kept = shape_ops.crop(graph, joined, (count, 0), (layer.kernel - 1, width)) if states else None
        return out, {} if kept is None else {"frames": kept}
    if isinstance(layer, Attention):
        return step_attention(graph, layer, rows, states, form.product)
    if isinstance(layer, Pool):
        following = update_pool(graph, layer, rows, states)
        return pooled(graph, layer, rows, following), following
    raise ValueError(f"{layer.name}: {type(layer).__name__} has no form that goes from frame to frame")


def _row_by_row(
    graph: GraphBuilder, layer: Embedding | Linear | Norm, form: LayerForm, rows: Tensor
) -> Tensor:
    if isinstance(layer, Embedding):
        return lower_embedding(graph, layer, rows)
    if isinstance(layer, Linear):
        return lower_linear(graph, layer, rows, form.product)
    return lower_norm(graph, layer, rows)


def update_pool(graph: GraphBuilder, layer: Pool, rows: Tensor, states: States) -> States:
    """The states of a Pool layer behind rows [K, F] more."""
    if layer.kind == "mean":
        count = graph.constant(graph.shape(rows)[0], np.float32)
        total = rows if graph.shape(rows)[0] == 1 else ops.sum_rows(graph, rows)
        return {"sum": ops.add(graph, states["sum"], total), "count": ops.add(graph, states["count"], count)}
    if layer.kind == "max":
        highest = rows if graph.shape(rows)[0] == 1 else ops.max_rows(graph, rows)
        return {"max": ops.maximum(graph, states["max"], highest)}
    return {}


def pooled(graph: GraphBuilder, layer: Pool, last: Tensor, states: States) -> Tensor:
    """[1, F]: what a Pool layer gives in these states, `last` being the last row [1, F]."""
    if layer.kind == "mean":
        return ops.divide(graph, states["sum"], states["count"])
    return states["max"] if layer.kind == "max" else last
