"""The ways of multiplying with int8 weights, each on LiteRT against its own arithmetic."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgeseq_export.arithmetic import matmul
from edgeseq_export.forms import DYNAMIC, FLOAT, HYBRID, ROW_SCALE, WIDENED
from edgeseq_export.layers import GRU, Cell, Linear, Pool
from edgeseq_export.quantize import QuantizedTensor, quantize_per_channel
from edgeseq_export.spec import SeqSpec, quantize_spec
from edgeseq_export.tflite import write_tflite
from edgeseq_export.tflite.flatbuffer import ModelBuilder
from edgeseq_export.tflite.products import multiply_rows

INT8 = [HYBRID, ROW_SCALE, WIDENED]


def run_product(rows, weight, bias, product) -> np.ndarray:
    model = ModelBuilder()
    graph = model.subgraph("main")
    source = graph.input(rows.shape, name="rows")
    graph.packed.outputs = [multiply_rows(graph, source, weight, bias, product, "weight")]
    interpreter = Interpreter(model_content=model.finish("one product"), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], rows)
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


@pytest.mark.parametrize("product", INT8, ids=lambda each: each.name)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("outputs", "columns"), [(1, 1), (7, 33), (130, 40)])
def test_a_product_answers_in_its_own_arithmetic(outputs, columns, bias, product) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((outputs, columns)).astype(np.float32)
    weight *= np.logspace(-3, 1, outputs, dtype=np.float32)[:, None]
    weight[outputs // 2] = 0
    quantized = quantize_per_channel(weight)
    rows = rng.standard_normal((4, columns)).astype(np.float32)
    added = rng.standard_normal(outputs).astype(np.float32) if bias else None
    expected = matmul(rows, quantized, product.activation_quantization) + (0 if added is None else added)
    found = run_product(rows, quantized, added, product)
    assert np.abs(found - expected).max() <= 2e-6 * max(1, np.abs(expected).max())


def test_a_row_scale_product_has_one_scale_and_the_version_that_old_runtimes_know() -> None:
    weight = quantize_per_channel(np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32))
    for product, version, scales in ((ROW_SCALE, 9, 1), (HYBRID, 12, 6)):
        model = ModelBuilder()
        graph = model.subgraph("main")
        out = multiply_rows(graph, graph.input((1, 8)), weight, None, product, "weight")
        graph.packed.outputs = [out]
        file = schema.ModelT.InitFromPackedBuf(model.finish(""), 0)
        fully_connected = schema.BuiltinOperator.FULLY_CONNECTED
        versions = {each.version for each in file.operatorCodes if each.builtinCode == fully_connected}
        (matrix,) = (each for each in file.subgraphs[0].tensors if each.type == schema.TensorType.INT8)
        assert (versions, len(matrix.quantization.scale)) == ({version}, scales)


def test_a_product_that_does_not_fit_the_weight_is_refused_by_name() -> None:
    graph = ModelBuilder().subgraph("main")
    rows = graph.input((1, 3))
    weight = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"head\.weight: is float32"):
        multiply_rows(graph, rows, weight, None, HYBRID, "head.weight")
    for product in (FLOAT, DYNAMIC):
        with pytest.raises(ValueError, match=r"head\.weight: is int8"):
            multiply_rows(graph, rows, quantize_per_channel(weight), None, product, "head.weight")


@pytest.mark.parametrize("product", INT8, ids=lambda each: each.name)
def test_the_most_adversarial_weights_bring_no_minus_128_into_the_file(product, make_plan, load) -> None:
    """All weights at the ends of the range: sums of products are as large as they get."""
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (24 + 24 + 2, 40))
    zeros = np.zeros(24, np.float32)
    cell = Cell(signs[:24], signs[24:48, :8].copy(), zeros, zeros)
    head = Linear("head", signs[48:, :8].copy(), zeros[:2])
    spec = quantize_spec(SeqSpec(40, ("a", "b"), (GRU("gru", cell), Pool("pool", "last"), head)))
    gru = spec.layers[0].forward
    assert set(np.unique(gru.weight_ih.values)) == {-127, 127}
    model = write_tflite(spec, make_plan(spec, "unrolled", 10, product), "unit")
    for matrix in int8_buffers(model.content):
        assert matrix.min() >= -127
    features = np.where(np.arange(40) % 2, 1e3, -1e3).astype(np.float32)[None].repeat(3, 0)
    assert np.isfinite(load(model).run(features)).all()


def int8_buffers(content: bytes) -> list[np.ndarray]:
    """Every constant int8 tensor of a file."""
    file = schema.ModelT.InitFromPackedBuf(content, 0)
    tensors = [each for graph in file.subgraphs for each in graph.tensors]
    found = [file.buffers[each.buffer].data for each in tensors if each.type == schema.TensorType.INT8]
    assert found
    return [each.astype(np.uint8).view(np.int8) for each in found]


def test_a_weight_of_minus_128_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="-128"):
        QuantizedTensor(np.full((2, 3), -128, np.int8), np.ones(2, np.float32))


def test_a_quantized_layer_beside_one_kept_in_float_each_have_their_product(
    make_spec, make_plan, draw_features, load
) -> None:
    spec = make_spec(layers=2)
    mixed = quantize_spec(spec, ["gru0"])
    plan = make_plan(mixed, "unrolled", 10, HYBRID)
    assert [each.product.name for each in plan.sequence] == ["float", "hybrid", "none", "hybrid"]
    features = draw_features(11, 12)
    whole = write_tflite(spec, make_plan(spec), "unit")
    difference = load(write_tflite(mixed, plan, "unit")).run(features) - load(whole).run(features)
    assert 0 < np.abs(difference).max() < 0.1
    wrong = replace(plan, sequence=tuple(replace(each, product=HYBRID) for each in plan.sequence))
    with pytest.raises(ValueError, match="gru0"):
        write_tflite(mixed, wrong, "unit")
