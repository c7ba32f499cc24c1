"""The int8 weights of written files, read back: -128 overflows on a board without the dotprod extension."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

LOWEST = -128


def files_with_lowest(folder: Path) -> list[str]:
    """The names of edgeseq's files in a folder that hold a weight of -128."""
    files = [*folder.glob("*.sequence.*"), *folder.glob("*.step.*")]
    return sorted(path.name for path in files if any((each == LOWEST).any() for each in _int8(path)))


def _int8(path: Path) -> Iterator[Any]:
    return _of_onnx(onnx.load(path).graph) if path.suffix == ".onnx" else _of_tflite(path.read_bytes())


def _of_onnx(graph: onnx.GraphProto) -> Iterator[Any]:
    for each in graph.initializer:
        if each.data_type == onnx.TensorProto.INT8:
            yield numpy_helper.to_array(each)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _of_onnx(attribute.g)


def _of_tflite(content: bytes) -> Iterator[Any]:
    model = schema.Model.GetRootAs(content)
    for index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(index)
        for number in range(graph.TensorsLength()):
            tensor = graph.Tensors(number)
            if tensor.Type() == schema.TensorType.INT8:
                yield np.asarray(model.Buffers(tensor.Buffer()).DataAsNumpy()).view(np.int8)
