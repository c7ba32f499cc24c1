"""Attention, positions and the class token on LiteRT against the reference interpreter."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeseq_export import write_model
from edgeseq_export.exported import ExportedModel
from edgeseq_export.forms import FLOAT, HYBRID, NO_PRODUCT, ROW_SCALE, WIDENED, LayerForm, Plan, Product
from edgeseq_export.layers import (
    Attention,
    CausalConv,
    ClassToken,
    Layer,
    Linear,
    Norm,
    Pool,
    PoolKind,
    Positions,
    Residual,
)
from edgeseq_export.parity import TOLERANCE
from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec, quantized_layers, walk
from edgeseq_export.state import why_no_step

FEATURES = 5
LENGTHS = (1, 2, 37, 500, 37, 1)
NOISE_DRAWS = 4
SIZES = [(1, 6, 9), (2, 12, 7), (4, 24, 24)]  # heads, D, F
PRODUCTS = [FLOAT, WIDENED, HYBRID, ROW_SCALE]


def draw(rng: np.random.Generator, *shape: int) -> Any:
    return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def attention_spec(
    heads: int = 2,
    depth: int = 12,
    width: int = 10,
    *,
    rotary: bool = False,
    window: int | None = None,
    front: tuple[Layer, ...] = (),
    pooling: PoolKind = "mean",
    blocks: int = 2,
) -> SeqSpec:
    """input -> front -> residual(norm, attention) and residual(linear, gelu, linear), twice -> pool -> head.

    Scores reach a few units, so that what a frame attends to matters.
    """
    rng = np.random.default_rng(heads * 100 + depth)
    layers: list[Layer] = [Linear("input", 2 * draw(rng, width, FEATURES), draw(rng, width)), *front]
    for number in range(blocks):
        attention = Attention(
            f"attention{number}",
            heads,
            2 * draw(rng, 3 * depth, width),
            draw(rng, 3 * depth),
            draw(rng, width, depth),
            draw(rng, width),
            rotary,
            window,
        )
        norm = Norm(f"norm{number}", 1 + draw(rng, width), draw(rng, width))
        feedforward = (
            Linear(f"widen{number}", draw(rng, 2 * width, width), draw(rng, 2 * width), "gelu"),
            Linear(f"narrow{number}", draw(rng, width, 2 * width), draw(rng, width)),
        )
        layers += [Residual(f"a{number}", (norm, attention)), Residual(f"f{number}", feedforward)]
    layers += [Pool("pool", pooling), Linear("head", draw(rng, 4, width), draw(rng, 4))]
    return SeqSpec(FEATURES, tuple("abcd"), tuple(layers))


def written(spec: SeqSpec, product: Product = FLOAT, only: Collection[str] = ()) -> ExportedModel:
    """`product` for every layer with a weight, or for these only and FLOAT for the rest."""
    weighted = quantized_layers(spec)
    products = {name: product if name in (only or weighted) else FLOAT for name in weighted}
    sequence, step = (
        tuple(
            LayerForm(each.name, type(each).__name__, form, products.get(each.name, NO_PRODUCT))
            for each in walk(spec.layers)
        )
        for form in ("rows", "step")
    )
    return write_model(spec, "tflite", "unit", Plan(sequence, None if why_no_step(spec) else step))


def error(answer: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(answer - expected).max() / max(1.0, np.abs(expected).max()))


def check_answer(answer: np.ndarray, spec: SeqSpec, features: np.ndarray, model: ExportedModel) -> None:
    """Near the reference; in int8 as near as the reference is to itself with noise in the seventh digit.

    With such noise a rounding on the edge falls to the other side.
    """
    expected = run_reference(spec, features, model.rounding)
    found = error(answer, expected)
    int8 = any(form.product.compute == "int8" for form in model.layers)
    if found < TOLERANCE["int8" if int8 else "fp32"]:
        return
    assert int8
    draws = (np.random.default_rng(seed) for seed in range(NOISE_DRAWS))
    noisy = (run_reference(spec, features, model.rounding, each) for each in draws)
    assert found < 2 * max(error(each, expected) for each in noisy)


def check_every_length(spec: SeqSpec, product: Product, draw_features: Any, load: Any) -> None:
    """In one interpreter, which grows and shrinks."""
    spec = spec if product == FLOAT else quantize_spec(spec)
    model = written(spec, product)
    loaded = load(model)
    for frames in LENGTHS:
        features = draw_features(frames, FEATURES)
        check_answer(loaded.run(features), spec, features, model)


@pytest.mark.parametrize("product", [FLOAT, HYBRID], ids=lambda each: each.name)
@pytest.mark.parametrize("window", [None, 1, 5, 64])
@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize(("heads", "depth", "width"), SIZES)
def test_every_length_answers_as_the_reference(
    heads, depth, width, rotary, window, product, draw_features, load
) -> None:
    spec = attention_spec(heads, depth, width, rotary=rotary, window=window)
    check_every_length(spec, product, draw_features, load)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda each: each.name)
def test_every_product_answers_as_the_reference(product, draw_features, load) -> None:
    check_every_length(attention_spec(4, 24, 10, rotary=True, window=5), product, draw_features, load)


def test_heads_of_an_odd_width_answer_as_the_reference(draw_features, load) -> None:
    check_every_length(attention_spec(3, 21, 7), FLOAT, draw_features, load)


@pytest.mark.parametrize("product", [FLOAT, HYBRID], ids=lambda each: each.name)
@pytest.mark.parametrize("with_token", [False, True])
@pytest.mark.parametrize("pooling", ["first", "last", "mean", "max"])
def test_positions_and_class_token_answer_as_the_reference(
    pooling, with_token, product, draw_features, load
) -> None:
    rng = np.random.default_rng(1)
    positions = Positions("positions", 3 * draw(rng, 500 + with_token, 10))
    front = (ClassToken("token", 3 * draw(rng, 1, 10)), positions) if with_token else (positions,)
    check_every_length(attention_spec(front=front, pooling=pooling), product, draw_features, load)


@pytest.mark.parametrize("with_token", [False, True])
def test_a_frame_beyond_the_known_positions_is_an_error(with_token, draw_features, load) -> None:
    rng = np.random.default_rng(2)
    token = (ClassToken("token", draw(rng, 1, 10)),) if with_token else ()
    front = (*token, Positions("positions", draw(rng, 20 + with_token, 10)))
    loaded = load(written(attention_spec(front=front)))
    for _ in range(2):
        assert np.isfinite(loaded.run(draw_features(20, FEATURES))).all()
        with pytest.raises(RuntimeError, match="index out of bounds"):
            loaded.run(draw_features(21, FEATURES))


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda each: each.name)
@pytest.mark.parametrize("window", [1, 5, 64])
@pytest.mark.parametrize("rotary", [False, True])
def test_steps_answer_as_the_whole_sequence(rotary, window, product, draw_features, load) -> None:
    spec = attention_spec(4, 24, 10, rotary=rotary, window=window)
    spec = spec if product == FLOAT else quantize_spec(spec)
    model = written(spec, product)
    loaded = load(model)
    for frames in (1, 2, 37, 500):
        features = draw_features(frames, FEATURES)
        stepped, whole = loaded.run_steps(features), loaded.run(features)
        check_answer(stepped, spec, features, model)
        assert error(stepped, whole) < TOLERANCE[product.compute], frames


def test_the_frame_after_a_long_stream_is_answered_as_after_its_window(draw_features, load) -> None:
    spec = attention_spec(1, 64, rotary=True, window=5, pooling="last", blocks=1)
    loaded = load(written(spec))
    features = draw_features(20_000, FEATURES)
    for end in (5, 37, 20_000):
        expected = run_reference(spec, features[end - 5 : end])
        assert error(loaded.run_steps(features[:end]), expected) < 1e-6, end


def test_attention_on_both_sides_of_a_convolution_steps_as_the_whole_sequence(draw_features, load) -> None:
    rng = np.random.default_rng(3)
    convolution = CausalConv("between", draw(rng, 10, 3 * 10), draw(rng, 10), 3, "relu")
    spec = attention_spec(rotary=True, window=5)
    *blocks, pool, head = spec.layers
    spec = replace(spec, layers=(*blocks[:2], convolution, *blocks[2:], pool, head))
    loaded = load(written(spec))
    for frames in (1, 2, 37):
        features = draw_features(frames, FEATURES)
        for answer in (loaded.run_steps(features), loaded.run(features)):
            assert error(answer, run_reference(spec, features)) < TOLERANCE["fp32"]


def test_a_frame_outside_the_window_changes_no_later_frame(draw_features, load) -> None:
    model = written(attention_spec(rotary=True, window=5, pooling="last", blocks=1))
    loaded = load(model)
    features = draw_features(30, FEATURES)
    before = loaded.run(features), loaded.run_steps(features)
    features[24] *= 1e4  # the last frame sees frames 25 to 29
    after = loaded.run(features), loaded.run_steps(features)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)
    features[25:29] *= -1
    assert error(loaded.run(features), before[0]) > 0.01


def test_scores_of_an_outlier_stay_right(draw_features, load) -> None:
    spec = attention_spec(rotary=True, window=7)
    model = written(spec)
    loaded = load(model)
    features = draw_features(40, FEATURES)
    features[11] *= 1e4
    expected = run_reference(spec, features, model.rounding)
    assert error(loaded.run(features), expected) < 1e-4
    assert error(loaded.run_steps(features), expected) < 1e-4


def test_both_forms_share_the_int8_weights() -> None:
    spec = quantize_spec(attention_spec(rotary=True, window=8))
    content = written(spec, HYBRID).content
    for layer in walk(spec.layers):
        if isinstance(layer, Attention):
            for weight in (layer.weight_qkv, layer.weight_out):
                assert isinstance(weight, QuantizedTensor)
                assert content.count(weight.values.tobytes()) == 1


def test_a_product_without_a_form_here_names_the_layer() -> None:
    with pytest.raises(ValueError, match="attention0"):
        written(attention_spec(), HYBRID, {"attention0"})
