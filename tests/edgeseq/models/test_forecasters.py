"""Forecasters: what their layers compute, and that the description of one computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeseq import models
from edgeseq.models.config import Inputs
from edgeseq.models.forecast.linear import LinearForecaster
from edgeseq.models.forecast.recurrent import RecurrentForecaster
from edgeseq.models.model import SequenceModel
from edgeseq.models.shapes import model_config
from edgeseq_device.errors import UsageError
from edgeseq_export.layers import Linear, PerChannel
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import walk

CONTEXT, HORIZON, CHANNELS = 30, 12, 3
SHAPES: dict[str, dict[str, Any]] = {
    "gru": {"hidden": 6, "segment": 6},
    "lstm": {"hidden": 6, "segment": 6},
    "transformer": {"hidden": 8, "heads": 2, "layers": 2, "segment": 7},
    "linear": {},
}


def forecaster(family: str, **given: Any) -> SequenceModel:
    """With weights that are large enough for each of them to matter."""
    torch.manual_seed(0)
    shape = {"context": CONTEXT, "horizon": HORIZON, **SHAPES[family], **given}
    config = model_config(family, shape, "series", task="forecast")
    module = models.build(config, Inputs(CHANNELS), tuple("abc"))
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.4)
    return module.eval()


def answers(module: SequenceModel, features: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = module(features, torch.full((len(features),), features.shape[1]))
    return found


def features(windows: int = 4) -> Tensor:
    return torch.randn(windows, CONTEXT, CHANNELS, generator=torch.Generator().manual_seed(1)) * 2 + 1


@pytest.mark.parametrize("family", SHAPES)
def test_the_description_of_a_forecaster_answers_as_the_module_does(family: str) -> None:
    module = forecaster(family)
    spec = module.to_spec()
    assert (spec.frames, spec.horizon, spec.outputs) == (CONTEXT, HORIZON, HORIZON * CHANNELS)
    found = np.stack([run_reference(spec, each.numpy()).reshape(-1) for each in features()])
    assert np.abs(found - answers(module, features()).numpy()).max() < 1e-5


@pytest.mark.parametrize("family", SHAPES)
def test_channels_do_not_depend_on_each_other_and_stand_together_in_each_moment(family: str) -> None:
    module, other = forecaster(family), features()
    other[:, :, 2] += torch.randn(CONTEXT)
    before, after = (answers(module, each).view(4, HORIZON, CHANNELS) for each in (features(), other))
    assert torch.equal(before[:, :, :2], after[:, :, :2])
    assert not torch.equal(before[:, :, 2], after[:, :, 2])


@pytest.mark.parametrize(("family", "factor"), [("gru", 1.0), ("transformer", 3.0)])
def test_what_is_normalised_follows_the_level_of_its_context(family: str, factor: float) -> None:
    module = forecaster(family)
    moved = answers(module, features() * factor + 50)
    assert torch.allclose(moved, answers(module, features()) * factor + 50, atol=1e-3)


def test_dlinear_is_its_two_layers_on_the_moving_average_and_the_rest() -> None:
    module = forecaster("linear")
    assert isinstance(module, LinearForecaster)
    rows = features()[0, :, 0]
    padded = torch.cat([rows[:1].expand(12), rows, rows[-1:].expand(12)])
    trend = torch.stack([padded[at : at + 25].mean() for at in range(CONTEXT)])
    expected = module.trend(trend) + module.rest(rows - trend)
    found = answers(module, features()).view(4, HORIZON, CHANNELS)[0, :, 0]
    assert torch.allclose(found, expected, atol=1e-5)


def test_dlinear_is_exported_as_one_matrix() -> None:
    spec = forecaster("linear").to_spec()
    assert isinstance(spec.layers[0], PerChannel)
    (head,) = (layer for layer in walk(spec.layers) if isinstance(layer, Linear))
    assert head.weight.shape == (HORIZON, CONTEXT)


@pytest.mark.parametrize("family", ["gru", "lstm"])
def test_segments_are_stepped_through_and_each_segment_to_come_is_one_step_from_there(family: str) -> None:
    module = forecaster(family)
    assert isinstance(module, RecurrentForecaster)
    rows = features()[0, :, 1]
    level = rows[-1]
    found: list[Tensor] = []
    cell = _cell_of(module)
    state = _zeros(family)
    for segment in (rows - level).view(-1, 6):
        state = cell(torch.relu(module.input(segment))[None], state)
    for step in module.steps:
        behind = cell(step[None], state)
        found.append(module.head(behind[0] if isinstance(behind, tuple) else behind)[0])
    expected = torch.cat(found) + level
    assert torch.allclose(
        answers(module, features()).view(4, HORIZON, CHANNELS)[0, :, 1], expected, atol=1e-5
    )


def _zeros(family: str) -> Any:
    zeros = torch.zeros(1, 6)
    return (zeros, zeros) if family == "lstm" else zeros


def _cell_of(module: RecurrentForecaster) -> nn.Module:
    cell = (nn.LSTMCell if module.config.family == "lstm" else nn.GRUCell)(6, 6)
    cell.load_state_dict(
        {name.removesuffix("_l0"): each for name, each in module.recurrent.state_dict().items()}
    )
    return cell


def test_dropout_counts_in_training_alone() -> None:
    module = forecaster("gru", dropout=0.5)
    assert torch.equal(answers(module, features()), answers(module, features()))
    module.train()
    assert not torch.equal(answers(module, features()), answers(module, features()))


def test_the_usual_segment_shrinks_to_one_that_the_horizon_is_a_multiple_of() -> None:
    usual = {"context": 336, "horizon": 96}
    assert model_config("gru", usual, "series", task="forecast").segment == 24
    assert model_config("gru", {**usual, "horizon": 30}, "series", task="forecast").segment == 6
    with pytest.raises(UsageError, match="--horizon 30 is no multiple of --segment 24"):
        model_config("gru", {**usual, "horizon": 30, "segment": 24}, "series", task="forecast")


def test_a_patch_takes_any_context_and_horizon() -> None:
    for reach, segment in (((337, 97), 24), ((10, 1), 10)):
        given = dict(zip(("context", "horizon"), reach, strict=True))
        assert model_config("transformer", given, "series", task="forecast").segment == segment


@pytest.mark.parametrize(
    ("context", "horizon", "advice"),
    [
        (336, 97, "give --horizon 98, a --segment"),
        (337, 96, "give --context 340, a"),
        (20, 18, "give --horizon 20 or --context 24, a"),
        (337, 97, "give --horizon 120 and --context 360, a"),
    ],
)
def test_a_segment_of_hardly_a_moment_is_refused_with_the_next_reach_that_fits(
    context: int, horizon: int, advice: str
) -> None:
    given = {"context": context, "horizon": horizon}
    with pytest.raises(UsageError, match=advice):
        model_config("lstm", given, "series", task="forecast")
    assert model_config("lstm", {**given, "segment": 1}, "series", task="forecast").segment == 1
