"""The transfer set: every training recording in versions, what teachers are asked and students are given.

n examples, V versions. What teachers are asked depends on no training's seed: trainings share the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgeseq import data
from edgeseq.distill.teachers import Asked
from edgeseq.distill.variants import Variants, text_variants
from edgeseq.features import FeatureArray, LabelledFeatures, Prepared
from edgeseq.training.augment import AugmentConfig, augmented
from edgeseq.training.augment_text import Ids, augmented_texts
from edgeseq.training.examples import UNLABELLED, IntArray
from edgeseq.training.recipe import Recipe
from edgeseq_device.tokens import Tokens

VARIANT_SEED = 0


class TransferSet(Protocol):
    """n examples in V versions, with the classes they are made of, as `edgeseq.distill.variants.Variants`."""

    @property
    def labels(self) -> IntArray: ...

    @property
    def others(self) -> IntArray: ...

    @property
    def shares(self) -> npt.NDArray[np.float32]: ...

    def asked(self, version: int) -> Asked:
        """[n]: what a teacher is given of a version."""

    def features(self, epoch: int, chosen: IntArray) -> list[FeatureArray]:
        """What a student is given of some examples in an epoch: version `version_in(epoch, V)` of each."""

    def lengths(self, epoch: int) -> IntArray:
        """[n]: about how many frames each example has in an epoch."""


def transfer_set(recipe: Recipe, prepared: Prepared, unlabelled: Sequence[str] = ()) -> TransferSet:
    """The set that a distillation's recipe describes. unlabelled: further texts, where the data is text.

    There are no more versions than epochs: teachers answer none that no epoch trains on.
    """
    config, training, front_end = recipe.distill, recipe.training, prepared.front_end
    assert config is not None  # noqa: S101 - the caller's recipe is a distillation's
    train = prepared.splits.train
    versions = min(config.versions, sum(phase.config.epochs for phase in recipe.phases))
    if not isinstance(front_end, Tokens):
        return VariedFeatures(train, training.augment, versions)
    places = data.split(prepared.dataset, recipe.splitting).train
    texts = [str(prepared.dataset.recordings[place].samples) for place in places]
    labels = np.concatenate([train.labels, np.full(len(unlabelled), UNLABELLED, np.int64)])
    variants = text_variants([*texts, *unlabelled], labels, versions, config.variants)
    return VariedTexts(variants, front_end, training.augment, training.seed)


def version_in(epoch: int, versions: int) -> int:
    """Which of the V versions an epoch trains on: the first has version 0, the recordings as they are."""
    return (epoch - 1) % versions


@dataclass(eq=False)
class VariedTexts:
    """Texts, which teachers read for themselves.

    A student is given their tokens, some of them unknown as `augment.token_unknown` says: what else that has
    is in the variants. The tokens of each version are kept, those of the last epoch asked for too.
    """

    variants: Variants
    front_end: Tokens
    augment: AugmentConfig
    seed: int
    _versions: dict[int, list[Ids]] = field(default_factory=dict, repr=False)
    _epoch: tuple[int, list[Ids]] = field(default=(-1, []), repr=False)

    @property
    def labels(self) -> IntArray:
        """[V, n]."""
        return self.variants.labels

    @property
    def others(self) -> IntArray:
        """[V, n]."""
        return self.variants.others

    @property
    def shares(self) -> npt.NDArray[np.float32]:
        """[V, n]."""
        return self.variants.shares

    def asked(self, version: int) -> Asked:
        """The texts."""
        return self.variants.texts[version]

    def features(self, epoch: int, chosen: IntArray) -> list[FeatureArray]:
        """Their tokens, [T, K] int32 each."""
        texts = self._texts(epoch)
        return [texts[i] for i in chosen]

    def lengths(self, epoch: int) -> IntArray:
        """[n]: tokens."""
        return np.array([len(text) for text in self._texts(epoch)], np.int64)

    def _texts(self, epoch: int) -> list[Ids]:
        if self._epoch[0] != epoch:
            tokens = self._encoded(version_in(epoch, len(self.variants.texts)))
            unknown = replace(self.augment, token_dropout=0.0, token_replacement=0.0)
            varied = augmented_texts(tokens, self.front_end, unknown, seed=self.seed, epoch=epoch)
            self._epoch = epoch, varied
        return self._epoch[1]

    def _encoded(self, version: int) -> list[Ids]:
        if version not in self._versions:
            each = [self.front_end.features(text) for text in self.variants.texts[version]]
            ends = np.cumsum([len(tokens) for tokens in each])[:-1]
            self._versions[version] = np.split(np.concatenate(each), ends)  # one block, not n small ones
        return self._versions[version]


@dataclass(frozen=True, eq=False)
class VariedFeatures:
    """Sounds or series, varied as features, which a teacher of the same front end reads too."""

    data: LabelledFeatures
    augment: AugmentConfig
    versions: int

    @property
    def labels(self) -> IntArray:
        """[V, n]: a variant keeps its class."""
        return np.broadcast_to(self.data.labels, (self.versions, len(self.data)))

    @property
    def others(self) -> IntArray:
        """[V, n]: the same again."""
        return self.labels

    @property
    def shares(self) -> npt.NDArray[np.float32]:
        """[V, n]: all ones."""
        return np.ones((self.versions, len(self.data)), np.float32)

    def asked(self, version: int) -> Asked:
        """The features."""
        return self._varied(version, np.arange(len(self.data)))

    def features(self, epoch: int, chosen: IntArray) -> list[FeatureArray]:
        """[T, F] float32 each, version 0 as it is."""
        return self._varied(version_in(epoch, self.versions), chosen)

    def lengths(self, epoch: int) -> IntArray:  # noqa: ARG002
        """[n]: frames of the recordings as they are."""
        return np.array([len(each) for each in self.data.features], np.int64)

    def _varied(self, version: int, chosen: IntArray) -> list[FeatureArray]:
        if not version:
            return [self.data.features[i] for i in chosen]
        return [
            augmented(self.data.features[i], self.augment, seed=VARIANT_SEED, epoch=version, index=int(i))
            for i in chosen
        ]
