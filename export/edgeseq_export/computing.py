"""What a layer computes in: fp32 or int8, whichever measured faster on a board."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edgeseq_export.crossovers import INT8_FROM, STEP_INT8_FROM, Crossovers, reaches
from edgeseq_export.forms import Compute, Format
from edgeseq_export.layers import GRU, LSTM, Layer, Linear, ParallelSteps
from edgeseq_export.spec import SeqSpec, weight_matrix
from edgeseq_export.targets import Target

Decide = Callable[[Layer], Compute]


def fixed(compute: Compute, _layer: Layer) -> Compute:
    """The same for every layer."""
    return compute


def by_table(spec: SeqSpec, model_format: Format, board: Target) -> Decide:
    """What the sequence form of a layer computes in."""
    if model_format == "onnx" and spec.carries:
        return partial(_as_steps, board)
    return partial(faster_by, INT8_FROM[model_format], board)


def _as_steps(board: Target, layer: Layer) -> Compute:
    """A language model's sequence form makes the states that steps go on from: in ONNX too it rounds as they
    do, where it can. int8 in a GRU's loop is wrong on an x86 without VNNI: it must be the faster one too."""
    if isinstance(layer, GRU) and faster_by(INT8_FROM["onnx"], board, layer) == "fp32":
        return "fp32"
    return faster_step(board, layer)


def faster_by(table: Crossovers, board: Target, layer: Layer) -> Compute:
    """int8 from the width on that the table says."""
    return "int8" if reaches_in(table, board, layer) else "fp32"


def reaches_in(table: Crossovers, board: Target, layer: Layer) -> bool:
    """Whether the layer is as wide as the table asks, or wider."""
    kind = Linear if isinstance(layer, ParallelSteps) else type(layer)  # a product of one row of each channel
    column = table.get(kind.__name__)
    return column is not None and reaches(_width(layer), column[board.core])


def faster_step(board: Target, layer: Layer) -> Compute:
    """Of ONNX Runtime's step forms."""
    column = STEP_INT8_FROM.get(type(layer).__name__)
    weight = weight_matrix(layer)
    width = _width(layer) if weight is None or isinstance(layer, (GRU, LSTM)) else min(weight.shape)
    return "int8" if column is not None and reaches(width, column.get(board.core)) else "fp32"


def _width(layer: Layer) -> int:
    """What the crossovers go by: a recurrent layer's hidden units, else the columns of the weight matrix."""
    weight = weight_matrix(layer)
    return 0 if weight is None else weight.shape[1]
