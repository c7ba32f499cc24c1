"""A small builder over the TFLite schema: buffers, tensors, operators, subgraphs, signatures.

Shapes are kept as they are for one frame (T = 1); a tensor whose shape depends on the run-time length
is resized by its operator when the interpreter prepares the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export.quantize import QuantizedTensor

Tensor = int
Shape = tuple[int, ...]

_TENSOR_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}
_SCHEMA_VERSION = 3
_FILE_IDENTIFIER = b"TFL3"


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that stores equal vectors once: most shapes, and many operators' tensors, are alike."""

    def __init__(self) -> None:
        super().__init__(1 << 16)
        self._vectors: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - overrides the library's name
        """The vector's place in the file."""
        key = x.dtype.str, x.tobytes()
        if key not in self._vectors:
            self._vectors[key] = super().CreateNumpyVector(x)
        return self._vectors[key]


class _Shared:
    """A table that is packed once; all that hold it point to the same bytes of the file."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._packed: tuple[Any, int] | None = None

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name that generated code calls
        """The table's place in the file."""
        if self._packed is None or self._packed[0] is not builder:
            self._packed = builder, self._table.Pack(builder)
        return self._packed[1]


class ModelBuilder:
    """Collects subgraphs that share buffers and operator codes; `finish` gives the file's bytes."""

    def __init__(self) -> None:
        self.subgraphs: list[GraphBuilder] = []
        self._buffers = [schema.BufferT()]  # by convention buffer 0 is the empty one
        self._buffer_of: dict[bytes, int] = {}
        self._codes: list[Any] = []
        self._code_of: dict[tuple[int, int], int] = {}
        self._signatures: list[Any] = []
        self._shared: dict[str, _Shared] = {}

    def subgraph(self, name: str) -> GraphBuilder:
        """A new subgraph; the first one is the model's main graph."""
        self.subgraphs.append(GraphBuilder(self, name, len(self.subgraphs)))
        return self.subgraphs[-1]

    def buffer(self, content: bytes) -> int:
        """The index of the buffer with this content; equal contents are stored once."""
        if content not in self._buffer_of:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(content, np.uint8)
            self._buffer_of[content] = len(self._buffers)
            self._buffers.append(buffer)
        return self._buffer_of[content]

    def operator_code(self, builtin: int, version: int) -> int:
        """The index of a builtin operator at a version."""
        key = (builtin, version)
        if key not in self._code_of:
            code = schema.OperatorCodeT()
            code.builtinCode = builtin
            code.deprecatedBuiltinCode = min(builtin, 127)
            code.version = version
            self._code_of[key] = len(self._codes)
            self._codes.append(code)
        return self._code_of[key]

    def shared(self, table: Any) -> Any:
        """A stand-in for the table: tables with equal fields are in the file once."""
        fields = {name: _plain(value) for name, value in vars(table).items()}
        return self._shared.setdefault(f"{type(table).__name__} {fields}", _Shared(table))

    def signature(
        self, key: str, graph: GraphBuilder, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
    ) -> None:
        """Name a subgraph's inputs and outputs for callers."""
        signature = schema.SignatureDefT()
        signature.signatureKey = key
        signature.subgraphIndex = graph.index
        signature.inputs = [_tensor_map(name, tensor) for name, tensor in inputs.items()]
        signature.outputs = [_tensor_map(name, tensor) for name, tensor in outputs.items()]
        self._signatures.append(signature)

    def finish(self, description: str) -> bytes:
        """The .tflite file."""
        model = schema.ModelT()
        model.version = _SCHEMA_VERSION
        model.description = description.encode()
        model.operatorCodes = self._codes
        model.subgraphs = [graph.packed for graph in self.subgraphs]
        for graph in model.subgraphs:
            graph.tensors = [self.shared(tensor) for tensor in graph.tensors]
            graph.operators = [self.shared(operator) for operator in graph.operators]
            graph.inputs, graph.outputs = _vector(graph.inputs), _vector(graph.outputs)
        model.buffers = self._buffers
        model.signatureDefs = self._signatures
        builder = _Builder()
        builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
        return bytes(builder.Output())


class GraphBuilder:
    """One subgraph: tensors by index, operators in order."""

    def __init__(self, model: ModelBuilder, name: str, index: int) -> None:
        self.model = model
        self.index = index
        self._shapes: list[Shape] = []
        self._dtypes: list[npt.DTypeLike] = []
        self._constants: dict[tuple[str, Shape, bytes], Tensor] = {}
        self._weights: dict[tuple[bytes, Shape, bytes], Tensor] = {}
        self.widened: dict[Tensor, Tensor] = {}
        self.packed = schema.SubGraphT()
        self.packed.name = name
        self.packed.tensors, self.packed.operators = [], []
        self.packed.inputs, self.packed.outputs = [], []

    def shape(self, tensor: Tensor) -> Shape:
        """The tensor's shape at T = 1."""
        return self._shapes[tensor]

    def dtype(self, tensor: Tensor) -> npt.DTypeLike:
        """The tensor's numpy dtype."""
        return self._dtypes[tensor]

    def tensor(
        self,
        shape: Shape,
        dtype: npt.DTypeLike = np.float32,
        name: str = "",
        buffer: int = 0,
        signature: Shape | None = None,
    ) -> Tensor:
        """A new tensor; -1 in `signature` marks a dimension that changes with the run-time length."""
        packed = schema.TensorT()
        packed.shape = _vector(shape)
        packed.type = _TENSOR_TYPES[np.dtype(dtype)]
        packed.buffer = buffer
        packed.name = name or None
        packed.hasRank = True
        if signature is not None:
            packed.shapeSignature = _vector(signature)
        self.packed.tensors.append(packed)
        self._shapes.append(shape)
        self._dtypes.append(dtype)
        return len(self._shapes) - 1

    def input(
        self, shape: Shape, dtype: npt.DTypeLike = np.float32, name: str = "", signature: Shape | None = None
    ) -> Tensor:
        """A graph input; -1 in `signature` marks a dimension that callers resize."""
        tensor = self.tensor(shape, dtype, name, signature=signature)
        self.packed.inputs.append(tensor)
        return tensor

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike, name: str = "") -> Tensor:
        """A constant; equal constants of a subgraph are one tensor."""
        array = np.asarray(value, dtype, order="C")  # ascontiguousarray would turn a scalar into rank 1
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.tensor(array.shape, dtype, name, self.model.buffer(key[2]))
        return self._constants[key]

    def weight(self, weight: QuantizedTensor, name: str, *, per_channel: bool = True) -> Tensor:
        """An int8 weight [N, K], one tensor of a subgraph however often it is asked for.

        per_channel: with one scale per row of N, else with the first scale for all.
        """
        scales = weight.scale if per_channel else weight.scale[:1]
        key = (scales.tobytes(), weight.shape, weight.values.tobytes())
        if key not in self._weights:
            tensor = self.tensor(weight.shape, np.int8, name, self.model.buffer(key[2]))
            quantization = schema.QuantizationParametersT()
            quantization.scale = scales
            quantization.zeroPoint = np.zeros(len(scales), np.int64)
            quantization.quantizedDimension = 0
            self.packed.tensors[tensor].quantization = self.model.shared(quantization)
            self._weights[key] = tensor
        return self._weights[key]

    def quantize_as(self, tensor: Tensor, like: Tensor) -> None:
        """Give a tensor the scales of another one, if it has any."""
        self.packed.tensors[tensor].quantization = self.packed.tensors[like].quantization

    def operator(
        self,
        builtin: int,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        options: tuple[int, Any] = (0, None),
        version: int = 1,
    ) -> None:
        """Append an operator; options: (type of the options union, the options table)."""
        packed = schema.OperatorT()
        packed.opcodeIndex = self.model.operator_code(builtin, version)
        packed.inputs, packed.outputs = _vector(inputs), _vector(outputs)
        packed.builtinOptionsType = options[0]
        packed.builtinOptions = None if options[1] is None else self.model.shared(options[1])
        self.packed.operators.append(packed)


def _vector(numbers: Sequence[int]) -> npt.NDArray[np.int32]:
    """Numbers as `_Builder` shares them."""
    return np.array(numbers, np.int32)


def _plain(value: Any) -> Any:
    return value.tobytes() if isinstance(value, np.ndarray) else value


def _tensor_map(name: str, tensor: Tensor) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry
