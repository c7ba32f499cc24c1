"""GRU and LSTM classifiers: the same answers with and without padding, in torch and in numpy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from edgeseq import models
from edgeseq.batches import padded
from edgeseq.models.classify.recurrent import RecurrentClassifier
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq_device.errors import UsageError
from edgeseq_export.layers import CausalConv, Linear, Pool
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import parameters

LABELS = ("a", "b", "c")
SHAPES: list[dict[str, Any]] = [
    {"family": family, "pooling": pooling, "layers": layers, "bidirectional": bidirectional}
    for family, pooling, (layers, bidirectional) in itertools.product(
        ("gru", "lstm"), ("last", "mean", "max"), ((1, False), (2, True))
    )
]
SHAPES += [{"family": "gru", "conv_kernel": 3}, {"family": "lstm", "pooling": "mean", "conv_kernel": 1}]
NAMES = ["-".join(map(str, shape.values())) for shape in SHAPES]


def new_model(**shape: Any) -> RecurrentClassifier:
    torch.manual_seed(5)
    model = models.build(ModelConfig(hidden=7, **shape), Inputs(4), LABELS)
    assert isinstance(model, RecurrentClassifier)
    model.eval()
    return model


def recordings() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.standard_normal((frames, 4)).astype(np.float32) for frames in (1, 9, 3, 17)]


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_padding_never_changes_an_answer(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    features, lengths = padded(recordings())
    garbage = torch.full((4, 30, 4), 1e3)
    garbage[:, : features.shape[1]] = features
    for row, length in zip(garbage, lengths, strict=True):
        row[length:] = 1e3
    with torch.inference_mode():
        alone = torch.cat([model(*padded([recording])) for recording in recordings()])
        torch.testing.assert_close(model(features, lengths), alone, atol=1e-6, rtol=0)
        torch.testing.assert_close(model(garbage, lengths), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_the_spec_gives_the_modules_answers(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    spec = model.to_spec()
    for recording in recordings():
        with torch.inference_mode():
            expected = model(*padded([recording])).numpy()[0]
        np.testing.assert_allclose(run_reference(spec, recording), expected, atol=2e-6)


@pytest.mark.parametrize("family", ["gru", "lstm"])
def test_a_single_sequence_gives_what_torchs_own_layer_gives(family: str) -> None:
    model = new_model(family=family, layers=2, bidirectional=True)
    features = torch.from_numpy(recordings()[3])
    with torch.inference_mode():
        _, state = model.recurrent(features)
        hidden = state if family == "gru" else state[0]
        expected = model.head(torch.cat([hidden[-2], hidden[-1]]))
        torch.testing.assert_close(model(features[None], torch.tensor([17]))[0], expected, atol=1e-6, rtol=0)


def test_the_specs_layers_are_named_by_family_and_number() -> None:
    spec = new_model(family="lstm", layers=2, pooling="max").to_spec()
    assert [layer.name for layer in spec.layers] == ["lstm0", "lstm1", "pool", "head"]
    assert isinstance(spec.layers[2], Pool)
    assert spec.layers[2].kind == "max"
    assert spec.labels == LABELS
    assert spec.input_features == 4


def test_a_spec_keeps_its_weights_while_training_goes_on() -> None:
    model = new_model(family="gru")
    head = model.to_spec().layers[-1]
    assert isinstance(head, Linear)
    before = np.array(head.weight)
    with torch.no_grad():
        model.head.weight.add_(1.0)
    np.testing.assert_array_equal(np.asarray(head.weight), before)


def test_a_convolution_in_front_is_the_specs_first_layer() -> None:
    conv = new_model(family="gru", conv_kernel=3).to_spec().layers[0]
    assert isinstance(conv, CausalConv)
    assert (conv.kernel, conv.activation, conv.weight.shape) == (3, "relu", (7, 12))


def test_a_spec_can_hold_the_live_parameters() -> None:
    model = new_model(family="lstm", layers=2, bidirectional=True, conv_kernel=2)
    live: Any = parameters(model.to_spec(leaf=lambda parameter: parameter))
    assert {id(leaf) for leaf in live.values()} == {id(parameter) for parameter in model.parameters()}


def test_an_unknown_family_names_the_nearest() -> None:
    with pytest.raises(UsageError, match='unknown model "grue"; did you mean "gru"'):
        ModelConfig(family="grue")
