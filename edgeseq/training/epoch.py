"""One pass over the examples: batches, learning rate, updates, averaged weights; and the validation."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeseq.draws import stream
from edgeseq.training.checkpoint import EpochResult, TrainingState, Validation
from edgeseq.training.examples import UNLABELLED, Batch, Examples
from edgeseq.training.judge import Judge
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Phase
from edgeseq_device.errors import EdgeseqError

START_DIVISOR = 20.0  # peak / first learning rate
END_DIVISOR = 1000.0  # peak / last learning rate
RATE_OPTION = {"float": "--learning-rate", "qat": "--qat-learning-rate"}


@dataclass(frozen=True, eq=False)
class Trainer:
    """A phase's way to train. forward: the module itself, or its weights in the int8 model's arithmetic.

    judge: what a forward reaches on the validation split.
    """

    phase: Phase
    forward: Forward
    examples: Examples
    judge: Judge
    watch_batch: Callable[[int, int], None]

    def epoch(self, state: TrainingState) -> EpochResult:
        """Trains and validates one more epoch. Raises EdgeseqError when the loss is no longer a number."""
        start = time.monotonic()
        loss, accuracy, learning_rate = self._train(state)
        with _averaged(state):
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
        """What the module's present weights reach."""
        module.eval()
        return self.judge(self.forward)

    def _train(self, state: TrainingState) -> tuple[float, float | None, float]:
        """(mean loss, accuracy, last learning rate) over one pass in the order of the epoch's number."""
        config, examples = self.phase.config, self.examples
        number, of_phase = len(state.history.epochs) + 1, len(state.history.phase_epochs)
        batches = examples.batches(config, number)
        torch.manual_seed(int(stream("dropout", config.seed, number).integers(2**32)))
        state.module.train()
        loss_sum, right, judged, learning_rate = 0.0, 0, 0, 0.0
        for done, chosen in enumerate(batches):
            step = of_phase * len(batches) + done
            learning_rate = one_cycle(
                step, config.epochs * len(batches), config.learning_rate, config.warm_up
            )
            batch = examples.batch(chosen, number)
            loss, batch_right = self._step(state, batch, learning_rate)
            _average(state, config.ema, step)
            loss_sum += loss * len(chosen)
            right += batch_right
            judged += int((batch.judged != UNLABELLED).sum())
            self.watch_batch(done + 1, len(batches))
        return loss_sum / len(examples), right / judged if judged else None, learning_rate

    def _step(self, state: TrainingState, batch: Batch, learning_rate: float) -> tuple[float, int]:
        """One update: (loss, number right)."""
        config = self.phase.config
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate
        loss, logits = state.objective(self.forward, batch)
        if not torch.isfinite(loss):
            raise EdgeseqError(
                f"the loss became {loss.item()} in epoch {len(state.history.epochs) + 1};"
                f" train again with a {RATE_OPTION[self.phase.name]} below {config.learning_rate:g}"
            )
        state.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([each for _, each in state.named_parameters()], config.gradient_clip)
        state.optimizer.step()
        return loss.item(), _right(logits.detach(), batch.judged)


def _right(logits: Tensor, judged: Tensor) -> int:
    """How many of the answers [n, C] are the judged [n] ones; none where nothing is judged."""
    return int((logits.argmax(dim=1) == judged).sum()) if len(judged) else 0


@torch.no_grad()
def _average(state: TrainingState, decay: float, step: int) -> None:
    """average = d * average + (1 - d) * weights, d = `decay`, less in a phase's first steps.

    (Polyak & Juditsky 1992 in the exponential form of Kingma & Ba 2015, arXiv 1412.6980, section 7.2.)
    """
    kept = min(decay, (1 + step) / (10 + step))
    for name, average in state.average.items():
        average.lerp_(state.module.get_parameter(name), 1 - kept)


@contextlib.contextmanager
def _averaged(state: TrainingState) -> Iterator[None]:
    """Within it the module has its averaged weights, where the phase takes an average."""
    if not state.average:
        yield
        return
    own = state.own_weights()
    state.module.load_state_dict(state.average)
    try:
        yield
    finally:
        state.module.load_state_dict(own)


def one_cycle(step: int, steps: int, peak: float, warm_up: float) -> float:
    """The learning rate of a step in 0..steps-1: a cosine up to `peak` in the part `warm_up` of all
    steps, a cosine down to nearly nothing.

    (Smith & Topin 2018, arXiv 1708.07120, with cosine halves as in torch's OneCycleLR.)
    """
    rise = max(1.0, warm_up * steps)
    if step < rise:
        return _cosine(peak / START_DIVISOR, peak, step / rise)
    return _cosine(peak, peak / END_DIVISOR, (step - rise) / max(1.0, steps - 1 - rise))


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, part))) / 2
