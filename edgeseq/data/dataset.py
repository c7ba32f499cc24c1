"""What every reader returns: named recordings with their labels, and how they are to be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import FrontEnd, LogMel, Standardise

Kind = Literal["audio", "series"]
GivenSplit = Literal["train", "test"]
HIGHEST_DEFAULT_RATE_HZ = 16_000  # speech and most sounds keep what tells them apart below 8 kHz
VALIDATION_WORDS = ("val", "valid", "validation", "dev")
GIVEN_SPLITS: dict[str, GivenSplit] = {
    "train": "train",
    "training": "train",
    **dict.fromkeys(VALIDATION_WORDS, "train"),
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class DataOptions:
    """How recordings are read; None = the data set's own default.

    Patterns are regular expressions searched in a recording's name, such as `yes/anna_3.wav`.
    `label_pattern` has a named group `label`, and may have `group` and `split`; without it an audio file's
    label is the folder it lies in. `group_pattern` has a named group `group`. A name that `test_pattern`
    matches is a test recording, every other one is for training. The columns are those of a CSV file.
    Where the data itself says train, validation or test, its validation recordings count as training.
    """

    label_pattern: str | None = None
    group_pattern: str | None = None
    test_pattern: str | None = None
    sample_rate_hz: int | None = None
    recording_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    split_column: str | None = None
    time_column: str | None = None

    def only(self, *applicable: str, reference: str) -> DataOptions:
        """These options; UsageError when one is given that does not concern the data at `reference`."""
        for name, value in dataclasses.asdict(self).items():
            if value is not None and name not in applicable:
                flag = f"--{name.removesuffix('_hz').replace('_', '-')}"
                raise UsageError(f"{reference}: {flag} does not concern this data")
        return self

    def over(self, defaults: DataOptions) -> DataOptions:
        """These options, with `defaults` where one is None."""
        mine = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return dataclasses.replace(defaults, **mine)


@dataclass(frozen=True)
class FrontEndOptions:
    """Settings of the default front end; they concern audio.

    `sample_rate_hz` None = the data's rate, at most 16 kHz. Frames and hops are in milliseconds.
    """

    sample_rate_hz: int | None = None
    frame_ms: float = 25.0
    hop_ms: float = 10.0
    mels: int = 40
    pre_emphasis: float = 0.0


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording. samples: [n, channels] float32, n >= 1, finite; audio is mono in [-1, 1]."""

    name: str
    samples: NDArray[np.float32]
    label: str
    group: str | None = None
    split: GivenSplit | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Recordings that belong together; `labels` are sorted, a class's number is its place there.

    `content_sha256` is the hash of what was read (`edgeseq.data.lineage`); `sample_rate_hz` None = unknown.
    `test_pattern` is the caller's, where the recordings' `split` comes from it and not from the data.
    """

    name: str
    kind: Kind
    recordings: tuple[Recording, ...]
    labels: tuple[str, ...]
    channels: tuple[str, ...]
    sample_rate_hz: int | None
    content_sha256: str
    warnings: tuple[str, ...] = ()
    test_pattern: str | None = None


def assembled(
    name: str,
    kind: Kind,
    recordings: Sequence[Recording],
    *,
    channels: Sequence[str],
    sample_rate_hz: int | None,
    content_sha256: str,
    warnings: Iterable[str] = (),
    test_pattern: str | None = None,
) -> Dataset:
    """The data set of these recordings, after the checks that every reader owes.

    What only training needs is checked by `edgeseq.data.split`. Raises DataError for no recording, no
    channel, NaN or infinity, ragged channel counts and an empty label; each names the recording.
    """
    if not recordings:
        raise DataError(f"{name}: there is no recording in it")
    if not channels:
        raise DataError(f"{name}: its recordings have no channel")
    for recording in recordings:
        _check_samples(name, recording, len(channels))
    return Dataset(
        name,
        kind,
        tuple(recordings),
        tuple(sorted({recording.label for recording in recordings})),
        tuple(channels),
        sample_rate_hz,
        content_sha256,
        tuple(warnings),
        test_pattern,
    )


def default_front_end(dataset: Dataset, options: FrontEndOptions | None = None) -> FrontEnd:
    """The front end that suits the data, not fitted yet: LogMel for audio, Standardise for a series.

    Raises UsageError for settings that do not fit together.
    """
    options = options or FrontEndOptions()
    if dataset.kind == "series":
        if dataclasses.replace(options, sample_rate_hz=None) != FrontEndOptions():
            raise UsageError(f"{dataset.name} is a series; --mels, --frame-ms and --hop-ms concern audio")
        return Standardise(len(dataset.channels), dataset.sample_rate_hz)
    rate_hz = options.sample_rate_hz or min(dataset.sample_rate_hz or 0, HIGHEST_DEFAULT_RATE_HZ)
    return LogMel(rate_hz, options.frame_ms, options.hop_ms, options.mels, pre_emphasis=options.pre_emphasis)


def given_split(word: str, where: str) -> GivenSplit:
    """The split that a word in the data names; validation is training: it is always taken from there.

    Raises DataError, naming the place `where`, for another word.
    """
    try:
        return GIVEN_SPLITS[word.strip().lower()]
    except KeyError:
        raise DataError(f'{where}: the split "{word}" is none of {", ".join(GIVEN_SPLITS)}') from None


def validation_warning(words: Iterable[str]) -> list[str]:
    """One warning when the data itself names a validation split; nothing otherwise."""
    if not any(word.strip().lower() in VALIDATION_WORDS for word in words):
        return []
    return ["the data's own validation recordings count as training; validation is drawn from training"]


def refuse_unknown_labels(
    recordings: Iterable[Recording], known: Iterable[str], dataset: str, knower: str = "the training data"
) -> None:
    """Raises DataError naming the first recording whose label is not in `known`."""
    labels = set(known)
    for recording in recordings:
        if recording.label not in labels:
            raise DataError(
                f'{dataset}: {recording.name}: the label "{recording.label}" is unknown to {knower}'
                f" (known: {', '.join(sorted(labels)) or 'none'})"
            )


def _check_samples(name: str, recording: Recording, channels: int) -> None:
    where = f"{name}: {recording.name}"
    if recording.samples.shape[0] == 0:
        raise DataError(f"{where}: the recording has zero samples")
    if recording.samples.shape[1] != channels:
        raise DataError(
            f"{where}: {recording.samples.shape[1]} channels where the other recordings have {channels}"
        )
    if not np.isfinite(recording.samples).all():
        row, channel = np.argwhere(~np.isfinite(recording.samples))[0]
        raise DataError(f"{where}: NaN or infinity at sample {row}, channel {channel}")
    if not recording.label:
        raise DataError(f"{where}: the label is empty")
