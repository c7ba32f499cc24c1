"""Learning a language: streams and windows, the carried state, a falling loss, resuming to the bit."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeseq import data, models
from edgeseq.data import DataOptions, FrontEndOptions
from edgeseq.evaluate.tokens import evaluate_language_module
from edgeseq.features import Prepared, prepare
from edgeseq.models.config import inputs_of
from edgeseq.models.model import LanguageModel
from edgeseq.models.shapes import model_config
from edgeseq.run_data import load_prepared
from edgeseq.runs import RunFolder, find_run_folder, open_run
from edgeseq.training.defaults import training_for
from edgeseq.training.fit import TrainingProgress, fit
from edgeseq.training.lm import NextToken, Streams, lesson
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq.training.train import default_name, prepare_resume, resume, train
from edgeseq_device.errors import DataError

TINY: dict[str, dict[str, Any]] = {
    "gru": {"hidden": 8, "embedding": 4},
    "lstm": {"hidden": 8, "embedding": 4},
    "transformer": {"hidden": 8, "embedding": 4, "heads": 2, "layers": 1, "window": 8},
}
SHORT = TrainConfig(
    epochs=3, batch_size=8, learning_rate=0.02, label_smoothing=0.0, ema=0.9, window_tokens=32
)


def settings(path: Path, family: str = "gru", **given: Any) -> tuple[Recipe, Prepared]:
    model = model_config(family, {**TINY[family], **given}, "text", task="lm")
    recipe = Recipe(str(path), DataOptions(task="lm"), model=model, training=SHORT)
    dataset = data.load(recipe.data, recipe.reading)
    return recipe, prepare(dataset, recipe.splitting, FrontEndOptions(), model)


def streams(tokens: int, **given: int) -> Streams:
    return Streams(np.arange(tokens, dtype=np.int32)[:, None], replace(SHORT, **given))  # type: ignore[arg-type]


def test_an_epoch_reads_each_stream_in_order_and_foretells_each_next_token() -> None:
    examples = streams(1000, batch_size=3, window_tokens=40)
    batches = [examples.batch(chosen, epoch=1) for chosen in examples.batches(SHORT, 1)]
    read = torch.cat([batch.features[:, :, 0] for batch in batches], dim=1)
    wanted = torch.cat([batch.labels for batch in batches], dim=1)
    assert [batch.first for batch in batches] == [True] + 7 * [False]
    assert len(examples) == 3 * 8
    assert read.flatten().tolist() == list(range(960))
    assert torch.equal(wanted, read + 1)
    assert torch.equal(batches[0].judged, batches[0].labels.flatten())


def test_each_epoch_begins_elsewhere_and_a_repeated_one_at_the_same_place() -> None:
    examples = streams(1000, batch_size=3, window_tokens=40)
    first, *later = (int(examples.batch(np.arange(3), epoch).features[0, 0]) for epoch in range(1, 9))
    assert first == 0
    assert len(set(later)) > 3
    assert max(later) <= 999 - 960
    again = streams(1000, batch_size=3, window_tokens=40)
    assert torch.equal(again.batch(np.arange(3), 5).features, examples.batch(np.arange(3), 5).features)


def test_a_short_text_has_as_many_streams_as_it_gives_windows() -> None:
    few = streams(101, batch_size=64, window_tokens=20)
    assert (few.streams, few.updates) == (5, 1)
    assert streams(21, window_tokens=20).batch(np.arange(1), 9).labels[0, -1] == 20
    with pytest.raises(DataError, match="has 20 tokens, and one window takes 21: give --window-tokens 19"):
        streams(20, window_tokens=20)


def test_the_objective_carries_the_state_until_an_epoch_begins(tiny_corpus: Path) -> None:
    recipe, prepared = settings(tiny_corpus)
    torch.manual_seed(0)
    module = models.build(recipe.model, inputs_of(prepared.front_end), prepared.labels).eval()
    assert isinstance(module, LanguageModel)
    objective, examples = NextToken(), lesson(recipe, prepared).examples
    first, second = (examples.batch(chosen, 1) for chosen in examples.batches(SHORT, 1)[:2])
    with torch.no_grad():
        both = torch.cat([first.features, second.features], dim=1)
        whole = module(both)[0][:, 32:].flatten(0, 1)
        objective(module, first)
        loss, logits = objective(module, second)
        torch.testing.assert_close(logits, whole, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(loss, functional.cross_entropy(whole, second.labels.flatten()))
        again = objective(module, first)[1]
        torch.testing.assert_close(again, module(first.features)[0].flatten(0, 1))
    loss, _ = objective(module, second)
    loss.backward()
    next_loss, _ = objective(module, second)
    next_loss.backward()  # no gradient goes back into the window before, whose graph is gone


@pytest.mark.parametrize("family", TINY)
def test_every_family_learns_the_tiny_text(tiny_corpus: Path, family: str) -> None:
    recipe, prepared = settings(tiny_corpus, family)
    module, history = fit(recipe, prepared, None)
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert losses[-1] < losses[0] < math.log(len(prepared.labels)) + 0.1
    assert isinstance(module, LanguageModel)
    found = evaluate_language_module(module, prepared.texts["validation"].ids, 500)
    assert found.nats_per_token == pytest.approx(min(losses))
    assert history.epochs[-1].validation_accuracy is None


def test_a_finished_run_has_its_metrics_and_opens_again(tiny_corpus: Path, workplace: Path) -> None:
    recipe, prepared = settings(tiny_corpus)
    assert default_name(recipe, prepared) == "plays-gru"
    run = train(recipe, prepared)
    found = run.metrics["validation"]
    tokens = len(prepared.texts["validation"].ids)
    assert set(run.metrics) & {"train", "validation", "test"} == {"train", "validation"}
    assert found["tokens"] == (tokens - 1) // 16 * 16
    assert found["bits_per_character"] == pytest.approx(found["nats_per_token"] / math.log(2))
    assert 0 < found["accuracy"] < 1
    opened = open_run("plays-gru")
    assert (opened.recipe, opened.front_end) == (recipe, prepared.front_end)
    assert opened.labels == prepared.labels
    module, again = opened.module(), load_prepared(opened)
    assert isinstance(module, LanguageModel)
    text = again.texts["validation"]
    assert evaluate_language_module(module, text.ids, text.characters).to_dict() == found


@pytest.mark.parametrize("family", ["gru", "transformer"])
def test_a_training_that_was_cut_off_ends_as_an_unbroken_one(
    tiny_corpus: Path, workplace: Path, stop_after: Callable[[int], TrainingProgress], family: str
) -> None:
    recipe, prepared = settings(tiny_corpus, family, tied=True, embedding=8)
    whole = train(recipe, prepared, "whole")
    with pytest.raises(KeyboardInterrupt, match="edgeseq train --resume cut"):
        train(recipe, prepared, "cut", stop_after(1))
    folder = find_run_folder("cut")
    resumed = resume(folder, *prepare_resume(folder))
    assert resumed.metrics == {**whole.metrics, "training_seconds": resumed.metrics["training_seconds"]}
    hashes = {hashlib.sha256(RunFolder(run.path).weights.read_bytes()).digest() for run in (whole, resumed)}
    assert len(hashes) == 1


def test_fewer_streams_than_asked_for_are_a_warning_of_the_run(tiny_corpus: Path, workplace: Path) -> None:
    recipe, prepared = settings(tiny_corpus)
    training = replace(recipe.training, batch_size=500, epochs=1)
    run = train(replace(recipe, training=training), prepared)
    windows = (len(prepared.texts["train"].ids) - 1) // 32
    expected = f"--batch-size 500: the training text gives {windows} streams of one window each"
    assert expected in run.warnings


@pytest.mark.parametrize("tokens", [18, 200, 5_000, 100_000, 1_003_854, 100_000_000])
def test_a_text_of_any_size_gets_enough_updates_and_not_too_many(tokens: int) -> None:
    config = training_for("text", tokens, model_config("gru", {}, "text", task="lm"))
    examples = Streams(np.zeros((min(tokens, 2_000_000), 1), np.int32), config)
    assert examples.streams == config.batch_size
    assert config.epochs == 3 or 120 <= config.epochs * examples.updates <= 3000
    assert 16 <= config.window_tokens <= 128
    assert (config.ema, config.label_smoothing, config.threads) == (0.998, 0.0, 2)
    assert config.augment == TrainConfig().augment
