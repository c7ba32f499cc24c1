"""Training: repeatable to the bit, resumable after a kill, finished runs that open again."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from edgeseq import data
from edgeseq.cli import main
from edgeseq.evaluate import evaluate_module
from edgeseq.features import Prepared, prepare
from edgeseq.models.config import ModelConfig
from edgeseq.run_data import load_prepared
from edgeseq.runs import RunFolder, find_run_folder, open_run
from edgeseq.training.augment import SERIES
from edgeseq.training.epoch import one_cycle
from edgeseq.training.fit import TrainingProgress, fit
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq.training.train import prepare_resume, resume, train
from edgeseq_device.errors import DataError, EdgeseqError, UsageError


def tiny(path: Path, **training: object) -> tuple[Recipe, Prepared]:
    config = TrainConfig(epochs=4, batch_size=8, threads=1, augment=SERIES)
    recipe = Recipe(
        data=str(path),
        splitting=data.SplitOptions(validation_fraction=0.2),
        model=ModelConfig(hidden=6, layers=2, dropout=0.2),
        training=replace(config, **training),  # type: ignore[arg-type]
    )
    return recipe, prepare(
        data.load(recipe.data, recipe.reading), recipe.splitting, recipe.front_end, recipe.model
    )


def weights_hash(folder: Path) -> str:
    return hashlib.sha256(RunFolder(folder).weights.read_bytes()).hexdigest()


def test_a_small_gru_learns_the_tiny_set(tiny_series: Path, workplace: Path) -> None:
    recipe, prepared = tiny(tiny_series, epochs=15, learning_rate=0.02)
    run = train(recipe, prepared)
    assert run.metrics["test"] == {"n": 12, "correct": 12, "accuracy": 1.0}
    assert run.path == Path("runs/ramps-gru")


def test_a_finished_run_opens_with_what_was_trained(tiny_series: Path, workplace: Path) -> None:
    recipe, prepared = tiny(tiny_series)
    train(recipe, prepared, "first")
    run = open_run("first")
    assert run.recipe == recipe
    assert run.labels == ("fall", "rise")
    assert run.front_end == prepared.front_end
    assert run.data_sha256 == prepared.dataset.content_sha256
    splits = load_prepared(run).splits
    assert splits.sizes() == {"train": 28, "validation": 8, "test": 12}
    assert evaluate_module(run.module(), splits.test).accuracy == run.metrics["test"]["accuracy"]
    assert [layer.name for layer in run.spec().layers] == ["gru0", "gru1", "pool", "head"]
    lines = RunFolder(run.path).history.read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(
    tiny_series: Path, workplace: Path
) -> None:
    recipe, prepared = tiny(tiny_series)
    hashes = []
    for seed in (0, 0, 1):
        torch.manual_seed(int(time.monotonic_ns() % 1000))
        changed = replace(recipe, training=replace(recipe.training, seed=seed))
        hashes.append(weights_hash(train(changed, prepared).path))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(
    tiny_series: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress]
) -> None:
    recipe, prepared = tiny(tiny_series)
    unbroken = train(recipe, prepared, "unbroken")
    with pytest.raises(KeyboardInterrupt, match="edgeseq train --resume broken"):
        train(recipe, prepared, "broken", stop_after(2))
    with pytest.raises(UsageError, match="edgeseq train --resume broken"):
        open_run("broken")
    folder = find_run_folder("broken")
    assert resume(folder, *prepare_resume(folder)).metrics["test"] == unbroken.metrics["test"]
    assert weights_hash(folder.path) == weights_hash(unbroken.path)
    with pytest.raises(UsageError, match="training is over already"):
        prepare_resume(folder)


def killed_in_the_midst(command: list[str], folder: RunFolder) -> bool:
    """Start a training and kill it once three epochs are written; whether it was not over by then."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not folder.history.exists() or folder.history.read_text().count("\n") < 3:
            assert process.poll() in (None, 0)
            time.sleep(0.002)
        process.kill()
    return not folder.is_finished


def test_a_training_killed_without_warning_resumes_to_the_same_weights(
    tiny_series: Path, workplace: Path
) -> None:
    """SIGKILL in the midst of an epoch of a real `edgeseq train`; another process goes on, this one."""
    arguments = ["--data", str(tiny_series), "--hidden", "6", "--epochs", "25", "--patience", "0"]
    command = [sys.executable, "-m", "edgeseq", "train", *arguments, "--name", "killed"]
    while not killed_in_the_midst(command, RunFolder(Path("runs/killed"))):
        shutil.rmtree("runs/killed")  # it was faster than this process, which had to wait for its turn
    for words in (["--resume", "killed"], [*arguments, "--name", "unbroken"]):
        done = CliRunner().invoke(main, ["train", *words])
        assert done.exit_code == 0, done.output
    assert weights_hash(Path("runs/killed")) == weights_hash(Path("runs/unbroken"))


def test_a_training_that_ends_before_its_first_epoch_leaves_nothing(
    tiny_series: Path, workplace: Path
) -> None:
    recipe, prepared = tiny(tiny_series, learning_rate=1e30, gradient_clip=1e30)
    with pytest.raises(EdgeseqError, match=r"the loss became nan in epoch 1; .*--learning-rate below 1e\+30"):
        train(recipe, prepared)
    assert not list(workplace.iterdir())


def test_default_names_are_numbered_and_given_ones_are_never_reused(
    tiny_series: Path, workplace: Path
) -> None:
    recipe, prepared = tiny(tiny_series, epochs=1)
    paths = [train(recipe, prepared).path.name for _ in range(3)]
    assert paths == ["ramps-gru", "ramps-gru-2", "ramps-gru-3"]
    with pytest.raises(UsageError, match="runs/ramps-gru exists already"):
        train(recipe, prepared, "ramps-gru")
    with pytest.raises(UsageError, match="use letters, digits"):
        train(recipe, prepared, "../elsewhere")


def test_resume_refuses_data_that_changed_since(
    tiny_series: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress]
) -> None:
    recipe, prepared = tiny(tiny_series)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared, "broken", stop_after(1))
    arrays = dict(np.load(tiny_series))
    arrays["samples"][0, 0, 0] += 1
    np.savez(tiny_series, **arrays)
    folder = find_run_folder("broken")
    with pytest.raises(DataError, match="the data changed since training began"):
        resume(folder, *prepare_resume(folder))


def test_resume_refuses_splits_that_come_out_otherwise(
    tiny_series: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress]
) -> None:
    """A recipe's other split seed stands for a numpy that draws otherwise."""
    recipe, prepared = tiny(tiny_series)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared, "broken", stop_after(1))
    folder = find_run_folder("broken")
    written = json.loads(folder.recipe.read_text())
    written["splitting"]["seed"] = 1
    folder.recipe.write_text(json.dumps(written))
    with pytest.raises(DataError, match="the splits come out otherwise"):
        resume(folder, *prepare_resume(folder))


def test_training_stops_when_validation_no_longer_gains(tiny_series: Path) -> None:
    recipe, prepared = tiny(tiny_series, epochs=60, patience=3, learning_rate=0.02)
    module, history = fit(recipe, prepared, None)
    assert history.best is not None
    assert len(history.epochs) == history.best.epoch + 3 < 60
    validation = evaluate_module(module, prepared.splits.validation)
    assert validation.accuracy == history.best.validation_accuracy


def test_validation_and_test_never_reach_the_front_ends_statistics(tiny_series: Path) -> None:
    _, prepared = tiny(tiny_series)
    frames = np.concatenate(prepared.splits.train.features)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)


def test_one_cycle_rises_to_its_peak_and_falls_to_nearly_nothing() -> None:
    rates = [one_cycle(step, 100, 0.01, 0.25) for step in range(100)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(0.01)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 1e-4
    assert one_cycle(0, 1, 0.01, 0.25) <= 0.01
