"""A run of layers as a loop over time that carries their states and, where nobody reads them, no outputs.

Two loops: one takes K frames a turn as long as K are left, the one behind it takes the rest one by one. The
features go through both unchanged, so the runtime shares them; the length is known at run time only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from edgeseq_export.layers import GRU, LSTM, Layer, Pool
from edgeseq_export.spec import SeqSpec, walk, width_behind
from edgeseq_export.state import StateTensor, states_of
from edgeseq_export.tflite import ops, shape_ops
from edgeseq_export.tflite.chunk import Forms, advance, own_states, pooled, update_pool
from edgeseq_export.tflite.flatbuffer import GraphBuilder, Tensor
from edgeseq_export.tflite.loops import count_up
from edgeseq_export.tflite.recurrent import States

_OUTPUTS, _LAST = "outputs", "last"
"""What the loop carries beside states: all output rows [T, F'], or the last one [1, F']."""


@dataclass(frozen=True)
class Run:
    """Layers without a look ahead, and the Pool layer behind them where one is."""

    name: str
    layers: tuple[Layer, ...]
    pool: Pool | None

    @property
    def last_only(self) -> bool:
        """Whether only the last row of the layers is read."""
        return self.pool is not None and self.pool.kind == "last"

    def states(self, width: int) -> tuple[StateTensor, ...]:
        """What the loop carries from chunk to chunk; width: F of the run's input rows."""
        layers = self.layers if self.pool is None else (*self.layers, self.pool)
        return states_of(SeqSpec(width, (), layers))

    def width_behind(self, width: int) -> int:
        """F' of the run's output rows."""
        for layer in self.layers:
            width = width_behind(layer, width)
        return width

    def chunk_frames(self, forms: Forms) -> int:
        """How many frames a turn takes. Raises ValueError where the run's layers do not agree on it."""
        recurrent = [each.name for each in walk(self.layers) if isinstance(each, (GRU, LSTM))]
        wanted = {forms[name].chunk_frames or 1 for name in recurrent}
        if len(wanted) > 1:
            raise ValueError(
                f"{', '.join(recurrent)}: are in one loop over time, with one chunk_frames for all"
            )
        return wanted.pop()


def loop_over_time(
    graph: GraphBuilder, run: Run, forms: Forms, rows: Tensor, behind: States | None = None
) -> Tensor:
    """rows [T, F] through a run from its initial states: all rows [T, F'], or [1, F'] where it is pooled.

    behind: where given, the states behind the last frame are added to it.

    Raises ValueError naming a layer that has no such form.
    """
    chunk = run.chunk_frames(forms)
    carried = _initial(graph, run, rows, chunk)
    length, start = shape_ops.row_count(graph, rows), graph.constant([0], np.int32)
    for frames in sorted({chunk, 1}, reverse=True):
        limit = length
        if frames > 1:
            limit = ops.subtract(graph, length, graph.constant([frames - 1], np.int32))
        body = partial(_turn, run, forms, tuple(carried), frames)
        name, span = f"{run.name}.by{frames}", (start, limit, frames)
        start, found = count_up(graph, name, span, [rows], list(carried.values()), body)
        carried = dict(zip(carried, found, strict=True))
    if behind is not None:
        behind |= {name: state for name, state in carried.items() if name not in (_OUTPUTS, _LAST)}
    if run.pool is None:
        return shape_ops.rows_between(graph, carried[_OUTPUTS], 0, chunk - 1)
    last = carried[_last_name(run)] if run.last_only else rows
    return pooled(graph, run.pool, last, own_states(run.pool, carried))


def _initial(graph: GraphBuilder, run: Run, rows: Tensor, chunk: int) -> States:
    width = graph.shape(rows)[1]
    carried = {
        state.name: graph.constant(np.full(state.shape, state.initial), np.float32)
        for state in run.states(width)
    }
    if run.pool is None:  # a chunk must fit in; made by operators that know their shape beforehand
        empty = shape_ops.crop(graph, rows, (0, 0), (-1, 0))
        carried[_OUTPUTS] = shape_ops.pad(graph, empty, (chunk - 1, run.width_behind(width)))
    elif run.last_only and _last_name(run) == _LAST:
        carried[_LAST] = graph.constant(np.zeros((1, run.width_behind(width))), np.float32)
    return carried


def _last_name(run: Run) -> str:
    """Under which name the loop carries the last row: a recurrent layer's is its state already."""
    end = run.layers[-1]
    return f"{end.name}.h" if isinstance(end, (GRU, LSTM)) else _LAST


def _turn(
    run: Run,
    forms: Forms,
    names: tuple[str, ...],
    frames: int,
    graph: GraphBuilder,
    i: Tensor,
    constant: list[Tensor],
    carried: list[Tensor],
) -> list[Tensor]:
    """The body: `frames` frames from frame i on."""
    states = dict(zip(names, carried, strict=True))
    chunk = shape_ops.rows_at(graph, constant[0], i, frames)
    rows, following = advance(graph, run.layers, forms, chunk, states, last_only=run.last_only)
    if run.pool is not None:
        found = update_pool(graph, run.pool, rows, own_states(run.pool, states))
        following |= {f"{run.pool.name}.{name}": state for name, state in found.items()}
    if _OUTPUTS in states:
        following[_OUTPUTS] = shape_ops.write_rows(graph, states[_OUTPUTS], rows, i)
    if _LAST in states:
        following[_LAST] = rows
    return [following[name] for name in names]
