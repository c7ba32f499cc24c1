"""A recipe goes to JSON and back unchanged, and refuses what it does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from edgeseq.data import DataOptions, FrontEndOptions, SplitOptions
from edgeseq.models.config import ModelConfig
from edgeseq.training.augment import AUDIO
from edgeseq.training.recipe import QatConfig, Recipe, Start, TrainConfig
from edgeseq_device.errors import DataError, UsageError


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(
        data="fsdd",
        reading=DataOptions(test_pattern="_[0-4]$", sample_rate_hz=8000),
        splitting=SplitOptions(by_group=True, seed=4),
        front_end=FrontEndOptions(mels=32, hop_ms=12.5),
        model=ModelConfig(family="lstm", hidden=12, layers=2, bidirectional=True, pooling="max"),
        training=TrainConfig(epochs=3, learning_rate=1.1e-3, augment=AUDIO),
        qat=QatConfig("pi5", "onnx", 4, 1e-4, 2),
        start=Start("runs-first", "0" * 64),
    )
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_recipe_from_before_quantization_aware_training_trains_in_fp32() -> None:
    written = Recipe("fsdd").to_dict()
    del written["qat"], written["start"]
    recipe = Recipe.from_dict(written)
    assert [phase.name for phase in recipe.phases] == ["float"]
    assert recipe.start is None


def test_the_parts_of_a_training_differ_in_epochs_rate_and_patience_alone() -> None:
    training = TrainConfig(epochs=9, batch_size=7, weight_decay=0.2)
    recipe = Recipe("fsdd", training=training, qat=QatConfig(epochs=4, learning_rate=1e-4, patience=2))
    assert [phase.name for phase in recipe.phases] == ["float", "qat"]
    assert recipe.phases[1].config == replace(training, epochs=4, learning_rate=1e-4, patience=2)
    alone = replace(recipe, training=replace(training, epochs=0))
    assert [phase.name for phase in alone.phases] == ["qat"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modle": {}}, 'runs/a/recipe.json: unknown key "modle"; did you mean "model"'),
        ({"model": {"hiden": 3}}, 'runs/a/recipe.json: model: unknown key "hiden"; did you mean "hidden"'),
        ({"training": {"epochs": "3"}}, "runs/a/recipe.json: training: epochs: '3' is not a whole number"),
        ({"version": 99}, "runs/a/recipe.json: recipe version 99 is not known here"),
    ],
)
def test_what_it_does_not_know_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Recipe.from_dict({**Recipe("fsdd").to_dict(), **change}, "runs/a/recipe.json")


def test_settings_that_make_no_model_are_refused() -> None:
    with pytest.raises(UsageError, match="--hidden is 0"):
        ModelConfig(hidden=0)
    with pytest.raises(UsageError, match="--learning-rate is -1"):
        TrainConfig(learning_rate=-1)
    with pytest.raises(UsageError, match="--epochs is 0; give at least 1"):
        Recipe("fsdd", training=TrainConfig(epochs=0))
    with pytest.raises(UsageError, match="--qat-epochs is 0"):
        QatConfig(epochs=0)
