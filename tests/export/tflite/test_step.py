"""The step form on LiteRT: frame by frame it gives what the sequence form gives."""

from dataclasses import replace

import numpy as np
import pytest

from edgeseq_export.forms import FLOAT, HYBRID, ROW_SCALE, WIDENED, Plan
from edgeseq_export.layers import Attention, Linear, Pool, Residual
from edgeseq_export.spec import SeqSpec, quantize_spec
from edgeseq_export.state import NEXT, states_of
from edgeseq_export.tflite import write_tflite

SAME = 2e-5
"""Both forms round alike; only the order of sums differs."""


@pytest.mark.parametrize("product", [FLOAT, WIDENED, HYBRID, ROW_SCALE], ids=lambda each: each.name)
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("form", ["unrolled", "nested"])
def test_steps_give_what_the_sequence_gives(
    form, pooling, product, make_mixed_spec, make_plan, draw_features, load
) -> None:
    spec = make_mixed_spec(pooling)
    spec = spec if product == FLOAT else quantize_spec(spec)
    model = write_tflite(spec, make_plan(spec, form, 10, product), "unit")
    sequence, steps = load(model), load(model)
    for frames in (1, 2, 37, 500):
        features = draw_features(frames, 6)
        expected = sequence.run(features)
        assert np.abs(steps.run_steps(features) - expected).max() < SAME * max(1, np.abs(expected).max())


@pytest.mark.parametrize("hidden", [1, 7, 33, 130])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_every_hidden_size_steps_as_its_sequence(
    kind, hidden, make_spec, make_plan, draw_features, load
) -> None:
    spec = quantize_spec(make_spec(kind, hidden=hidden, layers=2))
    model = write_tflite(spec, make_plan(spec, "unrolled", 10, HYBRID), "unit")
    features = draw_features(26, 12)
    assert np.abs(load(model).run_steps(features) - load(model).run(features)).max() < 1e-4


def test_a_step_names_its_states_as_the_description_does(make_mixed_spec, make_plan) -> None:
    spec = make_mixed_spec("mean")
    step = write_tflite(spec, make_plan(spec), "m/s").step
    assert step.content is None
    assert step.states == states_of(spec)
    names = [state.name for state in step.states]
    assert [each.name for each in step.inputs] == ["features", *names]
    assert [each.name for each in step.outputs] == ["logits", *(name + NEXT for name in names)]
    assert step.inputs[0].unit == "m/s"


def test_the_step_form_shares_its_weights_with_the_sequence_form(make_spec, make_plan) -> None:
    spec = quantize_spec(make_spec(features=40, hidden=128))
    both = make_plan(spec, "unrolled", 10, HYBRID)
    sequence = Plan(both.sequence)
    weights = spec.layers[0].forward.weight_hh.values.nbytes
    with_step, without = (len(write_tflite(spec, plan, "unit").content) for plan in (both, sequence))
    assert without < with_step < without + weights / 2


def test_a_model_that_reads_ahead_has_no_step_form(make_spec, make_plan) -> None:
    spec = make_spec(bidirectional=True)
    plan = make_plan(spec)
    assert write_tflite(spec, plan, "unit").step is None
    with pytest.raises(ValueError, match="gru0 reads frames to come"):
        write_tflite(spec, Plan(plan.sequence, plan.sequence), "unit")


def test_pooling_alone_steps(make_plan, draw_features, load) -> None:
    for kind in ("last", "mean", "max"):
        spec = SeqSpec(3, ("a", "b", "c"), (Pool("pool", kind),))
        model = write_tflite(spec, make_plan(spec), "unit")
        features = draw_features(5, 3)
        assert np.allclose(load(model).run_steps(features), load(model).run(features), atol=1e-6)


def test_attention_beside_recurrent_layers_steps_as_its_sequence(
    make_mixed_spec, make_plan, draw_features, load
) -> None:
    rng = np.random.default_rng(5)

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    mixed = make_mixed_spec("mean")
    attention = Attention("attention", 2, draw(18, 9), draw(18), draw(9, 6), draw(9), window=3)
    residual = Residual("around", (attention, Linear("linear0", draw(9, 9), draw(9))))
    layers = (mixed.layers[0], residual, *mixed.layers[1:])
    spec = quantize_spec(replace(mixed, layers=layers))
    model = write_tflite(spec, make_plan(spec, "unrolled", 10, HYBRID), "unit")
    for frames in (1, 2, 37):
        features = draw_features(frames, 6)
        expected = load(model).run(features)
        assert np.abs(load(model).run_steps(features) - expected).max() < 1e-4
