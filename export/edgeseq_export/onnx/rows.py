"""The rows that flow from layer to layer: which axis is time, and which frames are inside a sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from onnx import TensorProto

from edgeseq_device.tensors import FEATURES
from edgeseq_export.onnx.graph import OnnxGraph, Value

Layout = Literal["NTF", "TNF", "TF", "NF"]
"""The axes: N sequences, T frames, F features. TF: of the only sequence. NF: behind a Pool layer."""

FRAMES = f"/{FEATURES}"
"""The clock of the frames that a file is given."""


@dataclass(frozen=True)
class Rows:
    """What a layer takes and gives.

    value: float32 in `layout`. width: F. lengths: [N] int32, or "" where each sequence has T frames; then
    sequences is N. frames: T, where it is fixed, as a forecaster's is. clock: in front of the names of all
    that is computed of the count of frames T. zeros_behind: whether the rows behind a sequence's end are
    known to be zero.
    """

    value: Value
    layout: Layout
    width: int
    lengths: Value = ""
    clock: str = FRAMES
    zeros_behind: bool = False
    sequences: int = 1
    frames: int | None = None

    @property
    def is_alone(self) -> bool:
        """Whether there is one sequence, so that a layout of other axes needs no copy."""
        return not self.lengths and self.sequences == 1

    @property
    def time_axis(self) -> int:
        """The axis of T."""
        return self.layout.index("T")

    def with_features(self, value: Value, width: int | None = None) -> Rows:
        """The same frames with other features: what a layer makes of them row by row."""
        width = self.width if width is None else width
        return replace(self, value=value, width=width, zeros_behind=False)

    def pooled(self, value: Value, width: int | None = None) -> Rows:
        """One row [N, F] a sequence instead of frames."""
        return replace(self.with_features(value, width), layout="NF")

    def to(self, graph: OnnxGraph, layout: Layout) -> Rows:
        """The same rows in another layout of frames; free of copies where there is one sequence."""
        if layout == self.layout:
            return self
        if not self.is_alone:
            return replace(self, value=graph.node("Transpose", [self.value], perm=[1, 0, 2]), layout=layout)
        sizes = [{"N": 1, "T": -1, "F": self.width}[axis] for axis in layout]
        return replace(self, value=graph.node("Reshape", [self.value, graph.integers(*sizes)]), layout=layout)


def frame_count(graph: OnnxGraph, rows: Rows) -> Value:
    """T as an int64 scalar."""
    name = f"{rows.clock}.count"
    if graph.has(name):
        return name
    shape = graph.node("Shape", [rows.value], start=rows.time_axis, end=rows.time_axis + 1)
    return graph.node("Squeeze", [shape, graph.integers(0)], name)


def frame_numbers(graph: OnnxGraph, rows: Rows) -> Value:
    """[T] int64: 0 .. T - 1."""
    name = f"{rows.clock}.numbers"
    if graph.has(name):
        return name
    return graph.node("Range", [graph.number(0), frame_count(graph, rows), graph.number(1)], name)


def inside(graph: OnnxGraph, rows: Rows) -> Value:
    """Whether a frame is one of its sequence: bool [N, T, 1] or [T, N, 1], as the rows' layout is."""
    name = f"{rows.clock}.inside_{rows.layout}"
    if graph.has(name):
        return name
    lengths = graph.node("Cast", [rows.lengths], to=TensorProto.INT64)
    other_axis = 1 - rows.time_axis
    ends = graph.node("Unsqueeze", [lengths, graph.integers(1 - other_axis, 2)])
    numbers = graph.node("Unsqueeze", [frame_numbers(graph, rows), graph.integers(other_axis, 2)])
    return graph.node("Less", [numbers, ends], name)


def frames_between(graph: OnnxGraph, rows: Rows, begin: int, end: int | None) -> Value:
    """The frames from `begin` to `end`, in the rows' layout; negative numbers count from the last."""
    last = 2**31 - 1 if end is None else end
    borders = [graph.integers(border) for border in (begin, last, rows.time_axis)]
    return graph.node("Slice", [rows.value, *borders])
