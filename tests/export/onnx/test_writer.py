"""What is in a written file, and what the writer refuses."""

import dataclasses

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgeseq_export import write_model
from edgeseq_export.budget import weight_bytes
from edgeseq_export.forms import DYNAMIC, FLOAT, HYBRID, WIDENED, LayerForm, Plan
from edgeseq_export.layers import ClassToken, Positions, Residual
from edgeseq_export.onnx import write_onnx
from edgeseq_export.onnx.graph import OnnxGraph
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import quantize_spec, quantized_layers

PRODUCTS = pytest.mark.parametrize("product", [FLOAT, WIDENED, DYNAMIC], ids=lambda each: each.name)


@pytest.fixture
def spec(draw, lab):
    """One layer of each kind that has weights, all of them in a step form too."""
    return lab.classifier(
        draw.conv("conv", 12, 16, 3, "gelu"),
        Residual(
            "around", (draw.norm("norm", 16), draw.attention("attention", 16, 2, rotary=True, window=5))
        ),
        draw.norm("norm2", 16),
        draw.gru("gru", 16, 24),
        draw.lstm("lstm", 24, 20),
        draw.linear("linear", 20, 12, "relu"),
        pooling="mean",
    )


def test_fp32_compute_is_for_batches_and_causal(spec, lab) -> None:
    for product in (FLOAT, WIDENED):
        _, model = lab.write(spec, product)
        assert (model.batch, model.causal) == (True, True)
        assert [each.name for each in model.inputs] == ["features", "lengths"]


def test_int8_compute_is_neither_for_batches_nor_causal(spec, lab) -> None:
    _, model = lab.write(spec, DYNAMIC)
    assert (model.batch, model.causal) == (False, False)
    assert [(each.name, each.shape) for each in model.inputs] == [("features", (1, "T", 12))]


def test_one_layer_that_rounds_over_all_frames_takes_a_file_out_of_batches(spec, lab) -> None:
    spec = quantize_spec(spec)
    plan = lab.plan_of(spec, WIDENED)
    forms = [
        dataclasses.replace(form, product=DYNAMIC) if form.layer == "linear" else form
        for form in plan.sequence
    ]
    model = write_onnx(spec, Plan(tuple(forms)), "unit")
    assert (model.batch, model.causal, model.step) == (False, False, None)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37)])


def test_layers_kept_in_fp32_go_beside_quantized_ones(spec, lab) -> None:
    spec = quantize_spec(spec, keep_fp32=("gru", "attention"))
    plan = lab.plan_of(spec, DYNAMIC)
    kept = ("gru", "attention")
    forms = [
        dataclasses.replace(form, product=FLOAT, form="operator" if form.layer == "gru" else "rows")
        if form.layer in kept
        else form
        for form in plan.sequence
    ]
    model = write_onnx(spec, Plan(tuple(forms)), "unit")
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37)])


@PRODUCTS
def test_a_model_that_reads_ahead_is_not_causal(product, draw, lab) -> None:
    for layer in (draw.gru("layer", 12, 8, both=True), draw.attention("layer", 12, 2)):
        _, model = lab.write(lab.classifier(layer, pooling="mean"), product)
        assert not model.causal


@PRODUCTS
def test_equal_specs_give_equal_bytes(product, spec, lab) -> None:
    (_, first), (_, second) = lab.write(spec, product), lab.write(spec, product)
    assert first.content == second.content
    assert first.step.content == second.step.content


@pytest.mark.parametrize("product", [WIDENED, DYNAMIC], ids=lambda each: each.name)
def test_every_weight_matrix_is_int8_in_the_file_and_none_is_minus_128(product, spec, lab) -> None:
    spec, model = lab.write(spec, product)
    for content in (model.content, model.step.content):
        initializers = onnx.load_from_string(content).graph.initializer
        stored = [onnx.numpy_helper.to_array(each) for each in initializers if each.data_type == 3]
        matrices = [each for each in stored if each.any()]
        assert sum(each.size for each in matrices) == weight_bytes(spec)
        assert min(each.min() for each in matrices) >= -127
        assert max(each.size for each in map(onnx.numpy_helper.to_array, initializers)) < weight_bytes(spec)


def test_widened_weights_are_folded_to_float_when_the_model_loads(spec, lab, tmp_path) -> None:
    _, model = lab.write(spec, WIDENED)
    for content in (model.content, model.step.content):
        loaded = optimized(content, tmp_path / "loaded.onnx")
        assert not [each.name for each in loaded.initializer if each.data_type == onnx.TensorProto.INT8]
        assert not [node.name for node in loaded.node if node.name.endswith(".cast")]


def test_no_addition_is_joined_with_a_norm(spec, draw, lab, tmp_path) -> None:
    """ONNX Runtime's SkipLayerNormalization takes four times as long as Add and LayerNormalization."""
    blocks = (*draw.block("one", 12, 2), *draw.block("two", 12, 2), draw.norm("norm", 12))
    for product in (FLOAT, DYNAMIC):
        _, model = lab.write(lab.classifier(*blocks, pooling="mean"), product)
        loaded = optimized(model.content, tmp_path / "loaded.onnx")
        operators = [node.op_type for node in loaded.node]
        assert "SkipLayerNormalization" not in operators
        assert operators.count("MultiHeadAttention") == 2
        assert sum("Gelu" in each for each in operators) == 2


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_recurrent_model_is_the_operator_and_little_around_it(kind, draw, lab, tmp_path) -> None:
    _, model = lab.write(lab.classifier(getattr(draw, kind)("layer", 12, 24)), WIDENED)
    operators = [node.op_type for node in optimized(model.content, tmp_path / "loaded.onnx").node]
    assert operators == ["Transpose", kind.upper(), "Squeeze", "Gemm"]


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("product", [WIDENED, DYNAMIC], ids=lambda each: each.name)
def test_a_file_is_little_more_than_its_weights(kind, product, draw, lab) -> None:
    layer = getattr(draw, kind)("layer", 40, 64)
    spec, model = lab.write(lab.classifier(layer, features=40), product)
    for content in (model.content, model.step.content):
        assert len(content) <= weight_bytes(spec) * 1.02 + 8000


def test_a_form_or_product_that_onnx_has_not_is_refused_by_the_layers_name(spec, lab) -> None:
    spec = quantize_spec(spec)
    plan = lab.plan_of(spec, WIDENED)
    for name in quantized_layers(spec):
        for wrong in ({"form": "nested"}, {"product": HYBRID}, {"product": FLOAT}):
            with pytest.raises(ValueError, match=name):
                write_onnx(spec, changed(plan, name, **wrong), "unit")
    with pytest.raises(ValueError, match=r"gru.*scan"):
        write_onnx(spec, changed(plan, "gru", product=DYNAMIC), "unit")


def test_int8_products_of_float_weights_are_refused(spec, lab) -> None:
    plan = lab.plan_of(spec, FLOAT)
    with pytest.raises(ValueError, match="linear: Linear with float32 weights has no form"):
        write_onnx(spec, changed(plan, "linear", product=WIDENED), "unit")


def test_a_plan_for_other_layers_is_refused(spec, lab) -> None:
    plan = lab.plan_of(spec, FLOAT)
    with pytest.raises(ValueError, match="plan"):
        write_onnx(spec, Plan(plan.sequence[1:]), "unit")


@PRODUCTS
@pytest.mark.parametrize(
    "names",
    [
        ("one", "zero", "lowest", "frames", "ages_5", "unseen_2"),
        ("int64_0", "float32_1", "int32_one", "integers_0", "cast_0", "frames.count"),
    ],
)
@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_layers_may_be_called_as_constants_are(names, product, pooling, draw, lab) -> None:
    layers = (
        draw.conv(names[0], 12, 16, 3),
        Positions(names[1], draw.array(90, 16)),
        draw.gru(names[2], 16, 12, both=True),
        ClassToken(names[3], draw.array(1, 24)),
        draw.attention(names[4], 24, 2, rotary=True, window=5),
        draw.linear(names[5], 24, 12),
    )
    spec, model = lab.write(lab.classifier(*layers, pooling=pooling), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 37)])


def test_layers_of_a_step_may_be_called_as_constants_are(draw, lab) -> None:
    layers = (
        draw.linear("one", 12, 16),
        draw.attention("zero", 16, 2, rotary=True, window=5),
        draw.linear("float32_1", 16, 12),
    )
    spec, model = lab.write(lab.classifier(*layers, pooling="mean"), FLOAT)
    features = lab.features(9)
    error = lab.run_steps(model.step, features)[-1] - run_reference(spec, features, model.step.rounding)
    assert np.abs(error).max() < 1e-5


@pytest.mark.parametrize(
    "name", ["pool.sum", "head.weight", "head.product", "gru.h", "gru.h.next", "attention.seen"]
)
def test_a_layer_called_as_a_value_of_another_is_refused_by_name(name, draw, lab) -> None:
    layers = (
        draw.gru("gru", 12, 12),
        draw.attention("attention", 12, 2, window=5),
        draw.linear(name, 12, 12),
    )
    with pytest.raises(ValueError, match=f"{name}: .* rename the layer"):
        lab.write(lab.classifier(*layers, pooling="mean"), FLOAT)


def test_a_constant_of_a_name_has_one_value(draw) -> None:
    graph, weight = OnnxGraph(), draw.array(3, 4)
    assert graph.constant("weight", weight) == graph.constant("weight", weight.copy()) == "weight"
    for other in (weight + 1, weight.astype(np.float64), weight.reshape(4, 3)):
        with pytest.raises(ValueError, match="weight"):
            graph.constant("weight", other)
    with pytest.raises(ValueError, match="weight"):
        graph.node("Identity", ["weight"], "weight")
    graph.node("Identity", ["weight"], "same")
    with pytest.raises(ValueError, match="same"):
        graph.constant("same", weight)


def test_weights_that_are_no_numbers_are_refused(spec) -> None:
    spec.layers[-1].weight[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"head\.weight"):
        write_model(spec, "onnx", "unit")


def changed(plan: Plan, name: str, **fields) -> Plan:
    def change(form: LayerForm) -> LayerForm:
        return dataclasses.replace(form, **fields) if form.layer == name else form

    return Plan(tuple(map(change, plan.sequence)))


def optimized(content: bytes, path) -> onnx.GraphProto:
    """The graph as ONNX Runtime runs it."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return onnx.load(path).graph
