"""From a recipe to features that a model takes: read, split, fit the front end on training data, apply it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeseq import data
from edgeseq.data import Dataset, FrontEndOptions, SplitOptions, Splits
from edgeseq.data.dataset import refuse_unknown_labels
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import FrontEnd

FloatArray = npt.NDArray[np.float32]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """names: [n]; features: n arrays [T, F] float32, unpadded and standardised; labels: [n] int64."""

    names: tuple[str, ...]
    features: tuple[FloatArray, ...]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def median_frames(self) -> int:
        """T of a usual recording."""
        return int(np.median([len(each) for each in self.features]))


@dataclass(frozen=True, eq=False)
class FeatureSplits:
    """The three splits of one data set; a recording is in exactly one of them."""

    train: LabelledFeatures
    validation: LabelledFeatures
    test: LabelledFeatures

    def named(self, split: str) -> LabelledFeatures:
        """The split called train, validation or test."""
        found: LabelledFeatures = getattr(self, split)
        return found

    def sizes(self) -> dict[str, int]:
        """Recordings per split."""
        return {name: len(self.named(name)) for name in SPLITS}


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that training needs from data. `front_end` is fitted on the training split alone.

    `origin` says in words how the splits came about; `splits_sha256` is `Splits.sha256`.
    """

    dataset: Dataset
    front_end: FrontEnd
    splits: FeatureSplits
    origin: str
    splits_sha256: str
    warnings: tuple[str, ...]


def prepare(dataset: Dataset, splitting: SplitOptions, front_end_options: FrontEndOptions) -> Prepared:
    """Splits `dataset`, fits the front end on the training split and computes all features.

    Raises DataError where the data cannot be split so or the front end refuses a recording.
    """
    chosen = data.split(dataset, splitting)
    unfitted = data.default_front_end(dataset, front_end_options)
    train = [raw_features(dataset, unfitted, i) for i in chosen.train]
    front_end = unfitted.fitted_on(train)
    splits = FeatureSplits(
        _labelled(dataset, chosen.train, [front_end.standardised(raw) for raw in train], dataset.labels),
        labelled(dataset, front_end, chosen.validation, dataset.labels),
        labelled(dataset, front_end, chosen.test, dataset.labels),
    )
    warnings = (*dataset.warnings, *chosen.warnings)
    return Prepared(dataset, front_end, splits, chosen.origin, chosen.sha256, warnings)


def split_features(
    dataset: Dataset, front_end: FrontEnd, splits: Splits, labels: tuple[str, ...]
) -> FeatureSplits:
    """The features of the three splits, by a front end that is fitted already."""
    return FeatureSplits(*(labelled(dataset, front_end, getattr(splits, name), labels) for name in SPLITS))


def labelled(
    dataset: Dataset, front_end: FrontEnd, indices: Sequence[int], labels: tuple[str, ...]
) -> LabelledFeatures:
    """Features and label numbers of some recordings. Raises DataError on a label the model does not know."""
    refuse_unknown_labels([dataset.recordings[i] for i in indices], labels, dataset.name, "the model")
    features = [front_end.standardised(raw_features(dataset, front_end, i)) for i in indices]
    return _labelled(dataset, indices, features, labels)


def raw_features(dataset: Dataset, front_end: FrontEnd, index: int) -> FloatArray:
    """[T, F] float32 of one recording, not standardised. Raises DataError naming one that is refused."""
    recording = dataset.recordings[index]
    try:
        return front_end.raw(recording.samples, dataset.sample_rate_hz)
    except DataError as error:
        raise DataError(f"{recording.name}: {error}") from error


def _labelled(
    dataset: Dataset, indices: Sequence[int], features: Sequence[FloatArray], labels: tuple[str, ...]
) -> LabelledFeatures:
    recordings = [dataset.recordings[i] for i in indices]
    return LabelledFeatures(
        tuple(recording.name for recording in recordings),
        tuple(features),
        np.array([labels.index(recording.label) for recording in recordings], np.int64),
    )
