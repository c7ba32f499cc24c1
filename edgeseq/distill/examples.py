"""What a student trains on: in each epoch one version of every example, with what teachers answer to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgeseq.batches import padded
from edgeseq.distill.answers import Answers
from edgeseq.distill.transfer import TransferSet, version_in
from edgeseq.training.examples import UNLABELLED, Batch, IntArray, Shuffled


@dataclass(frozen=True, eq=False, kw_only=True)
class TransferBatch(Batch):
    """others: [B] int64, the class of what was mixed in; shares: [B] float32, how much is of the label's.

    targets: the teachers' logits [B, C] float32, None where the student learns from labels alone.
    """

    others: Tensor
    shares: Tensor
    targets: Tensor | None

    @property
    def judged(self) -> Tensor:
        """[B] int64: the class with the larger share; none where two have a half each."""
        larger = torch.where(self.shares > 0.5, self.labels, self.others)
        halves = (self.shares == 0.5) & (self.labels != self.others)
        return larger.masked_fill(halves, UNLABELLED)


@dataclass(frozen=True, eq=False)
class TransferExamples(Shuffled):
    """Epoch e trains on version `version_in(e, V)` of each example.

    answers: the teachers'; None for a student that learns from labels alone.
    """

    transfer: TransferSet
    answers: Answers | None

    def __len__(self) -> int:
        return len(self.transfer.labels)

    def lengths(self, epoch: int) -> IntArray:
        """[n]: frames of that epoch's version, or about as many."""
        return self.transfer.lengths(epoch)

    def batch(self, chosen: IntArray, epoch: int) -> TransferBatch:
        """These examples in that epoch's version, padded."""
        transfer = self.transfer
        version = version_in(epoch, transfer.versions)
        mixed = transfer.mixed(version)
        targets = None if self.answers is None else self.answers.of(version)[chosen].astype(np.float32)
        return TransferBatch(
            *padded(transfer.features(epoch, chosen)),
            torch.from_numpy(transfer.labels[chosen]),
            others=torch.from_numpy(mixed.others[chosen]),
            shares=torch.from_numpy(mixed.shares[chosen]),
            targets=None if targets is None else torch.from_numpy(targets),
        )
