"""Linear, Norm, CausalConv and Pool, on ONNX Runtime, against the reference interpreter."""

import dataclasses

import numpy as np
import pytest

from edgeseq_export.forms import DYNAMIC, FLOAT, WIDENED
from edgeseq_export.layers import Residual
from edgeseq_export.reference import run_reference

PRODUCTS = pytest.mark.parametrize("product", [FLOAT, WIDENED, DYNAMIC], ids=lambda each: each.name)
POOLINGS = pytest.mark.parametrize("pooling", ["last", "mean", "max", "first"])


def layers_of(draw):
    return (
        draw.conv("wide", 12, 20, 5, "relu"),
        draw.norm("norm", 20),
        draw.linear("gelu", 20, 16, "gelu"),
        Residual("around", (draw.conv("narrow", 16, 16, 1, "gelu"), draw.linear("relu", 16, 16, "relu"))),
        draw.conv("last", 16, 9, 2),
    )


@PRODUCTS
@POOLINGS
def test_layers_over_frames_answer_as_the_reference(product, pooling, draw, lab) -> None:
    spec, model = lab.write(lab.classifier(*layers_of(draw), pooling=pooling), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37, 500)])


@PRODUCTS
@POOLINGS
def test_convolutions_behind_a_recurrent_layer_answer_as_the_reference(product, pooling, draw, lab) -> None:
    layers = (draw.gru("gru", 12, 9, both=True), draw.conv("conv", 18, 7, 3), draw.norm("norm", 7))
    spec, model = lab.write(lab.classifier(*layers, pooling=pooling), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37)])


@POOLINGS
def test_what_is_behind_a_sequences_end_changes_nothing(pooling, draw, lab) -> None:
    for layers in (layers_of(draw), (draw.gru("gru", 12, 12), *layers_of(draw))):
        spec, model = lab.write(lab.classifier(*layers, pooling=pooling), WIDENED)
        batch = [lab.features(frames, seed=frames) for frames in (5, 60, 1, 37)]
        answers = lab.Runner(model.content).run_batch(batch, padding=1e4)
        expected = np.stack([run_reference(spec, features) for features in batch])
        assert np.abs(answers - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


@PRODUCTS
def test_layers_behind_a_pool_answer_as_the_reference(product, draw, lab) -> None:
    spec = lab.classifier(draw.lstm("lstm", 12, 16), pooling="mean")
    *before, head = spec.layers
    behind = (draw.norm("norm", 16), draw.linear("hidden", 16, 16, "gelu"), draw.norm("norm2", 16))
    spec, model = lab.write(dataclasses.replace(spec, layers=(*before, *behind, head)), product)
    lab.assert_agrees(spec, model, [lab.features(frames) for frames in (1, 2, 37)])


@PRODUCTS
def test_outliers_and_silence_are_answered_right(product, draw, lab) -> None:
    spec, model = lab.write(lab.classifier(*layers_of(draw), pooling="max"), product)
    outlier = lab.features(37)
    outlier[20] *= 1e4
    lab.assert_agrees(spec, model, [outlier, np.zeros((9, 12), np.float32)])
