"""A small builder over onnx.helper: nodes in order, weights as initializers, subgraphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from edgeseq_device.manifest import TensorInfo

Value = str

MICROSOFT = "com.microsoft"
_OPSET, _IR_VERSION = 17, 9  # read by every ONNX Runtime since 1.13
_ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}


class OnnxGraph:
    """Collects nodes and initializers; `finish` gives the file's bytes.

    is_step: the graph takes one frame and explicit states instead of a whole sequence. carries: it takes one
    whole sequence and gives the states behind it (`state.carried_states`). What belongs to no layer has a
    name that begins with "/", as no layer's does (`check_spec`). Every method raises ValueError naming a
    value whose name stands for another one already.
    """

    def __init__(self, *, is_step: bool = False, carries: bool = False) -> None:
        self.is_step = is_step
        self.carries = carries
        self._nodes: list[NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}
        self._values: set[Value] = set()

    def node(
        self, operator: str, inputs: Sequence[Value], name: str = "", *, domain: str = "", **attributes: Any
    ) -> Value:
        """Append a node with one output, called `name` where it has one. An input "" is left out."""
        value = name or f"/{operator.lower()}_{len(self._nodes)}"
        self.node_with(operator, inputs, [value], domain=domain, **attributes)
        return value

    def node_with(
        self,
        operator: str,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        *,
        domain: str = "",
        **attributes: Any,
    ) -> None:
        """Append a node with the outputs of these names; an output "" is not computed."""
        name = next(output for output in outputs if output)
        self._nodes.append(helper.make_node(operator, inputs, outputs, name, domain=domain, **attributes))
        self._claim(output for output in outputs if output)

    def has(self, value: Value) -> bool:
        """Whether a node gives this value already: what several layers share is computed once."""
        return value in self._values

    def constant(self, name: str, value: npt.NDArray[Any]) -> Value:
        """An initializer, shared by all that need the same value under the same name."""
        self._store(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def transposed(self, name: str, matrix: npt.NDArray[Any]) -> Value:
        """matrix.T as an initializer. Where the matrix itself is one already, as the table of an embedding
        that a head is tied to, it is not stored twice: ONNX Runtime transposes it once, when it loads."""
        wanted = numpy_helper.from_array(np.array(matrix, order="C"))
        for stored, other in self._initializers.items():
            same = (other.dims, other.data_type) == (wanted.dims, wanted.data_type)
            if same and other.raw_data == wanted.raw_data:
                return self.node("Transpose", [stored], name, perm=[1, 0])
        return self.constant(name, matrix.T)

    def integers(self, *values: int) -> Value:
        """[len(values)] int64: axes, shapes and borders, shared by all that need the same ones."""
        return self.constant("/integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def number(self, value: float, dtype: type = np.int64) -> Value:
        """A scalar, shared like `integers`."""
        return self.constant(f"/{np.dtype(dtype).name}_{value}", np.array(value, dtype))

    def subgraph(
        self, body: OnnxGraph, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
    ) -> GraphProto:
        """`body` as the attribute of a node. Its initializers move to this graph, where they are prepacked.

        Every value of the body needs a name that this graph has not.
        """
        for initializer in body._initializers.values():
            self._store(initializer)
        self._claim([*(tensor.name for tensor in inputs), *sorted(body._values)])
        tensors = ([_value_info(tensor) for tensor in group] for group in (inputs, outputs))
        return helper.make_graph(body._nodes, outputs[0].name, *tensors)

    def finish(self, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> bytes:
        """The .onnx file, checked against the ONNX specification."""
        self._claim(tensor.name for tensor in inputs)
        graph = helper.make_graph(
            self._nodes,
            "edgeseq",
            [_value_info(tensor) for tensor in inputs],
            [_value_info(tensor) for tensor in outputs],
            list(self._initializers.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model: ModelProto = helper.make_model(graph, opset_imports=opsets, producer_name="edgeseq")
        model.ir_version = _IR_VERSION
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _claim(self, values: Iterable[Value]) -> None:
        for value in values:
            if value in self._values or value in self._initializers:
                raise _taken(value)
            self._values.add(value)

    def _store(self, initializer: TensorProto) -> None:
        name = initializer.name
        if name in self._values or self._initializers.setdefault(name, initializer) != initializer:
            raise _taken(name)


def _taken(value: Value) -> ValueError:
    return ValueError(f"{value}: two values of the ONNX graph would have this name; rename the layer")


def _value_info(tensor: TensorInfo) -> Any:
    return helper.make_tensor_value_info(tensor.name, _ELEMENT_TYPES[tensor.dtype], list(tensor.shape))
