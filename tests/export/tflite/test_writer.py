"""What the file holds, and which plans are refused."""

from dataclasses import replace

import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeseq_export.budget import weight_bytes
from edgeseq_export.forms import HYBRID, ROW_SCALE, WIDENED
from edgeseq_export.spec import quantize_spec
from edgeseq_export.tflite import write_tflite


@pytest.mark.parametrize("product", [HYBRID, ROW_SCALE, WIDENED], ids=lambda each: each.name)
@pytest.mark.parametrize("form", ["unrolled", "nested"])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_an_int8_file_with_both_signatures_is_little_more_than_its_weights(
    kind, form, product, make_spec, make_plan
) -> None:
    """GRU-64 and LSTM-64 on 40 features: weights x 1.02 + 40 KB."""
    spec = quantize_spec(make_spec(kind, features=40, hidden=64, classes=10))
    model = write_tflite(spec, make_plan(spec, form, 10, product), "unit")
    assert model.step is not None
    assert len(model.content) <= weight_bytes(spec) * 1.02 + 40_000


def test_unrolled_frames_share_their_weight_and_nested_ones_have_no_copies_of_its_product(
    make_spec, make_plan
) -> None:
    """XNNPACK packs the weights of every product in a file anew."""
    spec = quantize_spec(make_spec(features=40, hidden=64))

    def count(form: str, chunk: int) -> tuple[int, int]:
        content = write_tflite(spec, replace(make_plan(spec, form, chunk, HYBRID), step=None), "unit").content
        file = schema.ModelT.InitFromPackedBuf(content, 0)
        codes = [each.builtinCode for each in file.operatorCodes]
        code = codes.index(schema.BuiltinOperator.FULLY_CONNECTED)
        products = sum(
            operator.opcodeIndex == code for graph in file.subgraphs for operator in graph.operators
        )
        buffers = sum(each.data is not None and len(each.data) == 3 * 64 * 64 for each in file.buffers)
        return products, buffers

    rest = 2  # one frame at a time behind the whole chunks
    head = 1
    assert count("unrolled", 10) == (1 + 10 + rest + head, 1)
    assert count("nested", 10) == (1 + 1 + rest + head, 1)
    assert count("unrolled", 1) == (1 + 1 + head, 1)


def test_equal_specs_and_plans_give_equal_bytes(make_mixed_spec, make_plan) -> None:
    spec = quantize_spec(make_mixed_spec())
    first, second = (write_tflite(spec, make_plan(spec, product=HYBRID), "unit").content for _ in range(2))
    assert first == second


def test_the_model_says_what_it_was_lowered_to(make_spec, make_plan) -> None:
    spec = quantize_spec(make_spec(features=9))
    plan = make_plan(spec, "nested", 25, HYBRID)
    model = write_tflite(spec, plan, "m/s")
    assert (model.layers, model.step.layers) == (plan.sequence, plan.step)
    assert (model.format, model.batch, model.causal) == ("tflite", False, True)
    assert [(each.name, each.shape, each.unit) for each in model.inputs] == [("features", (1, "T", 9), "m/s")]


def test_a_model_that_reads_ahead_is_not_causal(make_spec, make_plan) -> None:
    spec = make_spec(bidirectional=True)
    assert not write_tflite(spec, make_plan(spec), "unit").causal


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"form": "scan"}, "gru0: GRU with float32 weights has no form 'scan'"),
        ({"chunk_frames": 0}, "gru0: chunk_frames is 0"),
        ({"chunk_frames": None}, "gru0: chunk_frames is None"),
        ({"layer": "gru9"}, "not for this model's layers"),
        (
            {"product": HYBRID},
            "float32 weights has no form 'unrolled' with the product 'hybrid'",
        ),
        ({"chunk_frames": 5}, "gru0, gru1: are in one loop over time"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_by_name(change, message, make_spec, make_plan) -> None:
    spec = make_spec(layers=2)
    plan = make_plan(spec)
    wrong = replace(plan, sequence=(replace(plan.sequence[0], **change), *plan.sequence[1:]))
    with pytest.raises(ValueError, match=message):
        write_tflite(spec, wrong, "unit")


def test_a_step_plan_of_another_form_is_refused_by_name(make_spec, make_plan) -> None:
    spec = make_spec()
    plan = make_plan(spec)
    wrong = replace(plan, step=(replace(plan.step[0], form="unrolled"), *plan.step[1:]))
    with pytest.raises(
        ValueError,
        match=r"gru0: .*; it has: step float",
    ):
        write_tflite(spec, wrong, "unit")
