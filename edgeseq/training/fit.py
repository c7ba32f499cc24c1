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
from edgeseq.draws import stream
from edgeseq.features import Prepared
from edgeseq.models.config import inputs_of
from edgeseq.models.model import SequenceModel
from edgeseq.training.by_task import by_task
from edgeseq.training.checkpoint import (
    EpochResult,
    History,
    TrainingState,
    Validation,
    load_checkpoint,
    save_checkpoint,
)
from edgeseq.training.epoch import Trainer
from edgeseq.training.lesson import Lesson
from edgeseq.training.qat import Forward, quantized_forward, rounding_of
from edgeseq.training.recipe import Phase, PhaseName, Recipe, TrainConfig

PHASE_NUMBERS: Mapping[PhaseName, int] = {"float": 0, "qat": 1}


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

    def measuring(self, examples: int) -> None:
        """Training is over; the best weights are measured on all recordings, tokens or windows."""

    def baseline(self) -> None:
        """The linear model that a forecaster is held against is trained beside it."""


class Silent:
    """Watches nothing."""

    def began(self, epochs: int, done: tuple[EpochResult, ...]) -> None: ...

    def phase(self, phase: Phase, done: int, before: Validation | None) -> None: ...

    def batch(self, done: int, of: int) -> None: ...

    def epoch(self, result: EpochResult, *, best: bool) -> None: ...

    def measuring(self, examples: int) -> None: ...

    def baseline(self) -> None: ...


def fit(
    recipe: Recipe,
    prepared: Prepared,
    checkpoint: Path | None,
    progress: TrainingProgress | None = None,
    start: Mapping[str, Tensor] | None = None,
    lesson: Lesson | None = None,
) -> tuple[SequenceModel, History]:
    """Trains until each phase's epochs or patience are over: the module with its best weights, the history.

    `checkpoint` is written after each epoch, and gone on from where it exists already. start: the weights to
    start from, None for random ones; where no epoch is better, they come back. lesson: None learns the
    labels of the training split. Raises EdgeseqError when the loss is no longer a number.
    """
    watcher, of_task = progress or Silent(), by_task(recipe.model.task)
    lesson, judge = lesson or of_task.lesson(recipe, prepared), of_task.judge(prepared)
    with repeatable(recipe.training):
        state = _first_state(recipe, prepared, start)
        if checkpoint is not None and checkpoint.exists():
            saved = load_checkpoint(checkpoint, state.history)
            _begin(state, _phases_left(recipe, saved.history)[0], lesson)
            saved.restore(state)
        phases = _phases_left(recipe, state.history)
        earlier = len(state.history.epochs) - len(state.history.phase_epochs)
        watcher.began(earlier + sum(phase.config.epochs for phase in phases), state.history.epochs)
        for phase in phases:
            forward = _forward(recipe, phase, state.module)
            trainer = Trainer(phase, forward, lesson.examples, judge, watcher.batch)
            _train_phase(trainer, state, lesson, watcher, checkpoint)
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
    module = models.build(recipe.model, inputs_of(prepared.front_end), prepared.labels)
    history = History(prepared.dataset.content_sha256, prepared.splits_sha256, phase=recipe.phases[0].name)
    nothing = nn.Module()
    state = TrainingState(module, nothing, torch.optim.AdamW(module.parameters()), history)
    if start is not None:
        module.load_state_dict(start)
        state.best = state.own_weights()
    return state


def _begin(state: TrainingState, phase: Phase, lesson: Lesson) -> None:
    """A phase's own objective, optimizer and average."""
    config = phase.config
    torch.manual_seed(int(stream("objective", config.seed, PHASE_NUMBERS[phase.name]).integers(2**32)))
    state.objective = lesson.objective(phase, state.module)
    trained = [parameter for _, parameter in state.named_parameters()]
    # most of a step with a table of ids is the update of its rows: one pass over them instead of ten
    fused = state.module.embedding is not None
    state.optimizer = torch.optim.AdamW(trained, weight_decay=config.weight_decay, fused=fused)
    state.average = state.own_weights() if config.ema else {}


def _phases_left(recipe: Recipe, history: History) -> tuple[Phase, ...]:
    """The phase that training is in and those behind it."""
    names = [phase.name for phase in recipe.phases]
    return recipe.phases[names.index(history.phase) :]


def _forward(recipe: Recipe, phase: Phase, module: SequenceModel) -> Forward:
    if phase.name == "float" or recipe.qat is None:
        return module
    return quantized_forward(module, rounding_of(module, recipe.qat))


def _train_phase(
    trainer: Trainer,
    state: TrainingState,
    lesson: Lesson,
    watcher: TrainingProgress,
    checkpoint: Path | None,
) -> None:
    """Trains one phase, or what is left of it, and leaves its best weights in the module."""
    phase = trainer.phase
    if state.history.phase != phase.name or not state.history.phase_epochs:
        before = trainer.validate(state.module) if state.best else None
        _begin(state, phase, lesson)
        state.history = state.history.in_phase(phase.name, before)
        watcher.phase(phase, len(state.history.epochs), before)
    while not is_over(state.history, phase.config):
        result = trainer.epoch(state)
        state.history = state.history.with_epoch(result)
        best = state.history.best is result
        if best:
            state.best = state.kept_weights()
        if checkpoint is not None:
            save_checkpoint(checkpoint, state)
        watcher.epoch(result, best=best)
    state.module.load_state_dict(state.best)
