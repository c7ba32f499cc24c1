"""The training loop: AdamW, a one-cycle learning rate, the weights of the best validation epoch.

Repeatable to the bit on one machine: every random draw derives from (seed, epoch, recording), sums run
on a fixed number of threads, and a checkpoint after each epoch lets a killed training end as it would have.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq import models
from edgeseq.batches import logits_of, padded, training_batches
from edgeseq.draws import stream
from edgeseq.evaluate import evaluate_logits
from edgeseq.features import LabelledFeatures, Prepared
from edgeseq.models.classifier import SequenceClassifier
from edgeseq.training.augment import augmented
from edgeseq.training.checkpoint import EpochResult, History, TrainingState, load_checkpoint, save_checkpoint
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq_device.errors import EdgeseqError

WARM_UP = 0.25  # part of the steps in which the learning rate rises
START_DIVISOR = 20.0  # peak / first learning rate
END_DIVISOR = 1000.0  # peak / last learning rate


class TrainingProgress(Protocol):
    """What a watcher of a training is told."""

    def began(self, epochs: int, done: tuple[EpochResult, ...]) -> None:
        """At most `epochs` epochs; `done` were trained before, by the training that is resumed."""

    def batch(self, done: int, of: int) -> None:
        """`done` of the `of` batches of this epoch are trained."""

    def epoch(self, result: EpochResult, *, best: bool) -> None:
        """An epoch is over and its checkpoint is on the disk."""


class Silent:
    """Watches nothing."""

    def began(self, epochs: int, done: tuple[EpochResult, ...]) -> None: ...

    def batch(self, done: int, of: int) -> None: ...

    def epoch(self, result: EpochResult, *, best: bool) -> None: ...


def fit(
    recipe: Recipe, prepared: Prepared, checkpoint: Path | None, progress: TrainingProgress | None = None
) -> tuple[SequenceClassifier, History]:
    """Trains until the epochs or the patience are over: the module with its best weights, the history.

    `checkpoint` is written after each epoch, and gone on from where it exists already. Raises EdgeseqError
    when the loss is no longer a number.
    """
    watcher = progress or Silent()
    config = recipe.training
    with repeatable(config):
        module = models.build(recipe.model, prepared.front_end.features_count, prepared.dataset.labels)
        optimizer = torch.optim.AdamW(module.parameters(), weight_decay=config.weight_decay)
        history = History(prepared.dataset.content_sha256, prepared.splits_sha256)
        state = TrainingState(module, optimizer, history)
        if checkpoint is not None and checkpoint.exists():
            load_checkpoint(checkpoint, state)
        watcher.began(config.epochs, state.history.epochs)
        while not is_over(state.history, config):
            result = _epoch(state, config, prepared, watcher)
            state.history = state.history.with_epoch(result)
            best = state.history.best is result
            if best:
                state.best = {name: tensor.clone() for name, tensor in module.state_dict().items()}
            if checkpoint is not None:
                save_checkpoint(checkpoint, state)
            watcher.epoch(result, best=best)
        module.load_state_dict(state.best)
    module.eval()
    return module, state.history


def is_over(history: History, config: TrainConfig) -> bool:
    """All epochs done, or `patience` of them without a better validation result."""
    done, best = len(history.epochs), history.best
    if done >= config.epochs:
        return True
    return bool(config.patience and best is not None and done - best.epoch >= config.patience)


def one_cycle(step: int, steps: int, peak: float) -> float:
    """The learning rate of a step in 0..steps-1: a cosine up to `peak`, a cosine down to nearly nothing.

    (Smith & Topin 2018, arXiv 1708.07120, with cosine halves as in torch's OneCycleLR.)
    """
    rise = max(1.0, WARM_UP * steps)
    if step < rise:
        return _cosine(peak / START_DIVISOR, peak, step / rise)
    return _cosine(peak, peak / END_DIVISOR, (step - rise) / max(1.0, steps - 1 - rise))


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, part))) / 2


@contextlib.contextmanager
def repeatable(config: TrainConfig) -> Iterator[None]:
    """Deterministic algorithms, a fixed number of threads, a seeded generator; puts all three back after."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(config.threads)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(config.seed)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)
            torch.set_num_threads(threads)


def _epoch(
    state: TrainingState, config: TrainConfig, prepared: Prepared, watcher: TrainingProgress
) -> EpochResult:
    start = time.monotonic()
    number = len(state.history.epochs) + 1
    loss, accuracy, learning_rate = _train_epoch(state, config, prepared.splits.train, number, watcher)
    validation_loss, validation_accuracy = _validate(state.module, prepared.splits.validation)
    seconds = round(time.monotonic() - start, 3)
    return EpochResult(number, loss, accuracy, validation_loss, validation_accuracy, learning_rate, seconds)


def _train_epoch(
    state: TrainingState, config: TrainConfig, data: LabelledFeatures, number: int, watcher: TrainingProgress
) -> tuple[float, float, float]:
    """(mean loss, accuracy, last learning rate) over one pass in the order of epoch `number`."""
    lengths = np.array([len(item) for item in data.features], np.int64)
    batches = training_batches(
        lengths, config.batch_size, by_length=config.bucket_by_length, seed=config.seed, epoch=number
    )
    torch.manual_seed(int(stream("dropout", config.seed, number).integers(2**32)))
    state.module.train()
    loss_sum, correct, learning_rate = 0.0, 0, 0.0
    for done, chosen in enumerate(batches):
        learning_rate = one_cycle(
            (number - 1) * len(batches) + done, config.epochs * len(batches), config.learning_rate
        )
        features = [
            augmented(data.features[i], config.augment, seed=config.seed, epoch=number, index=int(i))
            for i in chosen
        ]
        labels = torch.from_numpy(data.labels[chosen])
        loss, right = _step(state, config, (*padded(features), labels), learning_rate)
        loss_sum += loss * len(chosen)
        correct += right
        watcher.batch(done + 1, len(batches))
    return loss_sum / len(data), correct / len(data), learning_rate


def _step(
    state: TrainingState, config: TrainConfig, batch: tuple[Tensor, Tensor, Tensor], learning_rate: float
) -> tuple[float, int]:
    """One update. batch: features [B, T, F], lengths [B], labels [B]. Returns (loss, number right)."""
    features, lengths, labels = batch
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    logits = state.module(features, lengths)
    loss = functional.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    if not torch.isfinite(loss):
        raise EdgeseqError(
            f"the loss became {loss.item()} in epoch {len(state.history.epochs) + 1};"
            f" train again with a --learning-rate below {config.learning_rate:g}"
        )
    state.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.module.parameters(), config.gradient_clip)
    state.optimizer.step()
    return loss.item(), int((logits.argmax(dim=1) == labels).sum())


def _validate(module: nn.Module, data: LabelledFeatures) -> tuple[float, float]:
    """(mean cross-entropy without smoothing, accuracy)."""
    module.eval()
    logits = logits_of(module, data.features)
    loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(data.labels))
    return loss.item(), evaluate_logits(logits, data).accuracy
