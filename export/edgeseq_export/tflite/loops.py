"""TFLite's WHILE as a counted loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export.tflite import ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor

Body = Callable[[GraphBuilder, Tensor, list[Tensor], list[Tensor]], Sequence[Tensor]]
"""body(graph, i, constant, carried) -> carried: one turn, built in a subgraph of its own."""


def count_up(
    graph: GraphBuilder,
    name: str,
    span: tuple[Tensor, Tensor, int],
    constant: Sequence[Tensor],
    carried: Sequence[Tensor],
    body: Body,
) -> tuple[Tensor, list[Tensor]]:
    """`while i < limit: carried = body(i, constant, carried); i += step` -> the last i and carried.

    span: the first i, limit (both int32 [1]) and step. The body returns the constant tensors unchanged and
    nothing behind the loop reads them: so the runtime shares them with the body instead of copying them at
    each turn.
    """
    start, limit, step = span
    inputs = [start, limit, *constant, *carried]
    condition = graph.model.subgraph(f"{name}.while")
    i, end, *_ = _mirror(graph, condition, inputs)
    below = condition.tensor((1,), np.bool_)
    less = (schema.BuiltinOptions.LessOptions, schema.LessOptionsT())
    condition.operator(schema.BuiltinOperator.LESS, [i, end], [below], less)
    condition.packed.outputs = [below]

    inner = graph.model.subgraph(f"{name}.body")
    i, end, *rest = _mirror(graph, inner, inputs)
    fixed, state = rest[: len(constant)], rest[len(constant) :]
    state = list(body(inner, i, fixed, state))
    following = ops.add(inner, i, inner.constant([step], np.int32))
    inner.packed.outputs = [following, end, *fixed, *state]

    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = condition.index, inner.index
    outputs = [graph.tensor(graph.shape(tensor), graph.dtype(tensor)) for tensor in inputs]
    loop = (schema.BuiltinOptions.WhileOptions, options)
    graph.operator(schema.BuiltinOperator.WHILE, inputs, outputs, loop)
    return outputs[0], outputs[2 + len(constant) :]


def _mirror(outer: GraphBuilder, inner: GraphBuilder, tensors: Sequence[Tensor]) -> list[Tensor]:
    return [inner.input(outer.shape(tensor), outer.dtype(tensor)) for tensor in tensors]
