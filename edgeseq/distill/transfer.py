"""The transfer set: every training recording in versions, what teachers are asked and students are given.

n examples, V versions. What teachers are asked depends on no training's seed: trainings share the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from edgeseq.distill.teachers import Asked
from edgeseq.distill.variants import Mixed, TextVersions
from edgeseq.features import FeatureArray, LabelledFeatures, Prepared
from edgeseq.training.augment import AugmentConfig, augmented
from edgeseq.training.augment_text import Ids, augmented_rows, with_ngrams
from edgeseq.training.examples import UNLABELLED, IntArray
from edgeseq.training.recipe import Recipe
from edgeseq_device.tokens import Tokens

VARIANT_SEED = 0


class TransferSet(Protocol):
    """n examples in V versions. labels: [n] int64, the class of each, UNLABELLED where it is not known."""

    @property
    def versions(self) -> int: ...

    @property
    def labels(self) -> IntArray: ...

    def mixed(self, version: int) -> Mixed:
        """What was mixed into the examples of a version."""

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
    texts = [str(each.samples) for each in prepared.recordings("train")]
    labels = np.concatenate([train.labels, np.full(len(unlabelled), UNLABELLED, np.int64)])
    drawn = TextVersions([*texts, *unlabelled], labels, config.variants)
    return VariedTexts(drawn, versions, front_end, training.augment, training.seed)


def version_in(epoch: int, versions: int) -> int:
    """Which of the V versions an epoch trains on: the first has version 0, the recordings as they are."""
    return (epoch - 1) % versions


@dataclass(eq=False)
class VariedTexts:
    """Texts, which teachers read for themselves.

    A student is given their tokens, varied anew in each epoch as `augment` says; the variants have lost and
    other tokens already. The tokens of the last epoch asked for are kept.
    """

    drawn: TextVersions
    versions: int
    front_end: Tokens
    augment: AugmentConfig
    seed: int
    _epoch: tuple[int, list[Ids]] = field(default=(0, []), repr=False)

    @property
    def labels(self) -> IntArray:
        """[n]."""
        return self.drawn.labels

    def mixed(self, version: int) -> Mixed:
        """The texts that these go on as, or have behind them."""
        return self.drawn.version(version).mixed

    def asked(self, version: int) -> Asked:
        """The texts."""
        return self.drawn.version(version).texts

    def features(self, epoch: int, chosen: IntArray) -> list[FeatureArray]:
        """Their tokens, [T, K] int32 each."""
        texts = self._texts(epoch)
        return [texts[i] for i in chosen]

    def lengths(self, epoch: int) -> IntArray:
        """[n]: tokens."""
        return np.array([len(text) for text in self._texts(epoch)], np.int64)

    def _texts(self, epoch: int) -> list[Ids]:
        if self._epoch[0] != epoch:
            self._epoch = 0, []  # gone before the next ones are made
            rows, text = self._rows(version_in(epoch, self.versions))
            rows, text = augmented_rows(rows, text, self.augment, seed=self.seed, epoch=epoch)
            self._epoch = epoch, with_ngrams(rows, text, self.front_end)
        return self._epoch[1]

    def _rows(self, version: int) -> tuple[Ids, IntArray]:
        """[N, 1 + C] int32, the rows of all texts' tokens, and [N] the text that each is of."""
        rows = [self.front_end.rows(text) for text in self.drawn.version(version).texts]
        return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(each) for each in rows])


@dataclass(eq=False)
class VariedFeatures:
    """Sounds or series, varied as features, which a teacher of the same front end reads too.

    Those of the last version asked for are kept.
    """

    data: LabelledFeatures
    augment: AugmentConfig
    versions: int
    _version: tuple[int, list[FeatureArray]] = field(default=(-1, []), repr=False)

    @property
    def labels(self) -> IntArray:
        """[n]: a variant keeps its class."""
        return self.data.labels

    def mixed(self, version: int) -> Mixed:  # noqa: ARG002
        """Nothing."""
        return Mixed(self.labels, np.ones(len(self.data), np.float32))

    def asked(self, version: int) -> Asked:
        """The features."""
        return self._given(version)

    def features(self, epoch: int, chosen: IntArray) -> list[FeatureArray]:
        """What a teacher is asked."""
        given = self._given(version_in(epoch, self.versions))
        return [given[i] for i in chosen]

    def lengths(self, epoch: int) -> IntArray:  # noqa: ARG002
        """[n]: frames of the recordings as they are."""
        return np.array([len(each) for each in self.data.features], np.int64)

    def _given(self, version: int) -> list[FeatureArray]:
        """[T, F] float32 each, version 0 as it is."""
        if self._version[0] != version:
            self._version = version, [self._varied(number, version) for number in range(len(self.data))]
        return self._version[1]

    def _varied(self, number: int, version: int) -> FeatureArray:
        features = self.data.features[number]
        if not version:
            return features
        return augmented(features, self.augment, seed=VARIANT_SEED, epoch=version, index=number)
