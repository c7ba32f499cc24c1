"""What a student trains on: in each epoch one version of every example, with what teachers answer to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeseq.batches import padded
from edgeseq.distill.transfer import TransferSet, version_in
from edgeseq.training.examples import Batch, IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class TransferBatch(Batch):
    """others: [B] int64, the class of what was mixed in; shares: [B] float32, how much is of the label's."""

    others: Tensor
    shares: Tensor


@dataclass(frozen=True, eq=False)
class TransferExamples:
    """Epoch e trains on version `version_in(e, V)` of each example.

    answers: [V, n, C], the teachers' logits; None for a student that learns from labels alone.
    """

    transfer: TransferSet
    answers: npt.NDArray[np.floating] | None

    def __len__(self) -> int:
        return len(self.transfer.labels[0])

    def lengths(self, epoch: int) -> IntArray:
        """[n]: frames of that epoch's version, or about as many."""
        return self.transfer.lengths(epoch)

    def batch(self, chosen: IntArray, epoch: int) -> TransferBatch:
        """These examples in that epoch's version, padded."""
        transfer = self.transfer
        version = version_in(epoch, len(transfer.labels))
        answers = None if self.answers is None else self.answers[version, chosen].astype(np.float32)
        return TransferBatch(
            *padded(transfer.features(epoch, chosen)),
            torch.from_numpy(transfer.labels[version, chosen]),
            None if answers is None else torch.from_numpy(answers),
            others=torch.from_numpy(transfer.others[version, chosen]),
            shares=torch.from_numpy(transfer.shares[version, chosen]),
        )
