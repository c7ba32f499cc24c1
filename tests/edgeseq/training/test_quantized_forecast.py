"""The batched quantized forward of a forecaster is the reference interpreter's, context by context."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from edgeseq import models
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.model import Forecaster
from edgeseq.training.quantized import quantized_logits
from edgeseq_export.layers import Reversible
from edgeseq_export.quantize import ActivationQuantization
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec, quantized_layers

FAMILIES = ("gru", "lstm", "transformer", "linear")
ROUNDED = [ActivationQuantization.NONE, ActivationQuantization.PER_ROW_INT8]
LABELS = ("a", "b", "c")


def forecaster(family: str) -> Forecaster:
    torch.manual_seed(3)
    shape = {} if family == "linear" else {"hidden": 8, "segment": 4}
    module = models.build(
        ModelConfig(family, task="forecast", context=12, horizon=8, **shape), Inputs(len(LABELS)), LABELS
    )
    assert isinstance(module, Forecaster)
    return module.eval()


def contexts() -> torch.Tensor:
    """[5, 12, 3], every channel at a level of its own."""
    values = np.random.default_rng(2).standard_normal((5, 12, 3)) * (0.5, 1, 3) + (0, -4, 8)
    return torch.from_numpy(values.astype(np.float32))


def assert_like_the_reference(spec: SeqSpec, scheme: ActivationQuantization) -> None:
    rounding = dict.fromkeys(quantized_layers(spec), scheme)
    features = contexts()
    found = quantized_logits(spec, features, torch.full((5,), 12), rounding)
    expected = [run_reference(quantize_spec(spec), each.numpy(), rounding) for each in features]
    np.testing.assert_allclose(found.detach().numpy(), np.stack(expected), atol=2e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_spec_answers_as_the_module_it_describes(family: str) -> None:
    module, features = forecaster(family), contexts()
    with torch.no_grad():
        answers = module(features, torch.full((5,), 12)).numpy()
    spec = module.to_spec()
    for answer, each in zip(answers, features.numpy(), strict=True):
        np.testing.assert_allclose(run_reference(spec, each), answer, rtol=1e-5, atol=1e-5)
    unrounded = quantized_logits(spec, features, torch.full((5,), 12), {}, int8=())
    np.testing.assert_allclose(unrounded.numpy(), answers, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scheme", ROUNDED)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_forecaster_trains_with_the_arithmetic_of_its_export(
    family: str, scheme: ActivationQuantization
) -> None:
    module = forecaster(family)
    assert_like_the_reference(module.to_spec(), scheme)
    spec = module.to_spec(leaf=lambda parameter: parameter)
    rounding = dict.fromkeys(quantized_layers(spec), scheme)
    quantized_logits(spec, contexts(), torch.full((5,), 12), rounding).square().mean().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_each_kind_of_normalisation_and_none() -> None:
    spec = forecaster("gru").to_spec()
    (layer,) = spec.layers
    assert isinstance(layer, Reversible)
    for layers in (layer.layers, (dataclasses.replace(layer, kind="standard"),)):
        assert_like_the_reference(dataclasses.replace(spec, layers=layers), ROUNDED[1])
