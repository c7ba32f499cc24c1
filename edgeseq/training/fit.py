"""The training loop: AdamW, a one-cycle learning rate, the weights of the best validation epoch.

Training has a phase in fp32, one with the rounding of the int8 model, or the one behind the other.
Repeatable to the bit on one machine: every random draw derives from (seed, epoch, recording), sums run
on a fixed number of threads, and a checkpoint after each epoch lets a killed training end as it would have.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from edgeseq import models
from edgeseq.features import Prepared
from edgeseq.models.classifier import SequenceClassifier
from edgeseq.training.checkpoint import (
    EpochResult,
    History,
    TrainingState,
    Validation,
    load_checkpoint,
    save_checkpoint,
)
from edgeseq.training.epoch import Trainer
from edgeseq.training.qat import Forward, quantized_forward, rounding_of
from edgeseq.training.recipe import Phase, Recipe, TrainConfig


class TrainingProgress(Protocol):
    """What a watcher of a training is told."""

    def began(self, epochs: int, done: tuple[EpochResult, ...]) -> None:
        """At most `epochs` epochs; `done` were trained before, by the training that is resumed."""

    def phase(self, phase: Phase, done: int, before: Validation | None) -> None:
        """A phase of at most `phase.config.epochs` epochs begins behind the `done` epochs of earlier ones.

        before: what the weights it starts from reach in its arithmetic, None for random weights.
        """

    def batch(self, done: int, of: int) -> None:
        """`done` of the `of` batches of this epoch are trained."""

    def epoch(self, result: EpochResult, *, best: bool) -> None:
        """An epoch is over and its checkpoint is on the disk."""


class Silent:
    """Watches nothing."""

    def began(self, epochs: int, done: tuple[EpochResult, ...]) -> None: ...

    def phase(self, phase: Phase, done: int, before: Validation | None) -> None: ...

    def batch(self, done: int, of: int) -> None: ...

    def epoch(self, result: EpochResult, *, best: bool) -> None: ...


def fit(
    recipe: Recipe,
    prepared: Prepared,
    checkpoint: Path | None,
    progress: TrainingProgress | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> tuple[SequenceClassifier, History]:
    """Trains until each phase's epochs or patience are over: the module with its best weights, the history.

    `checkpoint` is written after each epoch, and gone on from where it exists already. start: the weights to
    start from, None for random ones; where no epoch is better, they come back. Raises EdgeseqError when the
    loss is no longer a number.
    """
    watcher = progress or Silent()
    with repeatable(recipe.training):
        state = _first_state(recipe, prepared, start)
        if checkpoint is not None and checkpoint.exists():
            load_checkpoint(checkpoint, state)
        phases = _phases_left(recipe, state.history)
        earlier = len(state.history.epochs) - len(state.history.phase_epochs)
        watcher.began(earlier + sum(phase.config.epochs for phase in phases), state.history.epochs)
        for phase in phases:
            forward = _forward(recipe, phase, state.module)
            trainer = Trainer(phase, forward, prepared.splits, watcher.batch)
            _train_phase(trainer, state, watcher, checkpoint)
    state.module.eval()
    return state.module, state.history


def is_over(history: History, config: TrainConfig) -> bool:
    """All epochs of the phase done, or `patience` of them without a better validation result."""
    if len(history.phase_epochs) >= config.epochs:
        return True
    return bool(config.patience and history.epochs_since_best >= config.patience)


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


def _first_state(recipe: Recipe, prepared: Prepared, start: Mapping[str, Tensor] | None) -> TrainingState:
    module = models.build(recipe.model, prepared.front_end.features_count, prepared.dataset.labels)
    history = History(prepared.dataset.content_sha256, prepared.splits_sha256, phase=recipe.phases[0].name)
    state = TrainingState(module, _optimizer(module, recipe.training), history)
    if start is not None:
        module.load_state_dict(start)
        state.best = _copy(module)
    return state


def _phases_left(recipe: Recipe, history: History) -> tuple[Phase, ...]:
    """The phase that training is in and those behind it."""
    names = [phase.name for phase in recipe.phases]
    return recipe.phases[names.index(history.phase) :]


def _forward(recipe: Recipe, phase: Phase, module: SequenceClassifier) -> Forward:
    if phase.name == "float" or recipe.qat is None:
        return module
    return quantized_forward(module, rounding_of(module, recipe.qat))


def _train_phase(
    trainer: Trainer, state: TrainingState, watcher: TrainingProgress, checkpoint: Path | None
) -> None:
    """Trains one phase, or what is left of it, and leaves its best weights in the module."""
    phase = trainer.phase
    if state.history.phase != phase.name or not state.history.phase_epochs:
        before = trainer.validate(state.module) if state.best else None
        state.optimizer = _optimizer(state.module, phase.config)
        state.history = state.history.in_phase(phase.name, before)
        watcher.phase(phase, len(state.history.epochs), before)
    while not is_over(state.history, phase.config):
        result = trainer.epoch(state)
        state.history = state.history.with_epoch(result)
        best = state.history.best is result
        if best:
            state.best = _copy(state.module)
        if checkpoint is not None:
            save_checkpoint(checkpoint, state)
        watcher.epoch(result, best=best)
    state.module.load_state_dict(state.best)


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    return torch.optim.AdamW(module.parameters(), weight_decay=config.weight_decay)
