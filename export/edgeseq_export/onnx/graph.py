"""A small builder over onnx.helper: nodes in order, weights as initializers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from edgeseq_device.manifest import TensorInfo
from edgeseq_export.quantize import QuantizedTensor, Weight

Value = str

MICROSOFT = "com.microsoft"
_OPSET, _IR_VERSION = 17, 9  # read by every ONNX Runtime since 1.13
_ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}


class OnnxGraph:
    """Collects nodes and initializers; `finish` gives the file's bytes."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}

    def node(
        self,
        operator: str,
        inputs: Sequence[Value],
        *,
        attributes: Mapping[str, Any] | None = None,
        outputs: int = 1,
        name: str = "",
        domain: str = "",
    ) -> Any:
        """Append a node: its output value, or a list of them where outputs > 1. An input "" is left out."""
        prefix = name or f"{operator.lower()}_{len(self._nodes)}"
        values = [prefix if outputs == 1 else f"{prefix}.{n}" for n in range(outputs)]
        self._nodes.append(
            helper.make_node(operator, inputs, values, name=prefix, domain=domain, **(attributes or {}))
        )
        return values[0] if outputs == 1 else values

    def constant(self, name: str, value: npt.NDArray[Any]) -> Value:
        """An initializer; a name that is there already keeps its value."""
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def widened(self, name: str, weights: list[Weight]) -> Value:
        """Weights [N, K] stacked to float32 [D, N, K], stored as int8 where they are quantized.

        Cast -> Mul(per-row scale) is folded into one float32 tensor when the session is made, so that the
        file is small and the operator behind it runs at float speed. DequantizeLinear is not folded.
        """
        if not all(isinstance(weight, QuantizedTensor) for weight in weights):
            return self.constant(name, np.stack([np.asarray(weight) for weight in weights]))
        quantized = [weight for weight in weights if isinstance(weight, QuantizedTensor)]
        values = self.constant(f"{name}.int8", np.stack([weight.values for weight in quantized]))
        scale = self.constant(f"{name}.scale", np.stack([weight.scale[:, None] for weight in quantized]))
        wide = self.node("Cast", [values], name=f"{name}.cast", attributes={"to": TensorProto.FLOAT})
        return str(self.node("Mul", [wide, scale], name=name))

    def finish(self, inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...]) -> bytes:
        """The .onnx file, checked against the ONNX specification."""
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


def _value_info(tensor: TensorInfo) -> Any:
    return helper.make_tensor_value_info(tensor.name, _ELEMENT_TYPES[tensor.dtype], list(tensor.shape))
