"""Self-attention, positions and the class token, over whole sequences and frame by frame.

Every shape follows from the run-time length when the graph is prepared, by operators whose output shapes the
runtime knows before it runs; one whose shape depends on values (RANGE, SLICE by a tensor) would keep the
graph behind it from XNNPACK.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edgeseq_export.forms import Product
from edgeseq_export.layers import Attention, ClassToken, Positions
from edgeseq_export.quantize import FloatArray, QuantizedTensor, Weight
from edgeseq_export.reference import rotary_frequencies
from edgeseq_export.tflite import attention_ops as more
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.products import multiply_rows

_FAR = 1e30
"""Per frame outside the window, off a score: no score reaches it, and its exponential is zero."""


def lower_attention(
    graph: GraphBuilder,
    layer: Attention,
    rows: Tensor,
    product: Product,
    behind: dict[str, Tensor] | None = None,
    *,
    sequences: int = 1,
) -> Tensor:
    """rows [T, F] -> [T, F]. behind: where given, the states behind the last frame are added to it.

    Of several sequences the rows are [T * N, F], those of one moment behind each other: their heads are N
    times as many heads of one row [T, N * F].
    """
    queries, keys, values = _project(graph, layer, rows, product)
    q, k, v = (_heads_first(graph, part, layer.heads, sequences) for part in (queries, keys, values))
    moments = (
        rows if sequences == 1 else shape_ops.reshape(graph, rows, (-1, sequences * graph.shape(rows)[1]))
    )
    if layer.rotary:
        angles = _angles(graph, layer, row_numbers(graph, moments))
        q, k = (_turned(graph, part, angles) for part in (q, k))
    if behind is not None and layer.window is not None:
        turned = _heads_last(graph, k) if layer.rotary else keys
        found = _states_behind(graph, layer, layer.window, turned, values)
        behind |= {f"{layer.name}.{name}": state for name, state in found.items()}
    scores = more.batch_matmul(graph, q, k, transposed=True)  # [heads, T, T]
    if layer.window is not None:
        scores = ops.add(graph, scores, _outside_window(graph, row_numbers(graph, moments), layer.window))
    context = more.batch_matmul(graph, more.softmax(graph, scores), v)  # [heads, T, d]
    joined = _heads_last(graph, context, sequences)
    return multiply_rows(graph, joined, layer.weight_out, layer.bias_out, product, f"{layer.name}.weight_out")


def _states_behind(
    graph: GraphBuilder, layer: Attention, window: int, keys: Tensor, values: Tensor
) -> dict[str, Tensor]:
    """What a step behind the frames of keys and values [T, D] takes."""
    cached = {
        name: shape_ops.last_rows(graph, shape_ops.pad(graph, part, (0, 0), before=(window, 0)), window)
        for name, part in (("keys", keys), ("values", values))
    }
    last = shape_ops.last_row(graph, row_numbers(graph, keys))
    count = ops.add(graph, last, graph.constant(1.0, np.float32))
    position = ops.minimum(graph, count, graph.constant(window, np.float32))
    if not layer.rotary:
        return {**cached, "position": position}
    turn = shape_ops.concatenate(graph, list(_angles(graph, layer, count)), 1)
    return {**cached, "position": position, "turn": turn}


def step_attention(
    graph: GraphBuilder, layer: Attention, row: Tensor, states: Mapping[str, Tensor], product: Product
) -> tuple[Tensor, dict[str, Tensor]]:
    """One frame, row [1, F] -> [1, F], over the keys and values [W, D] of the frames before and its own.

    states and what is returned with the row: as `edgeseq_export.state.layer_states` describes them.
    """
    q, k, v = _project(graph, layer, row, product)
    following, position = {}, states["position"]
    if layer.rotary:
        angles = _halves(graph, states["turn"])
        q, k = (_turned_row(graph, part, layer.heads, angles) for part in (q, k))
        following["turn"] = _turned_on(graph, states["turn"])
    keys, values = _shifted(graph, states["keys"], k), _shifted(graph, states["values"], v)
    joined = _over_cache(graph, layer.heads, q, keys, values, position)
    out = multiply_rows(graph, joined, layer.weight_out, layer.bias_out, product, f"{layer.name}.weight_out")
    ahead = ops.add(graph, position, graph.constant(1.0, np.float32))
    seen = ops.minimum(graph, ahead, graph.constant(graph.shape(keys)[0], np.float32))
    return out, {"keys": keys, "values": values, "position": seen, **following}


def _over_cache(
    graph: GraphBuilder, heads: int, query: Tensor, keys: Tensor, values: Tensor, position: Tensor
) -> Tensor:
    """What each head of query [1, D] finds in keys and values [W, D] -> [1, D].

    A head's query stands in a row of its own with zeros in the other heads' columns: more to multiply than
    keys apart by head would be, but it spares turning the cache around at every frame, which costs more.
    """
    W, depth = graph.shape(keys)
    own = graph.constant(np.kron(np.eye(heads), np.ones((1, depth // heads))), np.float32)  # [heads, D]
    scores = more.batch_matmul(graph, ops.multiply(graph, query, own), keys, transposed=True)  # [heads, W]
    slot = graph.constant([np.arange(W) - (W - 1)], np.float32)
    empty = ops.minimum(graph, ops.add(graph, slot, position), graph.constant(0.0, np.float32))
    scores = ops.add(graph, scores, ops.multiply(graph, empty, graph.constant(_FAR, np.float32)))
    context = more.batch_matmul(graph, more.softmax(graph, scores), values)  # [heads, D]
    return ops.sum_rows(graph, ops.multiply(graph, context, own))


def lower_positions(graph: GraphBuilder, layer: Positions, rows: Tensor) -> Tensor:
    """rows [T, F] + table[:T]. Running it on more frames than the table has is the runtime's error."""
    numbers = shape_ops.reshape(graph, more.to_int(graph, row_numbers(graph, rows)), (-1,))
    table = graph.constant(layer.table, np.float32, f"{layer.name}.table")
    return ops.add(graph, rows, shape_ops.take_rows(graph, table, numbers))


def lower_class_token(graph: GraphBuilder, layer: ClassToken, rows: Tensor) -> Tensor:
    """rows [T, F] -> [T + 1, F] with the token in front."""
    token = graph.constant(layer.token, np.float32, f"{layer.name}.token")
    return shape_ops.concatenate(graph, [token, rows], 0)


def row_numbers(graph: GraphBuilder, rows: Tensor) -> Tensor:
    """rows [T, F] -> [T, 1] float32: 0, 1, 2 ... T - 1. No number of `rows` itself is read."""
    ones = shape_ops.pad(graph, shape_ops.crop(graph, rows, (0, 0), (-1, 0)), (0, 1), 1.0)
    return more.sum_before(graph, ones)


def _project(graph: GraphBuilder, layer: Attention, rows: Tensor, product: Product) -> list[Tensor]:
    """Queries, divided by sqrt(d) already, keys and values, each [M, D]."""
    depth = layer.weight_out.shape[1]
    factor = np.ones(3 * depth, np.float32)
    factor[:depth] = 1 / math.sqrt(depth // layer.heads)
    weight = _scaled(layer.weight_qkv, factor)
    name = f"{layer.name}.weight_qkv"
    return shape_ops.split(
        graph, multiply_rows(graph, rows, weight, layer.bias_qkv * factor, product, name), 3
    )


def _scaled(weight: Weight, factor: FloatArray) -> Weight:
    """weight [N, K] with its rows times factor [N]; of an int8 weight the scales only."""
    if isinstance(weight, QuantizedTensor):
        return QuantizedTensor(weight.values, weight.scale * factor)
    return weight * factor[:, None]


def _heads_first(graph: GraphBuilder, rows: Tensor, heads: int, sequences: int) -> Tensor:
    """[T * N, D] -> [N * heads, T, d]."""
    width = graph.shape(rows)[1] // heads
    return shape_ops.transpose(
        graph, shape_ops.reshape(graph, rows, (-1, sequences * heads, width)), (1, 0, 2)
    )


def _heads_last(graph: GraphBuilder, value: Tensor, sequences: int = 1) -> Tensor:
    """[N * heads, T, d] -> [T * N, D]."""
    heads, _, width = graph.shape(value)
    return shape_ops.reshape(
        graph, shape_ops.transpose(graph, value, (1, 0, 2)), (-1, heads // sequences * width)
    )


def _angles(graph: GraphBuilder, layer: Attention, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine [M, d / 2] of the angle of each pair at positions [M, 1]."""
    frequencies = rotary_frequencies(layer.weight_out.shape[1] // layer.heads)
    angle = ops.multiply(graph, positions, graph.constant(frequencies[None], np.float32))
    return more.cosine(graph, angle), more.sine(graph, angle)


def _turned(graph: GraphBuilder, value: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """[heads, M, d] with the pairs (i, i + d/2) turned."""
    cos, sin = angles
    first, second = _halves(graph, value)
    turned = [
        ops.subtract(graph, ops.multiply(graph, first, cos), ops.multiply(graph, second, sin)),
        ops.add(graph, ops.multiply(graph, second, cos), ops.multiply(graph, first, sin)),
    ]
    return shape_ops.concatenate(graph, turned, len(graph.shape(value)) - 1)


def _turned_row(graph: GraphBuilder, row: Tensor, heads: int, angles: tuple[Tensor, Tensor]) -> Tensor:
    """[1, D] with the pairs of each head turned."""
    depth = graph.shape(row)[1]
    turned = _turned(graph, shape_ops.reshape(graph, row, (heads, depth // heads)), angles)
    return shape_ops.reshape(graph, turned, (1, depth))


def _turned_on(graph: GraphBuilder, turn: Tensor) -> Tensor:
    """turn [1, d], cosines and sines, one frame later.

    Each pair is brought back to length 1, by a step of Newton's for 1 / sqrt(squares) from 1: it would grow
    or shrink with the roundings of a long stream.
    """
    angle = rotary_frequencies(graph.shape(turn)[1])[None].astype(np.float64)
    one_frame = graph.constant(np.cos(angle), np.float32), graph.constant(np.sin(angle), np.float32)
    later = _turned(graph, turn, one_frame)
    squares = ops.add(graph, *_halves(graph, ops.multiply(graph, later, later)))
    excess = ops.multiply(graph, squares, graph.constant(0.5, np.float32))
    factor = ops.subtract(graph, graph.constant(1.5, np.float32), excess)
    return ops.multiply(graph, later, shape_ops.concatenate(graph, [factor, factor], 1))


def _halves(graph: GraphBuilder, value: Tensor) -> tuple[Tensor, Tensor]:
    first, second = shape_ops.split(graph, value, 2)
    return first, second


def _outside_window(graph: GraphBuilder, numbers: Tensor, window: int) -> Tensor:
    """[T, T]: 0 where row t sees column s, t - window < s <= t, and far below elsewhere."""
    half = np.float32((window - 1) / 2)
    middle = ops.subtract(graph, numbers, graph.constant(half, np.float32))
    distance = ops.subtract(graph, middle, shape_ops.reshape(graph, numbers, (1, -1)))
    excess = ops.subtract(graph, graph.constant(half, np.float32), more.magnitude(graph, distance))
    below = ops.minimum(graph, excess, graph.constant(0.0, np.float32))
    return ops.multiply(graph, below, graph.constant(_FAR, np.float32))


def _shifted(graph: GraphBuilder, cache: Tensor, row: Tensor) -> Tensor:
    """cache [W, D] without its oldest row, row [1, D] behind it."""
    if graph.shape(cache)[0] == 1:
        return row
    return shape_ops.concatenate(
        graph, [shape_ops.crop(graph, cache, (1, 0), (-1, graph.shape(cache)[1])), row], 0
    )
