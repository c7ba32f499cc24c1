"""Objectives and lessons: what a batch is measured by, with parameters that train beside the model's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq import data
from edgeseq.features import Prepared, prepare
from edgeseq.models.config import ModelConfig
from edgeseq.training.augment import SERIES
from edgeseq.training.classify import lesson as lesson_of
from edgeseq.training.examples import UNLABELLED, Augmented, Batch, IntArray
from edgeseq.training.fit import TrainingProgress, fit
from edgeseq.training.lesson import Lesson
from edgeseq.training.objective import CrossEntropy
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Phase, QatConfig, Recipe, TrainConfig


def tiny(path: Path, **training: object) -> tuple[Recipe, Prepared]:
    config = TrainConfig(epochs=3, batch_size=8, augment=SERIES)
    recipe = Recipe(
        data=str(path),
        splitting=data.SplitOptions(validation_fraction=0.2),
        model=ModelConfig(hidden=6, dropout=0.2),
        training=replace(config, **training),  # type: ignore[arg-type]
        qat=QatConfig(epochs=2, learning_rate=1e-3),
    )
    return recipe, prepare(
        data.load(recipe.data, recipe.reading), recipe.splitting, recipe.front_end, recipe.model
    )


class Scaled(nn.Module):
    """Cross-entropy of logits that a learned matrix is applied to first."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.matrix = nn.Linear(classes, classes)

    def forward(self, forward: Forward, batch: Batch) -> tuple[Tensor, Tensor]:
        logits = forward(batch.features, batch.lengths)
        return functional.cross_entropy(self.matrix(logits), batch.labels), logits


def test_an_objective_s_own_parameters_are_trained(tiny_series: Path) -> None:
    recipe, prepared = tiny(tiny_series)
    made: list[tuple[str, Scaled, Tensor]] = []

    def objective(phase: Phase, _module: nn.Module) -> Scaled:
        scaled = Scaled(2)
        made.append((phase.name, scaled, scaled.matrix.weight.detach().clone()))
        return scaled

    module, _ = fit(recipe, prepared, None, lesson=Lesson(lesson_of(recipe, prepared).examples, objective))
    assert [name for name, *_ in made] == ["float", "qat"]
    for _, scaled, first in made:
        assert not torch.equal(scaled.matrix.weight, first)
    assert not any("matrix" in name for name in module.state_dict())


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_training_whose_objective_learns_resumes_to_the_same_bits(
    tiny_series: Path, tmp_path: Path, stop: int, stop_after: Callable[[int], TrainingProgress]
) -> None:
    """Cut off in the fp32 part, between the parts, in the int8 part; with a moving average of the weights."""
    recipe, prepared = tiny(tiny_series, ema=0.9)
    lesson = Lesson(lesson_of(recipe, prepared).examples, lambda _phase, _module: Scaled(2))
    unbroken, history = fit(recipe, prepared, None, lesson=lesson)
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, prepared, checkpoint, stop_after(stop), lesson=lesson)
    torch.manual_seed(77)
    resumed, again = fit(recipe, prepared, checkpoint, lesson=lesson)
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert [each.train_loss for each in again.epochs] == [each.train_loss for each in history.epochs]


class HalfJudgedBatch(Batch):
    """Accuracy leaves every second example out."""

    @property
    def judged(self) -> Tensor:
        return torch.where(torch.arange(len(self.labels)) % 2 == 0, self.labels, UNLABELLED)


class HalfJudged(Augmented):
    def batch(self, chosen: IntArray, epoch: int) -> Batch:
        return HalfJudgedBatch(**vars(super().batch(chosen, epoch)))


def test_accuracy_in_training_is_that_of_the_examples_it_judges(tiny_series: Path) -> None:
    recipe, prepared = tiny(tiny_series, epochs=12, learning_rate=0.02)
    examples = HalfJudged(prepared.splits.train, SERIES, 0)
    recipe = replace(recipe, qat=None)
    _, history = fit(recipe, prepared, None, lesson=Lesson(examples, lambda *_: CrossEntropy()))
    assert history.epochs[-1].train_accuracy > 0.9
    assert np.isfinite([each.train_loss for each in history.epochs]).all()


def test_the_averaged_weights_are_those_that_are_validated_and_kept(tiny_series: Path) -> None:
    recipe, prepared = tiny(tiny_series, epochs=4, patience=0)
    recipe = replace(recipe, qat=None)
    plain, first = fit(recipe, prepared, None)
    averaged, second = fit(replace(recipe, training=replace(recipe.training, ema=0.99)), prepared, None)
    assert [each.train_loss for each in first.epochs] == [each.train_loss for each in second.epochs]
    assert first.epochs[-1].validation_loss != second.epochs[-1].validation_loss
    assert not torch.equal(plain.state_dict()["head.weight"], averaged.state_dict()["head.weight"])
