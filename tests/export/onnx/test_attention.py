"""Attention, positions and class token, on ONNX Runtime, against the reference interpreter."""

import numpy as np
import pytest

from edgeseq_device import runtimes
from edgeseq_device.errors import DataError
from edgeseq_export.forms import DYNAMIC, FLOAT, WIDENED
from edgeseq_export.layers import ClassToken, Positions
from edgeseq_export.reference import run_reference

PRODUCTS = pytest.mark.parametrize("product", [FLOAT, WIDENED, DYNAMIC], ids=lambda each: each.name)


@PRODUCTS
@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 1, 5, 64])
@pytest.mark.parametrize("rotary", [False, True], ids=["plain", "rotary"])
def test_attention_answers_as_the_reference(product, heads, window, rotary, draw, lab) -> None:
    blocks = [
        *draw.block("one", 12, heads, rotary=rotary, window=window, depth=16),
        *draw.block("two", 12, heads, rotary=rotary, window=window, depth=24),
    ]
    spec, model = lab.write(lab.classifier(*blocks, draw.norm("norm", 12), pooling="mean"), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37, 150)])


@PRODUCTS
@pytest.mark.parametrize("pooling", ["first", "last", "mean", "max"])
def test_positions_and_a_class_token_answer_as_the_reference(product, pooling, draw, lab) -> None:
    spec, model = lab.write(token_spec(draw, lab, pooling), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37, 150)])


@pytest.mark.parametrize("pooling", ["first", "last", "mean", "max"])
@pytest.mark.parametrize("product", [FLOAT, WIDENED], ids=lambda each: each.name)
def test_what_is_behind_a_sequences_end_is_not_seen(product, pooling, draw, lab) -> None:
    spec, model = lab.write(token_spec(draw, lab, pooling), product)
    batch = [lab.features(frames, seed=frames) for frames in (5, 60, 1, 37)]
    answers = lab.Runner(model.content).run_batch(batch, padding=1e4)
    expected = np.stack([run_reference(spec, features) for features in batch])
    assert np.abs(answers - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_a_recurrent_layer_between_attention_layers_answers_as_the_reference(draw, lab) -> None:
    layers = (
        *draw.block("one", 12, 2, rotary=True),
        draw.gru("gru", 12, 8, both=True),
        ClassToken("token", draw.array(1, 16)),
        *draw.block("two", 16, 2, window=3, rotary=True),
    )
    spec, model = lab.write(lab.classifier(*layers, pooling="last"), WIDENED)
    batch = [lab.features(frames, seed=frames) for frames in (5, 60, 1, 37)]
    lab.assert_agrees(spec, model, batch)
    answers = lab.Runner(model.content).run_batch(batch, padding=1e4)
    expected = np.stack([run_reference(spec, features) for features in batch])
    assert np.abs(answers - expected).max() <= 1e-5


@PRODUCTS
def test_outliers_in_attention_are_answered_right(product, draw, lab) -> None:
    layers = (draw.attention("attention", 12, 2, window=5), draw.attention("second", 12, 2))
    spec, model = lab.write(lab.classifier(*layers, pooling="mean"), product)
    outlier = lab.features(37)
    outlier[20] *= 1e4
    lab.assert_agrees(spec, model, [outlier, np.zeros((9, 12), np.float32)])


@PRODUCTS
@pytest.mark.parametrize("known", [1, 30])
def test_more_frames_than_there_are_positions_are_refused_by_their_number(
    known, product, draw, lab, tmp_path
) -> None:
    place, attention = Positions("place", draw.array(known, 12)), draw.attention("attention", 12, 2)
    spec, model = lab.write(lab.classifier(place, attention, pooling="mean"), product)
    lab.assert_agrees(spec, model, [lab.features(known)])
    (tmp_path / "model.onnx").write_bytes(model.content)
    with pytest.raises(DataError, match=f"place: more frames than the {known} positions it learned"):
        runtimes.load(tmp_path / "model.onnx", "onnx").run(lab.features(known + 1))


def test_a_class_token_takes_one_of_the_positions(draw, lab) -> None:
    layers = (ClassToken("token", draw.array(1, 12)), Positions("place", draw.array(31, 12)))
    spec, model = lab.write(lab.classifier(*layers, pooling="first"), WIDENED)
    lab.assert_agrees(spec, model, [lab.features(30)])
    with pytest.raises(
        Exception, match="place: more frames, the class token included, than the 31 positions"
    ):
        lab.Runner(model.content).run(lab.features(31))


def test_int8_attention_is_marked_as_not_causal_though_its_window_is(draw, lab) -> None:
    spec = lab.classifier(draw.attention("attention", 12, 2, window=5), pooling="first")
    calm = lab.features(37)
    shaken = calm.copy()
    shaken[30] *= 10
    for product in (WIDENED, DYNAMIC):
        _, model = lab.write(spec, product)
        runner = lab.Runner(model.content)
        assert model.causal == bool(np.array_equal(runner.run(shaken), runner.run(calm)))


def token_spec(draw, lab, pooling):
    layers = (
        draw.linear("into", 12, 16),
        Positions("positions", draw.array(150, 16)),
        ClassToken("token", draw.array(1, 16)),
        *draw.block("one", 16, 2),
        *draw.block("two", 16, 4, rotary=True, window=7),
        *draw.block("three", 16, 2, window=3),
        draw.norm("norm", 16),
    )
    return lab.classifier(*layers, pooling=pooling)
