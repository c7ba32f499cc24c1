"""Products of rows with a weight matrix, in each arithmetic that ONNX Runtime has for them."""

from __future__ import annotations

from onnx import TensorProto

from edgeseq_export.forms import DYNAMIC, DYNAMIC_ROW, Product
from edgeseq_export.onnx.graph import MICROSOFT, OnnxGraph, Value
from edgeseq_export.quantize import FloatArray, QuantizedTensor, Weight


def multiply(
    graph: OnnxGraph, name: str, rows: Value, weight: Weight, bias: FloatArray | Value, product: Product
) -> Value:
    """rows [..., K] @ weight [N, K].T + bias [N] -> [..., N], called `name`.

    bias: an array, or the name of a value.
    """
    if not isinstance(bias, str):
        bias = graph.constant(f"{name}.bias", bias)
    if product in (DYNAMIC, DYNAMIC_ROW):
        values, scale = dynamic_weight(graph, f"{name}.weight", weight)
        return graph.node("DynamicQuantizeMatMul", [rows, values, scale, "", bias], name, domain=MICROSOFT)
    if isinstance(weight, QuantizedTensor):
        values = graph.transposed(f"{name}.weight.int8", weight.values)
        matrix = widened(graph, f"{name}.weight", values, weight.scale)
    else:
        matrix = graph.transposed(f"{name}.weight", weight)
    return graph.node("Add", [graph.node("MatMul", [rows, matrix], f"{name}.product"), bias], name)


def dynamic_weight(graph: OnnxGraph, name: str, weight: Weight) -> tuple[Value, Value]:
    """Values [K, N] int8 and scales [N] of a weight [N, K]; its zero points are 0."""
    if not isinstance(weight, QuantizedTensor):
        raise TypeError(f"{name}: a dynamic product takes int8 weights")
    values = graph.transposed(f"{name}.int8", weight.values)
    return values, graph.constant(f"{name}.scale", weight.scale)


def widened(graph: OnnxGraph, name: str, values: Value, scale: FloatArray) -> Value:
    """values * scale as float32, int8 in the file; scale broadcasts to the values' shape.

    ONNX Runtime folds Cast -> Mul into one float32 tensor when the session is made, so that the operator
    behind it runs at float speed. It does not fold DequantizeLinear.
    """
    scales = graph.constant(f"{name}.scale", scale)
    cast = graph.node("Cast", [values], f"{name}.cast", to=TensorProto.FLOAT)
    return graph.node("Mul", [cast, scales], name)
