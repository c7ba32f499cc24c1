"""Quantization-aware training: behind fp32 training or from a run, repeatable, resumable, kept if better."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseq import data
from edgeseq.features import Prepared, prepare
from edgeseq.models.config import ModelConfig
from edgeseq.runs import Run, RunFolder, find_run_folder, open_run
from edgeseq.training.augment import OFF, SERIES
from edgeseq.training.fit import TrainingProgress, fit
from edgeseq.training.qat import fine_tuning, qat_for
from edgeseq.training.recipe import QatConfig, Recipe, TrainConfig
from edgeseq.training.start import going_on, start_from
from edgeseq.training.train import prepare_resume, resume, train
from edgeseq_device.errors import DataError, EdgeseqError, UsageError

QAT = QatConfig(epochs=3, learning_rate=1e-3)


def tiny(path: Path, qat: QatConfig | None = QAT, **training: object) -> tuple[Recipe, Prepared]:
    config = TrainConfig(epochs=3, batch_size=8, threads=1, augment=SERIES)
    recipe = Recipe(
        data=str(path),
        splitting=data.SplitOptions(validation_fraction=0.2),
        model=ModelConfig(hidden=6, layers=2, dropout=0.2),
        training=replace(config, **training),  # type: ignore[arg-type]
        qat=qat,
    )
    return recipe, prepare(
        data.load(recipe.data, recipe.reading), recipe.splitting, recipe.front_end, recipe.model
    )


def qat_from(run: Run, qat: QatConfig) -> tuple[Recipe, Prepared]:
    recipe, prepared = start_from(run)
    return replace(recipe, training=replace(recipe.training, epochs=0), qat=qat), prepared


def weights_hash(folder: Path) -> str:
    return hashlib.sha256(RunFolder(folder).weights.read_bytes()).hexdigest()


def test_the_int8_part_follows_the_fp32_part_and_the_run_says_so(tiny_series: Path, workplace: Path) -> None:
    recipe, prepared = tiny(tiny_series)
    run = train(recipe, prepared)
    assert run.path == Path("runs/ramps-gru-qat")
    assert open_run(run.path).recipe == recipe
    lines = [json.loads(line) for line in RunFolder(run.path).history.read_text().splitlines()]
    assert [(line["epoch"], line["phase"]) for line in lines] == [
        *((number, "float") for number in (1, 2, 3)),
        *((number, "qat") for number in (4, 5, 6)),
    ]
    assert max(line["learning_rate"] for line in lines[3:]) <= 1e-3
    result = run.to_dict()
    assert result["qat"]["target"] == "generic"
    assert {"gru0", "gru1", "head"} <= set(result["qat"]["activations"])
    assert 0 <= result["before"]["validation"]["accuracy"] <= 1
    int8 = run.metrics["int8"]
    assert {name: each["n"] for name, each in int8.items()} == {"train": 28, "validation": 8, "test": 12}


def test_the_fp32_part_is_that_of_a_training_without_qat(
    tiny_series: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(*tiny(tiny_series), "with", stop_after(3))
    train(*tiny(tiny_series, qat=None), "without")
    read = [
        [
            {key: value for key, value in json.loads(line).items() if key != "seconds"}
            for line in Path(f"runs/{name}/history.jsonl").read_text().splitlines()
        ]
        for name in ("with", "without")
    ]
    assert read[0] == read[1]


def test_the_same_recipe_gives_the_same_weights(tiny_series: Path, workplace: Path) -> None:
    recipe, prepared = tiny(tiny_series)
    hashes = {weights_hash(train(recipe, prepared).path) for _ in range(2)}
    assert len(hashes) == 1


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(
    tiny_series: Path, workplace: Path, stop: int, stop_after: Callable[[int], TrainingProgress]
) -> None:
    """Cut off in the fp32 part, exactly between the parts, and in the int8 part."""
    recipe, prepared = tiny(tiny_series)
    unbroken = train(recipe, prepared, "unbroken")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared, "broken", stop_after(stop))
    folder = find_run_folder("broken")
    resumed = resume(folder, *prepare_resume(folder))
    assert weights_hash(folder.path) == weights_hash(unbroken.path)
    assert resumed.metrics["int8"] == unbroken.metrics["int8"]
    assert resumed.to_dict()["before"] == unbroken.to_dict()["before"]


def test_a_training_from_a_run_keeps_its_weights_unless_it_finds_better_ones(
    tiny_series: Path, workplace: Path
) -> None:
    """A learning rate that undoes everything: the weights that it started from come back."""
    source = train(*tiny(tiny_series, qat=None, epochs=20, learning_rate=0.02), "source")
    recipe, prepared = qat_from(source, replace(QAT, learning_rate=1e3))
    run = train(recipe, prepared, source=source)
    assert run.metrics["best_epoch"] == 0
    assert weights_hash(run.path) == weights_hash(source.path)


def test_accuracy_that_rounding_takes_comes_back(tmp_path: Path, write_series: Callable[..., Path]) -> None:
    """One unit in front of the GRU is a thousand times smaller and its column of weights as much larger.

    In fp32 that is the same model; in int8 the column takes the scale of every row.
    """
    path = write_series(tmp_path / "ramps.npz", labels=("fall", "rise", "steep"), recordings=240)
    recipe, _ = tiny(path, qat=None, epochs=8, learning_rate=0.02, augment=OFF)
    recipe = replace(
        recipe,
        model=ModelConfig(hidden=12, conv_kernel=2, dropout=0.0),
        splitting=data.SplitOptions(validation_fraction=0.4),
    )
    prepared = prepare(
        data.load(recipe.data, recipe.reading), recipe.splitting, recipe.front_end, recipe.model
    )
    module, first = fit(recipe, prepared, None)
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    for name in ("front.linear.weight", "front.linear.bias"):
        weights[name][0] /= 1000
    weights["recurrent.weight_ih_l0"][:, 0] *= 1000
    again = replace(
        recipe,
        training=replace(recipe.training, epochs=0),
        qat=QatConfig(epochs=10, learning_rate=4e-3, patience=0),
    )
    _, history = fit(again, prepared, None, start=weights)
    assert first.best is not None
    assert history.before is not None
    assert history.best is not None
    assert history.before.accuracy < first.best.validation_accuracy - 0.1
    assert history.best.validation_accuracy > history.before.accuracy + 0.1


def test_a_run_knows_what_it_started_from_even_when_that_is_gone(
    tiny_series: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress]
) -> None:
    source = train(*tiny(tiny_series, qat=None), "source")
    recipe, prepared = qat_from(source, QAT)
    unbroken = train(recipe, prepared, "unbroken", source=source)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared, "broken", stop_after(1), source)
    shutil.rmtree(source.path)
    folder = find_run_folder("broken")
    folder.checkpoint.unlink()
    resume(folder, *prepare_resume(folder))
    assert weights_hash(folder.path) == weights_hash(unbroken.path)
    assert unbroken.recipe.start is not None
    assert unbroken.recipe.start.run == "source"
    assert [each.name for each in unbroken.spec().layers] == ["gru0", "gru1", "pool", "head"]


def test_other_weights_than_those_training_began_with_are_refused(
    tiny_series: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress]
) -> None:
    source = train(*tiny(tiny_series, qat=None), "source")
    other = train(*tiny(tiny_series, qat=None, seed=1), "other")
    recipe, prepared = qat_from(source, QAT)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared, "broken", stop_after(1), source)
    folder = find_run_folder("broken")
    shutil.copy(RunFolder(other.path).weights, folder.start)
    with pytest.raises(DataError, match=r"start.safetensors: not the weights of source"):
        resume(folder, *prepare_resume(folder))


def test_starting_from_a_run_whose_data_changed_is_refused(tiny_series: Path, workplace: Path) -> None:
    source = train(*tiny(tiny_series, qat=None), "source")
    arrays = dict(np.load(tiny_series))
    arrays["samples"][0, 0, 0] += 1
    np.savez(tiny_series, **arrays)
    with pytest.raises(DataError, match="not what the run was trained on"):
        start_from(source)


def test_a_loss_that_is_no_number_names_the_option_of_the_int8_part(tiny_series: Path) -> None:
    recipe, prepared = tiny(tiny_series, replace(QAT, learning_rate=1e30), gradient_clip=1e30)
    with pytest.raises(EdgeseqError, match=r"epoch 4; train again with a --qat-learning-rate below 1e\+30"):
        fit(recipe, prepared, None)


def test_going_on_is_gentler_than_a_first_training_but_only_once(tiny_series: Path, workplace: Path) -> None:
    source = train(*tiny(tiny_series, qat=None), "source")
    first, again = source.recipe.training, going_on(source.recipe)
    assert again == fine_tuning(first)
    assert again.learning_rate == pytest.approx(first.learning_rate / 10)
    recipe, _ = start_from(source)
    assert going_on(replace(recipe, training=again)) == again


def test_settings_behind_a_training_follow_it_and_fit_the_target() -> None:
    settings = qat_for(TrainConfig(epochs=100, learning_rate=8e-3), "armv7", "tflite")
    assert (settings.epochs, settings.learning_rate) == (25, pytest.approx(8e-4))
    assert qat_for(TrainConfig(patience=0), "generic", "onnx").patience == 0
    with pytest.raises(UsageError, match="the target armv7 takes tflite alone"):
        qat_for(TrainConfig(), "armv7", "onnx")
    with pytest.raises(UsageError, match='unknown target "pi55"; did you mean "pi5"'):
        qat_for(TrainConfig(), "pi55", "tflite")
