"""Training on texts: learned, repeatable, resumable, with rounding, and from a run; with every family."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq import data
from edgeseq.evaluate import evaluate_module
from edgeseq.features import Prepared, prepare
from edgeseq.models.shapes import model_config
from edgeseq.run_data import load_prepared
from edgeseq.runs import RunFolder, find_run_folder, open_run
from edgeseq.training.classify import lesson as lesson_of
from edgeseq.training.defaults import training_for
from edgeseq.training.fit import TrainingProgress, fit
from edgeseq.training.recipe import QatConfig, Recipe
from edgeseq.training.start import start_from
from edgeseq.training.train import prepare_resume, resume, train
from edgeseq_device.errors import UsageError

TINY = {"hidden": 8, "embedding": 8}
FRONT_END = data.FrontEndOptions(subwords=4, buckets=64)


def tiny(
    path: Path, family: str = "gru", qat: QatConfig | None = None, given: dict[str, Any] | None = None
) -> tuple[Recipe, Prepared]:
    recipe = Recipe(
        data=str(path), front_end=FRONT_END, model=model_config(family, {**TINY, **(given or {})}, "text")
    )
    prepared = prepare(
        data.load(recipe.data, recipe.reading), recipe.splitting, recipe.front_end, recipe.model
    )
    training = replace(training_for("text", 48, recipe.model), epochs=2)
    return replace(recipe, training=training, qat=qat), prepared


def weights_hash(folder: Path) -> str:
    return hashlib.sha256(RunFolder(folder).weights.read_bytes()).hexdigest()


@pytest.mark.parametrize("family", ["gru", "lstm", "transformer", "bag"])
def test_every_family_learns_the_tiny_requests(tiny_texts: Path, family: str) -> None:
    recipe, prepared = tiny(tiny_texts, family, given={"heads": 2} if family == "transformer" else None)
    recipe = replace(recipe, training=replace(recipe.training, epochs=12, learning_rate=0.02))
    module, _ = fit(recipe, prepared, None)
    assert evaluate_module(module, prepared.splits.test).accuracy > 0.9


def test_a_finished_run_opens_with_its_tokenizer(tiny_texts: Path, workplace: Path) -> None:
    recipe, prepared = tiny(tiny_texts)
    train(recipe, prepared, "first")
    run = open_run("first")
    assert (run.recipe, run.front_end) == (recipe, prepared.front_end)
    splits = load_prepared(run).splits
    assert evaluate_module(run.module(), splits.test).accuracy == run.metrics["test"]["accuracy"]
    assert [layer.name for layer in run.spec().layers] == ["embedding", "gru0", "pool", "head"]


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(
    tiny_texts: Path, workplace: Path, stop: int, stop_after: Callable[[int], TrainingProgress]
) -> None:
    """Cut off in the fp32 part and in the int8 part, in which the table is rounded row by row."""
    recipe, prepared = tiny(tiny_texts, qat=QatConfig(epochs=2, learning_rate=1e-3))
    unbroken = train(recipe, prepared, "unbroken")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared, "broken", stop_after(stop))
    folder = find_run_folder("broken")
    resume(folder, *prepare_resume(folder))
    assert weights_hash(folder.path) == weights_hash(unbroken.path)
    assert set(unbroken.metrics["int8"]) == {"train", "validation", "test"}


def test_a_training_starts_from_a_run_with_its_tokenizer(tiny_texts: Path, workplace: Path) -> None:
    source = train(*tiny(tiny_texts, "bag"), "source")
    recipe, prepared = start_from(source)
    assert prepared.front_end == source.front_end
    recipe = replace(recipe, training=replace(recipe.training, epochs=0), qat=QatConfig(epochs=1))
    run = train(recipe, prepared, source=source)
    assert run.recipe.start is not None
    assert run.metrics["epochs"] == 1


def test_each_epoch_has_texts_of_its_own_and_the_batches_are_made_of_them(tiny_texts: Path) -> None:
    recipe, prepared = tiny(tiny_texts)
    examples = lesson_of(recipe, prepared).examples
    first, second = examples.lengths(1), examples.lengths(2)
    assert first.tolist() != second.tolist()
    assert first.tolist() == examples.lengths(1).tolist()
    chosen = np.array([5, 0, 17])
    batch = examples.batch(chosen, 1)
    assert batch.lengths.tolist() == first[chosen].tolist()
    assert batch.features.shape == (3, int(first[chosen].max()), prepared.front_end.features_count)
    assert batch.labels.tolist() == prepared.splits.train.labels[chosen].tolist()
    for row, length in zip(batch.features, batch.lengths, strict=True):
        assert not row[length:].any()


def test_more_tokens_than_learned_positions_are_refused(tiny_texts: Path, workplace: Path) -> None:
    given = {"positions": "learned", "max_frames": 3, "heads": 2}
    with pytest.raises(UsageError, match="give --max-frames"):
        train(*tiny(tiny_texts, "transformer", given=given))
    assert not list(workplace.iterdir())
