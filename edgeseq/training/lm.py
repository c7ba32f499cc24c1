"""Training a language model: truncated backpropagation through time with a carried state.

The training tokens are cut into streams of equal length that are read side by side, a window of each in
every update. What the model remembers goes on from window to window, gradients do not (Williams and Peng
1990, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories").

Shapes: B streams, T tokens of a window, V tokens in the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.draws import stream
from edgeseq.evaluate.tokens import evaluate_language_module
from edgeseq.features import Prepared
from edgeseq.models.model import LanguageModel, State
from edgeseq.training.checkpoint import Validation
from edgeseq.training.examples import Batch, IntArray
from edgeseq.training.fit import TrainingProgress
from edgeseq.training.judge import Judge
from edgeseq.training.lesson import Lesson
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq_device.errors import DataError


@dataclass(frozen=True, eq=False)
class TokenBatch(Batch):
    """features: ids [B, T, 1] int64; lengths: [B], all T; labels: [B, T], the id behind each.

    first: whether an epoch begins with it, where no token has been read yet.
    """

    first: bool = False

    @property
    def judged(self) -> Tensor:
        """[B * T], as the logits that `NextToken` gives."""
        return self.labels.reshape(-1)


class Streams:
    """Each epoch goes through B streams in order, a window of T tokens of each in every batch.

    Where they begin is drawn for each epoch but the first, which begins with the text, so that windows are
    cut at other places. B is `config.batch_size`, or what gives each stream a window. Raises DataError where
    the text is shorter than one window.
    """

    def __init__(self, ids: npt.NDArray[np.int32], config: TrainConfig) -> None:
        self._ids, self._seed = ids[:, 0].astype(np.int64), config.seed
        self.window, targets = config.window_tokens, len(ids) - 1
        if targets < self.window:
            raise DataError(
                f"the training text has {len(ids)} tokens, and one window takes {self.window + 1}: give"
                f" --window-tokens {targets} or less, or a longer text"
            )
        self.streams = min(config.batch_size, targets // self.window)
        self.updates = targets // (self.streams * self.window)
        self._spare = targets - self.streams * self.updates * self.window

    def __len__(self) -> int:
        return self.streams * self.updates

    def batches(self, config: TrainConfig, epoch: int) -> list[IntArray]:  # noqa: ARG002
        """As `Examples.batches`: window u of stream b is number u * B + b."""
        return list(np.arange(len(self)).reshape(self.updates, self.streams))

    def batch(self, chosen: IntArray, epoch: int) -> TokenBatch:
        """The same window of every stream. chosen: [B], all of one batch."""
        update = int(chosen[0]) // self.streams
        length = self.updates * self.window
        begin = self._offset(epoch) + update * self.window
        rows = np.stack([self._ids[begin + b * length :][: self.window + 1] for b in range(self.streams)])
        read, next_ids = torch.from_numpy(rows[:, :-1, None]), torch.from_numpy(rows[:, 1:])
        return TokenBatch(read, torch.full((len(rows),), self.window), next_ids, first=update == 0)

    def _offset(self, epoch: int) -> int:
        return (
            int(stream("start of streams", self._seed, epoch).integers(self._spare + 1)) if epoch > 1 else 0
        )


class NextToken(nn.Module):
    """Mean cross-entropy with the token that comes next, over every token of a window, in nats.

    It holds what the model remembers of the window before, and forgets it where an epoch begins.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self._state: State | None = None

    def forward(self, forward: LanguageModel, batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """(loss, logits [B * T, V])."""
        logits, state = forward(batch.features, None if batch.first else self._state)
        self._state = tuple(each.detach() for each in state)
        flat = logits.flatten(0, 1)
        return functional.cross_entropy(flat, batch.judged, label_smoothing=self.label_smoothing), flat


def lesson(recipe: Recipe, prepared: Prepared) -> Lesson:
    """The training split's tokens. Raises DataError as `Streams` does."""
    return Lesson(
        Streams(prepared.texts["train"].ids, recipe.training),
        lambda phase, _module: NextToken(phase.config.label_smoothing),
    )


def judge(prepared: Prepared) -> Judge:
    """Nats per token of the validation split; among models of equal loss there is no other rank."""

    def of(forward: Forward) -> Validation:
        return Validation(_evaluated(forward, prepared, "validation")["nats_per_token"])

    return of


def metrics(forward: Forward, prepared: Prepared) -> dict[str, Any]:
    """By split what `edgeseq.evaluate.tokens` says of it."""
    return {split: _evaluated(forward, prepared, split) for split in prepared.texts}


def doubts(recipe: Recipe, prepared: Prepared, metrics: dict[str, Any]) -> list[str]:  # noqa: ARG001
    """Whether the text gave fewer streams than were asked for."""
    examples, wanted = Streams(prepared.texts["train"].ids, recipe.training), recipe.training.batch_size
    if examples.streams == wanted:
        return []
    return [f"--batch-size {wanted}: the training text gives {examples.streams} streams of one window each"]


def baseline(recipe: Recipe, prepared: Prepared, folder: Path, watcher: TrainingProgress) -> dict[str, Any]:  # noqa: ARG001
    """None."""
    return {}


def _evaluated(forward: Forward, prepared: Prepared, split: str) -> dict[str, Any]:
    assert isinstance(forward, LanguageModel)  # noqa: S101 - the int8 arithmetic has no language model
    text = prepared.texts[split]
    return evaluate_language_module(forward, text.ids, text.characters).to_dict()
