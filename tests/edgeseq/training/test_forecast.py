"""Learning to forecast: errors, the linear baseline beside, resuming to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgeseq import data, models
from edgeseq.data import DataOptions
from edgeseq.evaluate.windows import evaluate_forecaster
from edgeseq.features import Prepared, prepare
from edgeseq.models.config import inputs_of
from edgeseq.models.shapes import model_config
from edgeseq.runs import RunFolder, find_run_folder
from edgeseq.training import forecast
from edgeseq.training.checkpoint import load_weights
from edgeseq.training.defaults import training_for
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.fit import Silent, TrainingProgress
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq.training.train import prepare_resume, resume, train

SHORT = TrainConfig(epochs=3, batch_size=32, learning_rate=0.01, label_smoothing=0.0, ema=0.9)


def settings(path: Path, family: str = "gru") -> tuple[Recipe, Prepared]:
    shape = {"context": 24, "horizon": 12} | ({} if family == "linear" else {"hidden": 8, "segment": 12})
    model = model_config(family, shape, "series", task="forecast")
    recipe = Recipe(str(path), DataOptions(task="forecast"), model=model, training=SHORT)
    dataset = data.load(recipe.data, recipe.reading)
    return recipe, prepare(dataset, recipe.splitting, recipe.front_end, model)


def test_a_batch_is_its_windows_beside_each_other_and_judges_nothing(waves: Path) -> None:
    recipe, prepared = settings(waves)
    lesson = forecast.lesson(recipe, prepared)
    windows = prepared.splits.train
    chosen = np.array([5, 0, 7])
    batch = lesson.examples.batch(chosen, epoch=1)
    assert np.array_equal(batch.features.numpy(), np.stack([windows.features[i] for i in chosen]))
    assert np.array_equal(batch.labels.numpy(), windows.labels[chosen])
    assert not (batch.judged != UNLABELLED).any()
    order = np.concatenate(lesson.examples.batches(recipe.training, epoch=1))
    assert sorted(order.tolist()) == list(range(len(windows)))
    assert order.tolist() != np.concatenate(lesson.examples.batches(recipe.training, epoch=2)).tolist()


def test_the_loss_and_the_judge_are_the_mean_squared_error_of_a_loop(waves: Path) -> None:
    recipe, prepared = settings(waves)
    module = models.build(recipe.model, inputs_of(prepared.front_end), prepared.labels).eval()
    squared, absolute, count = 0.0, 0.0, 0
    part = prepared.splits.validation
    for features, wanted in zip(part.features, part.labels, strict=True):
        with torch.no_grad():
            found = module(torch.from_numpy(features.copy())[None], torch.tensor([24]))[0].numpy()
        for moment in range(12):
            for channel in range(2):
                error = float(found[moment * 2 + channel]) - float(wanted[moment * 2 + channel])
                squared, absolute, count = squared + error**2, absolute + abs(error), count + 1
    judged = forecast.judge(prepared)(module)
    assert judged.loss == pytest.approx(squared / count, rel=1e-5)
    assert judged.accuracy is None
    reached = forecast.metrics(module, prepared)["validation"]
    assert reached == {
        "windows": len(part),
        "mse": pytest.approx(squared / count, rel=1e-5),
        "mae": pytest.approx(absolute / count, rel=1e-5),
    }
    lesson = forecast.lesson(recipe, prepared)
    everything = forecast.WindowExamples(part).batch(np.arange(len(part)), epoch=1)
    loss, answers = lesson.objective(recipe.phases[0], module)(module, everything)
    assert loss.item() == pytest.approx(squared / count, rel=1e-5)
    assert answers.shape == (len(part), 24)


def test_nothing_is_learnt_from_what_nobody_knows() -> None:
    answers = torch.tensor([[1.0, 2.0, 3.0, 5.0]], requires_grad=True)
    unknown = torch.tensor([[2.0, torch.nan, 3.0, 3.0]])
    batch = forecast.WindowBatch(torch.zeros(1, 2, 2), torch.tensor([2]), unknown)
    loss, _ = forecast.SquaredError()(lambda *_: answers, batch)
    loss.backward()
    assert loss.item() == pytest.approx((1 + 0 + 4) / 3)
    assert answers.grad is not None
    assert answers.grad[0].tolist() == pytest.approx([-2 / 3, 0, 0, 4 / 3])


class Told(Silent):
    """of: what was said behind the last epoch."""

    def __init__(self) -> None:
        self.of: list[str] = []

    def measuring(self, examples: int) -> None:  # noqa: ARG002
        self.of.append("measuring")

    def baseline(self) -> None:
        self.of.append("baseline")


def test_a_run_has_the_linear_baseline_beside_it(waves: Path, workplace: Path) -> None:
    recipe, prepared = settings(waves)
    told = Told()
    run = train(recipe, prepared, "waves", told)
    assert told.of == ["measuring", "baseline"]
    reached = json.loads(RunFolder(run.path).result.read_text("utf-8"))["metrics"]
    assert set(reached["linear"]) == {"train", "validation", "test"}
    assert set(reached["test"]) == set(reached["linear"]["test"]) == {"windows", "mse", "mae"}
    linear, linear_prepared = settings(waves, "linear")
    module = models.build(linear.model, inputs_of(run.front_end), run.labels)
    module.load_state_dict(load_weights(RunFolder(run.path).linear)[0])
    assert evaluate_forecaster(module, linear_prepared.splits.test).mse == reached["linear"]["test"]["mse"]
    assert run.labels == ("load", "oil")
    assert run.module().to_spec().horizon == 12


def test_a_linear_run_has_none_beside_it(waves: Path, workplace: Path) -> None:
    told = Told()
    run = train(*settings(waves, "linear"), "waves", told)
    assert told.of == ["measuring"]
    assert "linear" not in run.metrics
    assert not RunFolder(run.path).linear.exists()
    assert run.metrics["test"]["mse"] < 0.5


def reached(mse: float, linear: float, split: str = "test") -> dict[str, Any]:
    return {split: {"mse": mse}, "linear": {split: {"mse": linear}}}


def test_a_forecaster_that_is_worse_than_the_baseline_says_so(waves: Path) -> None:
    known = settings(waves)
    (doubt,) = forecast.doubts(*known, reached(0.4, 0.37))
    assert "the linear baseline is better: test MSE 0.3700 against 0.4000" in doubt
    assert not forecast.doubts(*known, reached(0.37, 0.4))
    assert "validation MSE" in forecast.doubts(*known, reached(0.4, 0.37, "validation"))[0]
    assert "or train longer (--epochs)" in doubt
    assert not forecast.doubts(*known, {"test": {"mse": 0.4}})


@pytest.mark.parametrize(
    ("true", "cells", "doubted"), [(24, 240, False), (23, 96, True), (99, 1000, True), (100, 1000, False)]
)
def test_errors_over_a_split_that_is_mostly_filled_are_doubted(
    waves: Path, true: int, cells: int, *, doubted: bool
) -> None:
    split = {"mse": 0.3, "cells": cells, "true_cells": true}
    doubts = forecast.doubts(*settings(waves), {"test": split, "linear": {"test": {"mse": 0.4}}})
    assert [each.partition(" cells to")[0] for each in doubts] == [f"{true} of the {cells:,}"] * doubted


def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(
    waves: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress]
) -> None:
    unbroken = train(*settings(waves), "unbroken")
    with pytest.raises(KeyboardInterrupt):
        train(*settings(waves), "broken", stop_after(2))
    folder = find_run_folder("broken")
    resumed = resume(folder, *prepare_resume(folder))
    for kept in ("weights", "linear"):
        whole, broken = (load_weights(getattr(RunFolder(run.path), kept))[0] for run in (unbroken, resumed))
        assert all(torch.equal(whole[name], broken[name]) for name in whole)
    for split in ("test", "linear"):
        assert resumed.metrics[split] == unbroken.metrics[split]


def test_the_usual_settings_train_about_as_many_updates_on_any_series() -> None:
    model = model_config("gru", {}, "series", task="forecast")
    few, some, many = (training_for("series", windows, model) for windows in (500, 8209, 10**6))
    assert few.epochs > some.epochs > many.epochs
    assert training_for("series", 8209, model_config("linear", {}, task="forecast")).weight_decay == 0
    assert some.label_smoothing == 0
    assert not some.bucket_by_length
