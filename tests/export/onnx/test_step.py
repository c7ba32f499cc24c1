"""The streaming form: one frame and its states at a time."""

from dataclasses import replace

import numpy as np
import pytest

from edgeseq_export.forms import DYNAMIC_ROW, FLOAT, WIDENED, Plan
from edgeseq_export.layers import ClassToken, Positions, Residual
from edgeseq_export.onnx import write_onnx
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import quantize_spec

FRAMES = (1, 2, 37, 500)


def streams(draw):
    return {
        "gru": (draw.gru("gru", 12, 33),),
        "lstm": (draw.lstm("lstm", 12, 7), draw.gru("gru", 7, 1)),
        "mixed": (
            draw.conv("wide", 12, 20, 5, "relu"),
            draw.norm("norm", 20),
            draw.gru("gru", 20, 16),
            Residual("around", (draw.linear("up", 16, 24, "gelu"), draw.lstm("lstm", 24, 16))),
            draw.conv("narrow", 16, 9, 1),
        ),
        "attention": (
            *draw.block("one", 12, 2, window=5),
            *draw.block("two", 12, 4, depth=16, window=64),
            *draw.block("three", 12, 1, window=1),
        ),
        "rotary": (
            *draw.block("one", 12, 2, rotary=True, window=5),
            *draw.block("two", 12, 4, depth=16, rotary=True, window=64),
        ),
        "convolved": (
            draw.attention("before", 12, 2, rotary=True, window=5),
            draw.conv("between", 12, 8, 3, "gelu"),
            draw.attention("after", 8, 2, rotary=True, window=7),
        ),
    }


@pytest.mark.parametrize("product", [FLOAT, WIDENED], ids=lambda each: each.name)
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("name", ["gru", "lstm", "mixed", "attention", "rotary", "convolved"])
def test_steps_answer_as_the_sequence_form_and_the_reference(product, pooling, name, draw, lab) -> None:
    spec, model = lab.write(lab.classifier(*streams(draw)[name], pooling=pooling), product)
    features, runner = lab.features(max(FRAMES)), lab.Runner(model.content)
    logits = lab.run_steps(model.step, features)
    for frames in FRAMES:
        for whole in (runner.run(features[:frames]), run_reference(spec, features[:frames])):
            assert np.abs(logits[frames - 1] - whole).max() <= 1e-5 * max(1, np.abs(whole).max())


@pytest.mark.parametrize("name", ["gru", "lstm", "mixed", "attention", "rotary", "convolved"])
def test_an_int8_step_rounds_every_frame_for_itself(name, draw, lab) -> None:
    spec = quantize_spec(lab.classifier(*streams(draw)[name]))
    plan = lab.plan_of(spec, WIDENED)
    step = [replace(form, product=DYNAMIC_ROW) if form.product == WIDENED else form for form in plan.step]
    model = write_onnx(spec, Plan(plan.sequence, tuple(step)), "unit")
    logits = lab.run_steps(model.step, lab.features(60))
    for frames in (1, 2, 60):
        features = lab.features(60)[:frames]
        expected = run_reference(spec, features, model.step.rounding)
        noises = (np.random.default_rng(seed) for seed in range(4))
        noisy = [run_reference(spec, features, model.step.rounding, each) for each in noises]
        moved = max(float(np.abs(each - expected).max()) for each in noisy)
        assert np.abs(logits[frames - 1] - expected).max() <= 1e-4 + 1.5 * moved


def test_the_frame_after_a_long_stream_is_answered_as_after_its_window(draw, lab) -> None:
    attention = draw.attention("attention", 12, 1, depth=64, rotary=True, window=5)
    spec, model = lab.write(lab.classifier(attention), WIDENED)
    features = lab.features(20_000)
    logits = lab.run_steps(model.step, features)
    for end in (5, 37, 20_000):
        expected = run_reference(spec, features[end - 5 : end])
        assert np.abs(logits[end - 1] - expected).max() <= 1e-6 * max(1, np.abs(expected).max())


def test_inputs_and_outputs_are_the_states_in_the_order_of_the_layers(draw, lab) -> None:
    _, model = lab.write(lab.classifier(*streams(draw)["mixed"], pooling="mean"), WIDENED)
    names = ["wide.frames", "gru.h", "lstm.h", "lstm.c", "pool.sum", "pool.count"]
    assert [each.name for each in model.step.inputs] == ["features", *names]
    assert [each.name for each in model.step.outputs] == ["logits", *(f"{name}.next" for name in names)]
    session = lab.Runner(model.step.content).session
    assert [(each.name, tuple(each.shape)) for each in session.get_inputs()] == [
        (each.name, each.shape) for each in model.step.inputs
    ]
    assert [(each.name, tuple(each.shape)) for each in session.get_outputs()] == [
        (each.name, each.shape) for each in model.step.outputs
    ]


def test_a_model_that_reads_ahead_or_knows_places_has_no_step(draw, lab) -> None:
    for layer in (
        draw.gru("layer", 12, 8, both=True),
        draw.attention("layer", 12, 2),
        Positions("layer", draw.array(9, 12)),
        ClassToken("layer", draw.array(1, 12)),
    ):
        spec, model = lab.write(lab.classifier(layer, pooling="max"), WIDENED)
        assert model.step is None
        plan = Plan(model.layers, tuple(replace(form, form="step") for form in model.layers))
        with pytest.raises(ValueError, match="layer"):
            write_onnx(spec, plan, "unit")
