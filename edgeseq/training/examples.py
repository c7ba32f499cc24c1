"""What an epoch trains on: batches of recordings or texts, varied anew each time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeseq.batches import padded, training_batches
from edgeseq.features import LabelledFeatures
from edgeseq.training.augment import AugmentConfig, augmented
from edgeseq.training.augment_text import Ids, augmented_texts
from edgeseq.training.recipe import TrainConfig
from edgeseq_device.tokens import Tokens

IntArray = npt.NDArray[np.int64]
UNLABELLED = -1  # the label of an example whose class nobody knows


@dataclass(frozen=True, eq=False)
class Batch:
    """features: [B, T, F] float32 or [B, T, K] int64 ids; lengths: [B]; labels: [B] int64, or UNLABELLED."""

    features: Tensor
    lengths: Tensor
    labels: Tensor

    @property
    def judged(self) -> Tensor:
        """[B] int64: what accuracy in training takes for right; UNLABELLED where it leaves one out."""
        return self.labels


class Examples(Protocol):
    """n examples, the same ones in each epoch, each of which may look otherwise from epoch to epoch.

    Whatever is drawn derives from a seed and the epoch, so that a resumed training sees what an unbroken
    one would have seen. Epochs count from 1.
    """

    def __len__(self) -> int: ...

    def batches(self, config: TrainConfig, epoch: int) -> list[IntArray]:
        """The numbers of the examples of each batch, in the order of training; each example is in one."""

    def batch(self, chosen: IntArray, epoch: int) -> Batch:
        """The examples of these numbers, as they look in that epoch. chosen: [B]."""


class Shuffled(ABC):
    """Examples in an order drawn for each epoch, alike lengths together where the training says so."""

    @abstractmethod
    def lengths(self, epoch: int) -> IntArray:
        """[n]: about how long each example is in that epoch; alike ones share a batch."""

    def batches(self, config: TrainConfig, epoch: int) -> list[IntArray]:
        """As `Examples.batches`."""
        by_length = config.bucket_by_length
        return training_batches(
            self.lengths(epoch), config.batch_size, by_length=by_length, seed=config.seed, epoch=epoch
        )


@dataclass(frozen=True, eq=False)
class Augmented(Shuffled):
    """The recordings of a split, each varied anew in each epoch."""

    data: LabelledFeatures
    config: AugmentConfig
    seed: int

    def __len__(self) -> int:
        return len(self.data)

    def lengths(self, epoch: int) -> IntArray:  # noqa: ARG002
        """[n]: frames of the recordings as they are."""
        return np.array([len(item) for item in self.data.features], np.int64)

    def batch(self, chosen: IntArray, epoch: int) -> Batch:
        """These recordings, varied and padded."""
        varied = [
            augmented(self.data.features[i], self.config, seed=self.seed, epoch=epoch, index=int(i))
            for i in chosen
        ]
        return Batch(*padded(varied), torch.from_numpy(self.data.labels[chosen]))


@dataclass(eq=False)
class AugmentedTexts(Shuffled):
    """The texts of a split, each varied anew in each epoch. Those of the last epoch asked for are kept."""

    data: LabelledFeatures
    front_end: Tokens
    config: AugmentConfig
    seed: int
    _varied: tuple[int, list[Ids]] = field(default=(0, []), repr=False)

    def __len__(self) -> int:
        return len(self.data)

    def lengths(self, epoch: int) -> IntArray:
        """[n]: tokens that are left in that epoch."""
        return np.array([len(text) for text in self._texts(epoch)], np.int64)

    def batch(self, chosen: IntArray, epoch: int) -> Batch:
        """These texts, varied and padded."""
        texts = self._texts(epoch)
        return Batch(*padded([texts[i] for i in chosen]), torch.from_numpy(self.data.labels[chosen]))

    def _texts(self, epoch: int) -> list[Ids]:
        if self._varied[0] != epoch:
            features = self.data.features
            varied = augmented_texts(features, self.front_end, self.config, seed=self.seed, epoch=epoch)
            self._varied = epoch, varied
        return self._varied[1]
