"""GRU and LSTM in every form, on ONNX Runtime, against the reference interpreter."""

import numpy as np
import pytest

from edgeseq_export.forms import DYNAMIC, FLOAT, WIDENED
from edgeseq_export.layers import Residual
from edgeseq_export.reference import run_reference

PRODUCTS = pytest.mark.parametrize("product", [FLOAT, WIDENED, DYNAMIC], ids=lambda each: each.name)
KINDS = pytest.mark.parametrize("kind", ["gru", "lstm"])
BOTH = pytest.mark.parametrize("both", [False, True], ids=["forward", "bidirectional"])


@PRODUCTS
@KINDS
@BOTH
@pytest.mark.parametrize("hidden", [1, 7, 33, 130])
@pytest.mark.parametrize("pooling", ["last", "max"])
def test_a_layer_of_any_width_answers_as_the_reference(
    product, kind, both, hidden, pooling, draw, lab
) -> None:
    layer = getattr(draw, kind)("layer", 12, hidden, both=both)
    spec, model = lab.write(lab.classifier(layer, pooling=pooling), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37, 500)])


@PRODUCTS
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "first"])
def test_stacked_and_mixed_layers_answer_as_the_reference(product, pooling, draw, lab) -> None:
    layers = (
        draw.gru("first", 12, 20, both=True),
        draw.lstm("second", 40, 16),
        draw.norm("norm", 16),
        draw.lstm("third", 16, 9, both=True),
        draw.gru("fourth", 18, 18),
        Residual("around", (draw.gru("fifth", 18, 18),)),
        draw.gru("sixth", 18, 11, both=True),
    )
    spec, model = lab.write(lab.classifier(*layers, pooling=pooling), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37)])


@PRODUCTS
@KINDS
@BOTH
def test_outliers_and_rows_of_zeros_are_answered_right(product, kind, both, draw, lab) -> None:
    layer = getattr(draw, kind)("layer", 12, 24, both=both)
    layer.forward.weight_hh[5] = 0
    layer.forward.weight_ih[7] = 0
    spec, model = lab.write(lab.classifier(layer), product)
    outlier, silent = lab.features(37), lab.features(37)
    outlier[20, 3] *= 1e4
    silent[10:20] = 0
    lab.assert_agrees(spec, model, [outlier, silent, np.zeros((9, 12), np.float32)])


@pytest.mark.parametrize("product", [FLOAT, WIDENED], ids=lambda each: each.name)
@KINDS
@BOTH
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "first"])
def test_in_a_batch_each_sequence_is_answered_as_if_alone(product, kind, both, pooling, draw, lab) -> None:
    layers = [getattr(draw, kind)(f"layer{n}", (12, 20)[n], 20 // (1 + both), both=both) for n in range(2)]
    spec, model = lab.write(lab.classifier(*layers, pooling=pooling), product)
    batch = [lab.features(frames, seed=frames) for frames in (5, 60, 1, 37)]
    answers = lab.Runner(model.content).run_batch(batch, padding=1e4)
    expected = np.stack([run_reference(spec, features) for features in batch])
    assert np.abs(answers - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


@KINDS
def test_int8_compute_lets_a_later_frame_move_an_earlier_output_and_says_so(kind, draw, lab) -> None:
    spec = lab.classifier(getattr(draw, kind)("layer", 12, 24), pooling="first")
    calm = lab.features(37)
    shaken = calm.copy()
    shaken[30] *= 10
    moved = {}
    for product in (WIDENED, DYNAMIC):
        _, model = lab.write(spec, product)
        runner = lab.Runner(model.content)
        moved[model.causal] = np.abs(runner.run(shaken) - runner.run(calm)).max()
    assert moved[True] == 0
    assert moved[False] > 1e-3
