"""The sequence form on LiteRT against the reference interpreter, form by form."""

from dataclasses import replace

import numpy as np
import pytest

from edgeseq_export.forms import FLOAT, HYBRID, ROW_SCALE, WIDENED
from edgeseq_export.layers import GRU, Attention, Cell, ClassToken, Linear, Norm, Pool, Residual
from edgeseq_export.parity import TOLERANCE
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec
from edgeseq_export.tflite import write_tflite

LENGTHS = (1, 2, 24, 25, 26, 37, 60)
FORMS = [("unrolled", 1), ("unrolled", 10), ("nested", 25)]
PRODUCTS = [FLOAT, WIDENED, HYBRID, ROW_SCALE]
EDGE = 5e-3
"""A rounding that falls to the other side moves later frames by more than arithmetic does."""


def worst_error(load, spec, plan, features) -> float:
    """The largest error of a logit relative to the largest logit, or to 1."""
    model = write_tflite(spec, plan, "unit")
    loaded = load(model)
    worst = 0.0
    for each in features:
        expected = run_reference(spec, each, model.rounding)
        error = np.abs(loaded.run(each) - expected).max() / max(1.0, np.abs(expected).max())
        worst = max(worst, float(error))
    return worst


def tolerance(product) -> float:
    return TOLERANCE["fp32"] if product.compute == "fp32" else EDGE


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda each: each.name)
@pytest.mark.parametrize(("form", "chunk"), FORMS)
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_mixed_layers_answer_as_the_reference_at_every_length(
    pooling, form, chunk, product, make_mixed_spec, make_plan, draw_features, load
) -> None:
    spec = make_mixed_spec(pooling)
    spec = spec if product == FLOAT else quantize_spec(spec)
    features = [draw_features(frames, 6) for frames in LENGTHS]
    plan = make_plan(spec, form, chunk, product)
    assert worst_error(load, spec, plan, features) < tolerance(product)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda each: each.name)
@pytest.mark.parametrize(("form", "chunk"), FORMS)
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "first"])
def test_bidirectional_layers_answer_as_the_reference_at_every_length(
    pooling, form, chunk, product, make_spec, make_plan, draw_features, load
) -> None:
    spec = make_spec("lstm", hidden=7, layers=2, bidirectional=True, pooling=pooling)
    spec = spec if product == FLOAT else quantize_spec(spec)
    features = [draw_features(frames, 12) for frames in LENGTHS]
    plan = make_plan(spec, form, chunk, product)
    assert worst_error(load, spec, plan, features) < tolerance(product)


@pytest.mark.parametrize("hidden", [1, 7, 33, 130])
@pytest.mark.parametrize("form", ["unrolled", "nested"])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("product", [FLOAT, WIDENED, HYBRID, ROW_SCALE], ids=lambda each: each.name)
def test_every_hidden_size_answers_as_the_reference(
    product, kind, form, hidden, make_spec, make_plan, draw_features, load
) -> None:
    spec = make_spec(kind, hidden=hidden)
    spec = spec if product == FLOAT else quantize_spec(spec)
    plan = make_plan(spec, form, 8, product)
    assert worst_error(load, spec, plan, [draw_features(37, 12), draw_features(1, 12)]) < tolerance(product)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_long_sequence_answers_as_the_reference(kind, make_spec, make_plan, draw_features, load) -> None:
    spec = quantize_spec(make_spec(kind, layers=2, pooling="mean"))
    features = [draw_features(500, 12)]
    assert worst_error(load, spec, make_plan(spec, "unrolled", 10, HYBRID), features) < EDGE


@pytest.mark.parametrize("product", [WIDENED, HYBRID, ROW_SCALE], ids=lambda each: each.name)
def test_an_outlier_of_ten_thousand_times_the_rest_stays_right(
    product, make_mixed_spec, make_plan, draw_features, load
) -> None:
    spec = quantize_spec(make_mixed_spec("mean"))
    features = draw_features(37, 6)
    features[11, 2] *= 1e4
    assert worst_error(load, spec, make_plan(spec, "unrolled", 5, product), [features]) < EDGE


def test_an_outlier_does_not_move_the_answer_to_the_frames_before_it(
    make_spec, make_plan, draw_features, load
) -> None:
    spec = quantize_spec(make_spec(layers=2))
    loaded = load(write_tflite(spec, make_plan(spec, "unrolled", 10, HYBRID), "unit"))
    features = draw_features(30, 12)
    before = loaded.run(features[:27])
    features[28] *= 1e4
    assert np.abs(loaded.run(features) - before).max() > 0.01
    assert np.array_equal(loaded.run(features[:27]), before)


@pytest.mark.parametrize("pooling", ["last", "first", "mean", "max"])
def test_layers_without_a_recurrent_one_answer_as_the_reference(
    pooling, make_mixed_spec, make_plan, draw_features, load
) -> None:
    mixed = make_mixed_spec(pooling)
    kept = [each for each in mixed.layers if each.name != "lstm"]
    rng = np.random.default_rng(1)
    inner = (Norm("norm1", np.ones(9, np.float32), np.zeros(9, np.float32)),)
    linear = Linear("narrow", rng.standard_normal((7, 9)).astype(np.float32), np.ones(7, np.float32), "gelu")
    kept[1:2] = [Residual("residual", inner), linear]
    spec = quantize_spec(replace(mixed, layers=tuple(kept)))
    features = [draw_features(frames, 6) for frames in LENGTHS]
    assert worst_error(load, spec, make_plan(spec, product=HYBRID), features) < EDGE


def test_row_wise_layers_behind_both_directions_read_the_last_row_not_the_final_states(
    make_spec, make_plan, draw_features, load
) -> None:
    bidirectional = make_spec(bidirectional=True)
    rng = np.random.default_rng(2)
    linear = Linear("between", rng.standard_normal((48, 48)).astype(np.float32), np.ones(48, np.float32))
    layers = (bidirectional.layers[0], linear, *bidirectional.layers[1:])
    spec = replace(bidirectional, layers=layers)
    features = [draw_features(frames, 12) for frames in LENGTHS]
    assert worst_error(load, spec, make_plan(spec), features) < TOLERANCE["fp32"]


def test_pooling_alone_answers_as_the_reference(make_plan, draw_features, load) -> None:
    for kind in ("last", "first", "mean", "max"):
        spec = SeqSpec(3, ("a", "b", "c"), (Pool("pool", kind),))
        features = [draw_features(frames, 3) for frames in (1, 2, 37)]
        assert worst_error(load, spec, make_plan(spec), features) < TOLERANCE["fp32"]


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda each: each.name)
@pytest.mark.parametrize("window", [None, 3])
def test_recurrent_layers_beside_attention_answer_as_the_reference(
    window, product, make_mixed_spec, make_plan, draw_features, load
) -> None:
    """In a residual that is no loop as a whole, behind a class token, before and behind a run."""
    rng = np.random.default_rng(4)

    def draw(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    mixed = make_mixed_spec("mean")
    attention = Attention("attention", 2, draw(18, 9), draw(18), draw(9, 6), draw(9), window=window)
    cells = [Cell(draw(27, 9), draw(27, 9), draw(27), draw(27)) for _ in range(2)]
    inner = (
        attention,
        GRU("gru2", cells[0]),
        GRU("gru3", cells[1], cells[1]),
        Linear("join", draw(9, 18), draw(9)),
    )
    front = (ClassToken("token", draw(1, 6)), mixed.layers[0], Residual("around", inner))
    spec = replace(mixed, layers=(*front, *mixed.layers[1:]))
    spec = spec if product == FLOAT else quantize_spec(spec)
    features = [draw_features(frames, 6) for frames in LENGTHS]
    assert worst_error(load, spec, make_plan(spec, "unrolled", 10, product), features) < tolerance(product)
