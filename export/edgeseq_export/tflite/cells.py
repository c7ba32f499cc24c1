"""The GRU and LSTM cells: a projection of any number of input rows, and one step from state to state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeseq_export.forms import Product
from edgeseq_export.layers import GRU, Recurrent
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.products import multiply_rows


@dataclass(frozen=True)
class RecurrentCell:
    """One direction of a recurrent layer; its states are [N, H] each of N sequences, the first is the output.

    project(graph, rows [K, F]) -> [K, sum of parts]; parts: the widths in which step takes N rows of it.
    step(graph, N rows in parts, states) -> next states.
    """

    hidden: int
    states: tuple[str, ...]
    parts: tuple[int, ...]
    project: Callable[[GraphBuilder, Tensor], Tensor]
    step: Callable[[GraphBuilder, list[Tensor], list[Tensor]], list[Tensor]]

    def advance(self, graph: GraphBuilder, projected: Tensor, row: int, states: list[Tensor]) -> list[Tensor]:
        """The next states behind the rows of one moment, from `row` on, of projected [K, sum of parts]."""
        count = graph.shape(states[0])[0]
        if graph.shape(projected) == (count, *self.parts):
            return self.step(graph, [projected], states)
        starts = [sum(self.parts[:number]) for number in range(len(self.parts))]
        taken = [
            shape_ops.crop(graph, projected, (row, start), (count, width))
            for start, width in zip(starts, self.parts, strict=True)
        ]
        return self.step(graph, taken, states)


def recurrent_cell(layer: Recurrent, product: Product) -> RecurrentCell:
    """The forward cell of a layer."""
    return (_gru if isinstance(layer, GRU) else _lstm)(layer, product)


def _gru(layer: Recurrent, product: Product) -> RecurrentCell:
    """Gates r and z in one piece, the candidate n apart: its two products are not simply added."""
    cell, H = layer.forward, layer.forward.hidden

    def project(graph: GraphBuilder, rows: Tensor) -> Tensor:
        name = f"{layer.name}.weight_ih"
        return multiply_rows(graph, rows, cell.weight_ih, cell.bias_ih, product, name)

    def step(graph: GraphBuilder, row: list[Tensor], states: list[Tensor]) -> list[Tensor]:
        (h,) = states
        rz_x, n_x = row
        recurrent = multiply_rows(graph, h, cell.weight_hh, cell.bias_hh, product, f"{layer.name}.weight_hh")
        count = graph.shape(h)[0]
        rz_h = shape_ops.crop(graph, recurrent, (0, 0), (count, 2 * H))
        n_h = shape_ops.crop(graph, recurrent, (0, 2 * H), (count, H))
        r, z = shape_ops.split(graph, ops.sigmoid(graph, ops.add(graph, rz_x, rz_h)), 2)
        n = ops.tanh(graph, ops.add(graph, n_x, ops.multiply(graph, r, n_h)))
        return [ops.add(graph, n, ops.multiply(graph, z, ops.subtract(graph, h, n)))]

    return RecurrentCell(H, ("h",), (2 * H, H), project, step)


def _lstm(layer: Recurrent, product: Product) -> RecurrentCell:
    cell = layer.forward

    def project(graph: GraphBuilder, rows: Tensor) -> Tensor:
        bias = cell.bias_ih + cell.bias_hh
        return multiply_rows(graph, rows, cell.weight_ih, bias, product, f"{layer.name}.weight_ih")

    def step(graph: GraphBuilder, row: list[Tensor], states: list[Tensor]) -> list[Tensor]:
        h, c = states
        recurrent = multiply_rows(graph, h, cell.weight_hh, None, product, f"{layer.name}.weight_hh")
        i, f, g, o = shape_ops.split(graph, ops.add(graph, row[0], recurrent), 4)
        kept = ops.multiply(graph, ops.sigmoid(graph, f), c)
        new = ops.multiply(graph, ops.sigmoid(graph, i), ops.tanh(graph, g))
        c = ops.add(graph, kept, new)
        return [ops.multiply(graph, ops.sigmoid(graph, o), ops.tanh(graph, c)), c]

    return RecurrentCell(cell.hidden, ("h", "c"), (4 * cell.hidden,), project, step)
