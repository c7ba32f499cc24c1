"""One pass over the training split: batches, augmentation, learning rate, updates; and the validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.batches import logits_of, padded, training_batches
from edgeseq.draws import stream
from edgeseq.evaluate import evaluate_logits
from edgeseq.features import FeatureSplits, LabelledFeatures
from edgeseq.training.augment import augmented
from edgeseq.training.checkpoint import EpochResult, TrainingState, Validation
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Phase, TrainConfig
from edgeseq_device.errors import EdgeseqError

WARM_UP = 0.25  # part of the steps in which the learning rate rises
START_DIVISOR = 20.0  # peak / first learning rate
END_DIVISOR = 1000.0  # peak / last learning rate
RATE_OPTION = {"float": "--learning-rate", "qat": "--qat-learning-rate"}

Batch = tuple[Tensor, Tensor, Tensor]
"""Features [B, T, F], lengths [B], labels [B]."""


@dataclass(frozen=True, eq=False)
class Trainer:
    """A phase's way to train. forward: the module itself, or its weights in the int8 model's arithmetic."""

    phase: Phase
    forward: Forward
    splits: FeatureSplits
    watch_batch: Callable[[int, int], None]

    def epoch(self, state: TrainingState) -> EpochResult:
        """Trains and validates one more epoch. Raises EdgeseqError when the loss is no longer a number."""
        start = time.monotonic()
        loss, accuracy, learning_rate = self._train(state)
        found = self.validate(state.module)
        return EpochResult(
            epoch=len(state.history.epochs) + 1,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=found.loss,
            validation_accuracy=found.accuracy,
            learning_rate=learning_rate,
            seconds=round(time.monotonic() - start, 3),
            phase=self.phase.name,
        )

    def validate(self, module: nn.Module) -> Validation:
        """Mean cross-entropy without smoothing, and accuracy."""
        module.eval()
        data = self.splits.validation
        logits = logits_of(self.forward, data.features)
        loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(data.labels))
        return Validation(loss.item(), evaluate_logits(logits, data).accuracy)

    def _train(self, state: TrainingState) -> tuple[float, float, float]:
        """(mean loss, accuracy, last learning rate) over one pass in the order of the epoch's number."""
        config, data = self.phase.config, self.splits.train
        number, of_phase = len(state.history.epochs) + 1, len(state.history.phase_epochs)
        lengths = np.array([len(item) for item in data.features], np.int64)
        batches = training_batches(
            lengths, config.batch_size, by_length=config.bucket_by_length, seed=config.seed, epoch=number
        )
        torch.manual_seed(int(stream("dropout", config.seed, number).integers(2**32)))
        state.module.train()
        loss_sum, correct, learning_rate = 0.0, 0, 0.0
        for done, chosen in enumerate(batches):
            learning_rate = one_cycle(
                of_phase * len(batches) + done, config.epochs * len(batches), config.learning_rate
            )
            loss, right = self._step(state, _batch(data, chosen, config, number), learning_rate)
            loss_sum += loss * len(chosen)
            correct += right
            self.watch_batch(done + 1, len(batches))
        return loss_sum / len(data), correct / len(data), learning_rate

    def _step(self, state: TrainingState, batch: Batch, learning_rate: float) -> tuple[float, int]:
        """One update: (loss, number right)."""
        config = self.phase.config
        features, lengths, labels = batch
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate
        logits = self.forward(features, lengths)
        loss = functional.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
        if not torch.isfinite(loss):
            raise EdgeseqError(
                f"the loss became {loss.item()} in epoch {len(state.history.epochs) + 1};"
                f" train again with a {RATE_OPTION[self.phase.name]} below {config.learning_rate:g}"
            )
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.module.parameters(), config.gradient_clip)
        state.optimizer.step()
        return loss.item(), int((logits.argmax(dim=1) == labels).sum())


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


def _batch(data: LabelledFeatures, chosen: npt.NDArray[np.int64], config: TrainConfig, epoch: int) -> Batch:
    """Some recordings, augmented for this epoch."""
    features = [
        augmented(data.features[i], config.augment, seed=config.seed, epoch=epoch, index=int(i))
        for i in chosen
    ]
    return (*padded(features), torch.from_numpy(data.labels[chosen]))
