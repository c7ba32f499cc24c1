"""From a recipe to features that a model takes: read, split, fit the front end on training data, apply it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseq import data
from edgeseq.data import Dataset, FrontEndOptions, Recording, SplitOptions, Splits, StretchSplits
from edgeseq.data.dataset import refuse_unknown_labels
from edgeseq.models.config import ModelConfig
from edgeseq.tokenizer_training import trained_tokens
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import FrontEnd, Tokens
from edgeseq_device.tasks import Task

FloatArray = npt.NDArray[np.float32]
FeatureArray = npt.NDArray[Any]
"""One recording: [T, F] float32, or [T, K] int32 where the model looks tokens up."""
SPLITS = ("train", "validation", "test")
OUT_OF_SCOPE = -1
"""The label number of a recording that belongs to none of the classes."""


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """names: [n]; features: n arrays, unpadded and standardised; labels: [n] int64, or what a forecaster is
    to say, [n, H * C] float32, NaN where nobody knows.
    """

    names: tuple[str, ...]
    features: Sequence[FeatureArray]
    labels: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def median_frames(self) -> int:
        """T of a usual recording."""
        return int(np.median([len(each) for each in self.features]))


@dataclass(frozen=True, eq=False)
class FeatureSplits:
    """The three splits of one data set; a recording is in exactly one of them. A split may be empty, as the
    test split of a text usually is.

    `out_of_scope`: recordings of none of the classes, under "validation" and "test" where there are any;
    their labels are all OUT_OF_SCOPE.
    """

    train: LabelledFeatures
    validation: LabelledFeatures
    test: LabelledFeatures
    out_of_scope: Mapping[str, LabelledFeatures] = field(default_factory=dict)

    def named(self, split: str) -> LabelledFeatures:
        """The split called train, validation or test."""
        found: LabelledFeatures = getattr(self, split)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that hold something."""
        return tuple(name for name in SPLITS if len(self.named(name)))

    @property
    def held_out(self) -> tuple[str, ...]:
        """Those of `names` that nothing trains on."""
        return tuple(name for name in self.names if name != "train")

    def sizes(self) -> dict[str, int]:
        """Recordings per split that holds any."""
        return {name: len(self.named(name)) for name in self.names}


@dataclass(frozen=True, eq=False)
class Text:
    """What a language model reads. ids: [N, 1] int32, of its tokens behind each other; characters: of the
    text.
    """

    ids: npt.NDArray[np.int32]
    characters: int

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that training needs from data. `front_end` is fitted on the training split alone.

    places: of the recordings of each split in `dataset.recordings`. labels: what a model's outputs are of:
    the classes, the tokens of a vocabulary, or the channels of a series.

    texts: of a language model, by split that holds any; `splits` then holds windows of these.
    """

    dataset: Dataset
    front_end: FrontEnd
    splits: FeatureSplits
    places: Splits | StretchSplits
    labels: tuple[str, ...]
    warnings: tuple[str, ...]
    texts: Mapping[str, Text] = field(default_factory=dict)

    @property
    def examples(self) -> int:
        """How much there is to train on: recordings, of a text tokens, of a series windows."""
        return self.sizes()["train"]

    def sizes(self) -> dict[str, int]:
        """The same of each split that holds any."""
        return {name: len(text) for name, text in self.texts.items()} or self.splits.sizes()

    @property
    def origin(self) -> str:
        """How the splits came about, in words."""
        return self.places.origin

    @property
    def splits_sha256(self) -> str:
        """`Splits.sha256`."""
        return self.places.sha256

    def recordings(self, split: str) -> list[Recording]:
        """Those of the split called train, validation or test, in the order of their features; of a text or a
        series that runs on, which is in all of them, there are none.
        """
        if isinstance(self.places, StretchSplits):
            return []
        return [self.dataset.recordings[place] for place in getattr(self.places, split)]


# Of the tasks whose data runs on. Imported on use, because each one fills a Prepared. Both have
# fitted(dataset, places, options) -> FrontEnd and applied(dataset, front_end, places, model) -> Prepared.
_MODULES: Mapping[Task, str] = {"lm": "edgeseq.features.lm", "forecast": "edgeseq.features.forecast"}


def prepare(
    dataset: Dataset, splitting: SplitOptions, front_end_options: FrontEndOptions, model: ModelConfig
) -> Prepared:
    """Splits `dataset`, fits the front end on the training split and computes all features.

    model: its context and horizon say what a forecaster's features are. Raises DataError where the data
    cannot be split so or the front end refuses a recording, UsageError for options of the front end that do
    not fit together or do not concern the data.
    """
    places = data.split(dataset, splitting)
    if isinstance(places, Splits):
        front_end = _fitted(dataset, places, front_end_options)
    else:
        front_end = importlib.import_module(_MODULES[dataset.task]).fitted(dataset, places, front_end_options)
    return applied(dataset, front_end, places, model)


def applied(
    dataset: Dataset, front_end: FrontEnd, places: Splits | StretchSplits, model: ModelConfig
) -> Prepared:
    """As `prepare`, with splits that are chosen and a front end that is fitted already."""
    if not isinstance(places, Splits):
        module = importlib.import_module(_MODULES[dataset.task])
        found: Prepared = module.applied(dataset, front_end, places, model)
        return found
    splits = split_features(dataset, front_end, places, dataset.labels)
    parts = {name: [dataset.recordings[i] for i in getattr(places, name)] for name in SPLITS}
    warnings = (*dataset.warnings, *places.warnings, *cut_warnings(front_end, parts))
    return Prepared(dataset, front_end, splits, places, dataset.labels, warnings)


def _fitted(dataset: Dataset, places: Splits, options: FrontEndOptions) -> FrontEnd:
    training = [dataset.recordings[i] for i in places.train]
    if dataset.kind == "text":
        return trained_tokens([str(each.samples) for each in training], options.only_of(dataset))
    unfitted = data.default_front_end(dataset, options)
    return unfitted.fitted_on(_raw(each, unfitted, dataset.sample_rate_hz) for each in training)


def cut_warnings(front_end: FrontEnd, parts: Mapping[str, Sequence[Recording]]) -> list[str]:
    """One warning that counts, by part of the data, the texts of more tokens than the front end reads."""
    if not isinstance(front_end, Tokens):
        return []
    cut = {
        name: [n for each in part if (n := front_end.tokens_cut(each.samples))]
        for name, part in parts.items()
    }
    longest = front_end.max_tokens + max((n for each in cut.values() for n in each), default=0)
    counts = ", ".join(f"{len(cut[name])} of {len(parts[name])} in {name}" for name in cut if cut[name])
    if not counts:
        return []
    cut_to = f"texts cut to their first {front_end.max_tokens} tokens: {counts}"
    return [f"{cut_to}; the longest has {longest} (--max-tokens {longest} reads all)"]


def split_features(
    dataset: Dataset, front_end: FrontEnd, splits: Splits, labels: tuple[str, ...]
) -> FeatureSplits:
    """The features of the three splits and of what is out of scope, by a front end that is fitted already."""
    outside = {name: out_of_scope(dataset, front_end, name) for name in ("validation", "test")}
    train, validation, test = (labelled(dataset, front_end, getattr(splits, name), labels) for name in SPLITS)
    return FeatureSplits(train, validation, test, {name: each for name, each in outside.items() if len(each)})


def out_of_scope(dataset: Dataset, front_end: FrontEnd, split: str) -> LabelledFeatures:
    """What belongs to none of the classes, in that split or, under "all", in any."""
    part = [each for each in dataset.out_of_scope if split in ("all", each.split)]
    return _labelled(part, front_end, dataset.sample_rate_hz, [OUT_OF_SCOPE] * len(part))


def labelled(
    dataset: Dataset, front_end: FrontEnd, indices: Sequence[int], labels: tuple[str, ...]
) -> LabelledFeatures:
    """Features and label numbers of some recordings. Raises DataError on a label the model does not know."""
    recordings = [dataset.recordings[i] for i in indices]
    refuse_unknown_labels(recordings, labels, dataset.name, "the model", "remove its recordings")
    numbers = {label: number for number, label in enumerate(labels)}
    return _labelled(
        recordings, front_end, dataset.sample_rate_hz, (numbers[each.label] for each in recordings)
    )


def _labelled(
    recordings: Sequence[Recording], front_end: FrontEnd, rate_hz: int | None, numbers: Iterable[int]
) -> LabelledFeatures:
    return LabelledFeatures(
        tuple(recording.name for recording in recordings),
        tuple(front_end.standardised(_raw(each, front_end, rate_hz)) for each in recordings),
        np.array(list(numbers), np.int64),
    )


def _raw(recording: Recording, front_end: FrontEnd, rate_hz: int | None) -> FeatureArray:
    """Features of one recording, not standardised. Raises DataError naming one that is refused."""
    try:
        return front_end.raw(recording.samples, rate_hz)
    except DataError as error:
        raise DataError(f"{recording.name}: {error}") from error
