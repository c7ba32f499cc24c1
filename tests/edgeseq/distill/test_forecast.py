"""Forecasters that teach one: the loss, the table with the linear baseline, resuming to the bit, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseq import data
from edgeseq.data import DataOptions
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.forecast import MixedError, together
from edgeseq.distill.run import Watching, check, distill, prepare_resume, resume_distillation
from edgeseq.distill.teachers import Teacher, open_teacher
from edgeseq.features import prepare
from edgeseq.models.shapes import model_config
from edgeseq.runs import RunFolder, open_run
from edgeseq.training.examples import Batch
from edgeseq.training.recipe import DistillConfig, Recipe, TrainConfig
from edgeseq.training.train import train
from edgeseq_device.errors import DataError

SHORT = TrainConfig(epochs=2, batch_size=32, learning_rate=0.01, label_smoothing=0.0, ema=0.9)


@pytest.fixture
def waves(workplace: Path) -> Path:
    """200 hours of two sines with noise."""
    hours, generator = np.arange(200), np.random.default_rng(0)
    load = np.sin(hours * 2 * np.pi / 12) + 0.1 * generator.standard_normal(200)
    oil = 20 + 5 * np.sin(hours * 2 * np.pi / 24) + generator.standard_normal(200)
    lines = [f"{1.4e9 + 3600 * hour:.0f},{load[hour]:.4f},{oil[hour]:.4f}" for hour in hours]
    path = workplace / "waves.csv"
    path.write_text("\n".join(["time,load,oil", *lines]) + "\n", "utf-8")
    return path


def settings(path: Path, family: str = "gru", hidden: int = 8, **shape: int) -> Recipe:
    reach = {"context": 12, "horizon": 6} | shape
    shaped = reach | ({} if family == "linear" else {"hidden": hidden, "segment": 6})
    model = model_config(family, shaped, "series", task="forecast")
    return Recipe(str(path), DataOptions(task="forecast"), model=model, training=SHORT)


def taught(recipe: Recipe, name: str) -> Teacher:
    dataset = data.load(recipe.data, recipe.reading)
    train(recipe, prepare(dataset, recipe.splitting, recipe.front_end, recipe.model), name)
    return open_teacher(name)


def distillation(recipe: Recipe, *teachers: Teacher, **config: float) -> Distillation:
    sources = tuple(each.source for each in teachers)
    asked = DistillConfig(sources, versions=1, twin=recipe.model, **config)  # type: ignore[arg-type]
    recipe = replace(recipe, distill=asked)
    dataset = data.load(recipe.data, recipe.reading)
    prepared = prepare(dataset, recipe.splitting, recipe.front_end, recipe.model)
    return Distillation(recipe, prepared, teachers)


def test_the_loss_is_the_squared_error_to_the_mean_forecast_and_a_part_of_that_to_the_truth(
    waves: Path,
) -> None:
    teachers = [taught(settings(waves, family), family) for family in ("gru", "linear")]
    student = open_run(taught(settings(waves, hidden=4), "student").source.reference).module()
    split = distillation(settings(waves), *teachers).prepared.splits.train
    features = torch.from_numpy(np.stack(split.features[:5]))
    batch = Batch(features, torch.full((5,), 12), torch.from_numpy(split.labels[:5].copy()))
    objective = MixedError(together(teachers), hard_weight=0.25)
    loss, answers = objective(student, batch)
    with torch.no_grad():
        said = [open_run(name).module()(batch.features, batch.lengths) for name in ("gru", "linear")]
    soft = (answers.detach() - (said[0] + said[1]) / 2).square().mean()
    hard = (answers.detach() - batch.labels).square().mean()
    assert loss.item() == pytest.approx((0.75 * soft + 0.25 * hard).item(), rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert not list(objective.parameters())
    for each in teachers:
        assert each.module is not None
        assert all(parameter.grad is None for parameter in each.module.parameters())


def test_teacher_baseline_twin_student_and_their_files_are_compared(waves: Path, quiet: Watching) -> None:
    asked = distillation(settings(waves, hidden=4), taught(settings(waves), "big"), hard_weight=0.5)
    check(asked)
    found = distill(asked, None, quiet)
    forms = [(form, precision) for precision in ("fp32", "int8") for form in ("onnx", "tflite")]
    assert [(row.role, row.form, row.precision) for row in found.rows] == [
        (role, *form) for role in ("teacher", "linear", "scratch", "distilled") for form in forms
    ]
    metrics = found.student.metrics
    for row in found.rows:
        figures = json.loads(json.dumps(row.figures))
        assert set(figures) == {"validation", "test"}
        assert set(figures["test"]) == {"windows", "mse", "mae"}
    by_kind = {(row.role, row.form, row.precision): row.figures for row in found.rows}
    wanted = {split: metrics[split] for split in ("validation", "test")}
    assert by_kind["distilled", "onnx", "fp32"] == wanted
    assert by_kind["linear", "onnx", "fp32"] == {split: metrics["linear"][split] for split in wanted}
    int8 = by_kind["linear", "tflite", "int8"]
    assert isinstance(int8, dict)
    assert int8["test"]["mse"] == pytest.approx(metrics["linear"]["test"]["mse"], rel=0.02)
    worse = metrics["test"]["mse"] > metrics["linear"]["test"]["mse"]
    assert any("the linear baseline is better" in each for each in found.warnings) == worse
    assert json.loads((found.student.path / "distill.json").read_text()) == json.loads(
        json.dumps(found.comparison())
    )


def test_a_resumed_distillation_ends_as_an_unbroken_one(
    waves: Path, quiet: Watching, interrupting: Callable[[str, int], Watching]
) -> None:
    asked = distillation(settings(waves, "linear"), taught(settings(waves), "big"))
    whole = distill(asked, "unbroken", quiet)
    assert [row.role for row in whole.rows[::4]] == ["teacher", "scratch", "distilled"]
    with pytest.raises(KeyboardInterrupt):
        distill(asked, "small", interrupting("small", 1))
    resume_distillation(*prepare_resume("small"), quiet)
    weights = [RunFolder(Path("runs") / name).weights.read_bytes() for name in ("unbroken", "small")]
    assert weights[0] == weights[1]


def test_a_teacher_of_another_reach_or_of_other_channels_is_refused(waves: Path) -> None:
    teacher = taught(settings(waves), "big")
    with pytest.raises(
        DataError, match=r"big: this teacher forecasts 6 moments from 12, the student 6 from 18"
    ):
        check(distillation(settings(waves, context=18), teacher))
    one = replace(settings(waves), reading=DataOptions(task="forecast", drop_columns=("oil",)))
    with pytest.raises(DataError):
        check(distillation(one, teacher))
    other = replace(settings(waves), splitting=data.SplitOptions(test_fraction=0.3))
    with pytest.raises(DataError, match="trained on other splits"):
        check(distillation(other, teacher))
