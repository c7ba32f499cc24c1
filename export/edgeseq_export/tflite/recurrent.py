"""GRU and LSTM as two nested WHILE loops.

The outer loop projects a chunk of frames through the input weights in one matrix product; the inner
loop runs the cell over them, a frame a turn. Nothing is unrolled over time and the length is a run-time
one. A sequence is held as its true length and its rows with at least CHUNK_FRAMES rows of filling behind
them, so that the last chunk never reads or writes outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeseq_export.quantize import take_rows
from edgeseq_export.spec import GRU, Cell, Recurrent
from edgeseq_export.tflite import ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor

CHUNK_FRAMES = 25


@dataclass(frozen=True)
class Frames:
    """rows: [T + CHUNK_FRAMES, F] float32, filling behind the true rows; length: T as int32 [1]."""

    rows: Tensor
    length: Tensor


@dataclass(frozen=True)
class _Recurrence:
    """A cell in two pieces. Its states are [1, H] each, the first of them the output.

    project(graph, rows [M, I]) -> gates [M, ...]; step(graph, one row of each gate, states) -> states.
    """

    hidden: int
    states: int
    project: Callable[[GraphBuilder, Tensor], list[Tensor]]
    step: Callable[[GraphBuilder, list[Tensor], list[Tensor]], list[Tensor]]


def lower_recurrent(
    graph: GraphBuilder, layer: Recurrent, frames: Frames, fill: float | None
) -> tuple[Tensor, Frames | None]:
    """The final states [1, F] and, where fill is a number, all outputs with rows of it behind them."""
    forward = _recurrence(layer, layer.forward, f"{layer.name}.forward")
    final, outputs = _scan(graph, f"{layer.name}.forward", forward, frames, fill)
    if layer.backward is None:
        return final, None if outputs is None else Frames(outputs, frames.length)
    backward = _recurrence(layer, layer.backward, f"{layer.name}.backward")
    turned = Frames(_reverse(graph, frames.rows, 0.0), frames.length)
    final_back, outputs_back = _scan(graph, f"{layer.name}.backward", backward, turned, fill)
    final = ops.concatenate(graph, [final, final_back], 1)
    if fill is None or outputs is None or outputs_back is None:
        return final, None
    both = [outputs, _reverse(graph, outputs_back, fill)]
    return final, Frames(ops.concatenate(graph, both, 1), frames.length)


def _reverse(graph: GraphBuilder, rows: Tensor, fill: float) -> Tensor:
    """The true rows in reverse order: turned as a whole, the filling cut off in front and put behind."""
    width = graph.shape(rows)[1]
    true_rows = ops.crop(graph, ops.reverse_rows(graph, rows), (CHUNK_FRAMES, 0), (-1, width))
    return ops.pad(graph, true_rows, (CHUNK_FRAMES, 0), fill)


def _scan(
    graph: GraphBuilder, name: str, cell: _Recurrence, frames: Frames, fill: float | None
) -> tuple[Tensor, Tensor | None]:
    """Run a cell over frames from a zero state: final output [1, H], all outputs [T + CHUNK_FRAMES, H]."""
    states = [graph.constant(np.zeros((1, cell.hidden)), np.float32)] * cell.states
    carried = list(states)
    if fill is not None:
        empty = ops.crop(graph, frames.rows, (0, 0), (-1, 0))
        carried.append(ops.pad(graph, empty, (0, cell.hidden), fill))

    def chunk(
        outer: GraphBuilder, start: Tensor, constant: list[Tensor], carried: list[Tensor]
    ) -> Sequence[Tensor]:
        rows, length = constant
        gates = cell.project(outer, ops.rows_at(outer, rows, start, CHUNK_FRAMES))
        left = ops.subtract(outer, length, start)
        count = ops.minimum(outer, left, outer.constant([CHUNK_FRAMES], np.int32))
        inner_carried = carried[: cell.states]
        if fill is not None:
            inner_carried.append(ops.filled(outer, (CHUNK_FRAMES, cell.hidden), fill))
        done = ops.while_below(outer, f"{name}.frame", count, 1, gates, inner_carried, frame)
        if fill is not None:
            done[-1] = ops.write_rows(outer, carried[-1], done[-1], start)
        return done

    def frame(
        inner: GraphBuilder, index: Tensor, gates: list[Tensor], carried: list[Tensor]
    ) -> Sequence[Tensor]:
        row = [ops.rows_at(inner, gate, index, 1) for gate in gates]
        states = cell.step(inner, row, carried[: cell.states])
        if fill is None:
            return states
        return [*states, ops.write_rows(inner, carried[-1], states[0], index)]

    constant = [frames.rows, frames.length]
    done = ops.while_below(graph, f"{name}.chunk", frames.length, CHUNK_FRAMES, constant, carried, chunk)
    return done[0], done[-1] if fill is not None else None


def _recurrence(layer: Recurrent, cell: Cell, name: str) -> _Recurrence:
    return _gru(cell, name) if isinstance(layer, GRU) else _lstm(cell, name)


def _gru(cell: Cell, name: str) -> _Recurrence:
    """The reset and update gates apart from the candidate, whose two halves are not simply added."""
    H = cell.hidden
    parts = {"rz": slice(0, 2 * H), "n": slice(2 * H, 3 * H)}

    def products(graph: GraphBuilder, rows: Tensor, field: str) -> list[Tensor]:
        weight, bias = getattr(cell, f"weight_{field}"), getattr(cell, f"bias_{field}")
        return [
            ops.fully_connected(
                graph, rows, take_rows(weight, part), bias[part], f"{name}.weight_{field}.{gates}"
            )
            for gates, part in parts.items()
        ]

    def project(graph: GraphBuilder, rows: Tensor) -> list[Tensor]:
        return products(graph, rows, "ih")

    def step(graph: GraphBuilder, row: list[Tensor], states: list[Tensor]) -> list[Tensor]:
        (h,) = states
        rz_h, n_h = products(graph, h, "hh")
        r, z = ops.split(graph, ops.sigmoid(graph, ops.add(graph, row[0], rz_h)), 2)
        n = ops.tanh(graph, ops.add(graph, row[1], ops.multiply(graph, r, n_h)))
        return [ops.add(graph, n, ops.multiply(graph, z, ops.subtract(graph, h, n)))]

    return _Recurrence(H, 1, project, step)


def _lstm(cell: Cell, name: str) -> _Recurrence:
    def project(graph: GraphBuilder, rows: Tensor) -> list[Tensor]:
        bias = cell.bias_ih + cell.bias_hh
        return [ops.fully_connected(graph, rows, cell.weight_ih, bias, f"{name}.weight_ih")]

    def step(graph: GraphBuilder, row: list[Tensor], states: list[Tensor]) -> list[Tensor]:
        h, c = states
        recurrent = ops.fully_connected(graph, h, cell.weight_hh, None, f"{name}.weight_hh")
        i, f, g, o = ops.split(graph, ops.add(graph, row[0], recurrent), 4)
        kept = ops.multiply(graph, ops.sigmoid(graph, f), c)
        new = ops.multiply(graph, ops.sigmoid(graph, i), ops.tanh(graph, g))
        c = ops.add(graph, kept, new)
        return [ops.multiply(graph, ops.sigmoid(graph, o), ops.tanh(graph, c)), c]

    return _Recurrence(cell.hidden, 2, project, step)
