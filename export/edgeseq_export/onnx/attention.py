"""Self-attention by com.microsoft.MultiHeadAttention, over whole sequences and for one frame with a cache."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import TensorProto

from edgeseq_export.forms import Product
from edgeseq_export.layers import Attention
from edgeseq_export.onnx.graph import MICROSOFT, OnnxGraph, Value
from edgeseq_export.onnx.products import multiply
from edgeseq_export.onnx.rows import Rows, frame_count, frame_numbers, frames_between
from edgeseq_export.reference import rotary_frequencies
from edgeseq_export.state import NEXT

_UNSEEN = -1e30
"""Added to the score of a frame that is not to be seen. Twice of it, by window and length both, is still
finite: a row behind a sequence's end, which sees nothing, must not become NaN."""


def lower_attention(graph: OnnxGraph, layer: Attention, product: Product, rows: Rows) -> Rows:
    """[N, T, F] -> the same; frames behind a sequence's end are not seen."""
    rows = rows.to(graph, "NTF")
    D = layer.weight_out.shape[1]
    qkv = multiply(graph, f"{layer.name}.qkv", rows.value, layer.weight_qkv, layer.bias_qkv, product)
    q, k, v = (f"{layer.name}.{part}" for part in ("queries", "keys_now", "values_now"))
    graph.node_with("Split", [qkv, graph.integers(D, D, D)], [q, k, v], axis=2)
    bias = ""
    if layer.rotary:
        width = D // layer.heads
        rotation = _step_rotation(graph, layer, width) if graph.is_step else _rotation(graph, rows, width)
        q, k = (_turned(graph, heads, rotation) for heads in (q, k))
    if graph.is_step:
        k, v = (_cached(graph, layer, *pair) for pair in (("keys", k), ("values", v)))
        bias = _cache_bias(graph, layer)
    elif layer.window is not None:
        bias = _band_bias(graph, layer, layer.window, rows)
        if graph.carries:
            _carry(graph, layer, layer.window, {"keys": k, "values": v}, rows)
    joined = graph.node(
        "MultiHeadAttention",
        [q, k, v, "", rows.lengths, bias][: 6 if bias else 5 if rows.lengths else 3],
        f"{layer.name}.heads",
        domain=MICROSOFT,
        num_heads=layer.heads,
        mask_filter_value=_UNSEEN,
    )
    return rows.with_features(multiply(graph, layer.name, joined, layer.weight_out, layer.bias_out, product))


def _turned(graph: OnnxGraph, heads: Value, rotation: list[Value]) -> Value:
    """[N, T, D] with every head turned by its frame's angles; rotation: their cosines and sines [T, d/2]."""
    inputs = [heads, graph.integers(0), *rotation]
    return graph.node("RotaryEmbedding", inputs, f"{heads}.turned", domain=MICROSOFT)


def _rotation(graph: OnnxGraph, rows: Rows, width: int) -> list[Value]:
    """Of every position, [T, width / 2] each; shared by all layers alike."""
    cos, sin, angles = (f"{rows.clock}.{name}_{width}" for name in ("cos", "sin", "angles"))
    if not graph.has(angles):
        numbers = graph.node("Cast", [frame_numbers(graph, rows)], to=TensorProto.FLOAT)
        positions = graph.node("Unsqueeze", [numbers, graph.integers(1)])
        graph.node("Mul", [positions, _frequencies(graph, width)], angles)
        graph.node("Cos", [angles], cos)
        graph.node("Sin", [angles], sin)
    return [cos, sin]


def _step_rotation(graph: OnnxGraph, layer: Attention, width: int) -> list[Value]:
    """Of this frame, [1, width / 2] each, as the state `turn` has them; the next is turned on from it.

    Each pair is brought back to length 1: it would grow or shrink with the roundings of a long stream.
    """
    turn, rotation = f"{layer.name}.turn", [f"{layer.name}.cos", f"{layer.name}.sin"]
    graph.node_with("Split", [turn, graph.integers(width // 2, width // 2)], rotation, axis=1)
    angle = rotary_frequencies(width)[None].astype(np.float64)
    one_frame = [
        graph.constant(f"/one_frame_{part.__name__}_{width}", part(angle).astype(np.float32))
        for part in (np.cos, np.sin)
    ]
    later = _turned(graph, graph.node("Unsqueeze", [turn, graph.integers(0)]), one_frame)
    pairs = graph.node("Reshape", [later, graph.integers(2, width // 2)])
    unit = graph.node("LpNormalization", [pairs], axis=0, p=2)
    graph.node("Reshape", [unit, graph.integers(1, width)], turn + NEXT)
    return rotation


def _carry(graph: OnnxGraph, layer: Attention, window: int, cached: dict[str, Value], rows: Rows) -> None:
    """The states behind the last frame, as a step takes them. cached: keys and values [1, T, D] by name."""
    for name, value in cached.items():
        padded = graph.node("Pad", [value, graph.integers(0, window, 0, 0, 0, 0)])
        last = frames_between(graph, replace(rows, value=padded), -window, None)
        shape = graph.integers(window, layer.weight_out.shape[1])
        graph.node("Reshape", [last, shape], f"{layer.name}.{name}{NEXT}")
    count = graph.node("Cast", [frame_count(graph, rows)], to=TensorProto.FLOAT)
    seen = graph.node("Min", [count, graph.number(window, np.float32)])
    graph.node("Reshape", [seen, graph.integers(1, 1)], f"{layer.name}.position{NEXT}")
    if layer.rotary:
        frequencies = _frequencies(graph, layer.weight_out.shape[1] // layer.heads)
        angles = graph.node("Mul", [count, frequencies])
        turn = [graph.node(part, [angles]) for part in ("Cos", "Sin")]
        graph.node("Concat", turn, f"{layer.name}.turn{NEXT}", axis=1)


def _frequencies(graph: OnnxGraph, width: int) -> Value:
    """[1, width / 2]."""
    return graph.constant(f"/frequencies_{width}", rotary_frequencies(width)[None])


def _band_bias(graph: OnnxGraph, layer: Attention, window: int, rows: Rows) -> Value:
    """[1, heads, T, T]: frame t sees the frames t - window + 1 .. t; shared by all layers alike."""
    name = f"{rows.clock}.band_{window}_{layer.heads}"
    if graph.has(name):
        return name
    numbers = frame_numbers(graph, rows)
    age = graph.node("Sub", [graph.node("Unsqueeze", [numbers, graph.integers(0, 1, 3)]), numbers])
    is_past = graph.node("GreaterOrEqual", [age, graph.number(0)])
    is_recent = graph.node("Less", [age, graph.number(window)])
    return _bias_where(graph, layer, graph.node("And", [is_past, is_recent]), name)


def _cached(graph: OnnxGraph, layer: Attention, state: str, now: Value) -> Value:
    """The state [W, D] without its oldest row and with `now` [1, 1, D] behind it, as [1, W, D]."""
    W, D = layer.window, layer.weight_out.shape[1]
    name = f"{layer.name}.{state}"
    younger = graph.node("Slice", [name, *(graph.integers(border) for border in (1, W or 1, 0))])
    row = graph.node("Reshape", [now, graph.integers(1, D)])
    after = graph.node("Concat", [younger, row], name + NEXT, axis=0)
    return graph.node("Unsqueeze", [after, graph.integers(0)])


def _cache_bias(graph: OnnxGraph, layer: Attention) -> Value:
    """[1, heads, 1, W]: rows that no frame has filled yet are not seen. Counts this frame too."""
    W, position = layer.window or 1, f"{layer.name}.position"
    ahead = graph.node("Add", [position, graph.number(1, np.float32)])
    graph.node("Min", [ahead, graph.number(W, np.float32)], position + NEXT)
    # row s holds a frame where W - 1 - s, its age, is at most the number of frames before this one
    ages = graph.constant(f"/ages_{W}", np.arange(W - 1, -1, -1, dtype=np.float32).reshape(1, 1, 1, W))
    return _bias_where(graph, layer, graph.node("LessOrEqual", [ages, position]), f"{layer.name}.seen")


def _bias_where(graph: OnnxGraph, layer: Attention, seen: Value, name: str) -> Value:
    """Of every head, as ONNX Runtime up to 1.19 needs it."""
    zero = graph.number(0, np.float32)
    every_head = np.full((1, layer.heads, 1, 1), _UNSEEN, np.float32)
    return graph.node("Where", [seen, zero, graph.constant(f"/unseen_{layer.heads}", every_head)], name)
