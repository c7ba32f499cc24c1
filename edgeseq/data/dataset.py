"""What every reader returns: named recordings with their labels, and how they are to be read."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseq.names import some, unknown
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import LogMel, Standardise
from edgeseq_device.tasks import Task

Kind = Literal["audio", "series", "text"]
GivenSplit = Literal["train", "validation", "test"]
Samples = NDArray[np.float32] | str
"""What was recorded: readings [n, channels] float32, n >= 1, finite (audio is mono in [-1, 1]), or a text."""
HIGHEST_DEFAULT_RATE_HZ = 16_000  # speech and most sounds keep what tells them apart below 8 kHz
GIVEN_SPLITS: dict[str, GivenSplit] = {
    "train": "train",
    "training": "train",
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class DataOptions:
    """How recordings are read; None = the data set's own default.

    Patterns are regular expressions searched in a recording's name, such as `yes/anna_3.wav`.
    `label_pattern` has a named group `label`, and may have `group` and `split`; without it an audio file's
    label is the folder it lies in. `group_pattern` has a named group `group`. A name that `test_pattern`
    matches is a test recording, every other one is for training. The columns are those of a table.
    Recordings of `out_of_scope_label` are of none of the classes: `Dataset.out_of_scope`.

    Of a series to forecast: `fill` says how gaps are filled, None refuses them; `split_rows` are the rows of
    train, validation and test, in the order of time; `drop_columns` are left out.
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
    text_column: str | None = None
    out_of_scope_label: str | None = None
    task: Task = "classify"
    fill: Literal["linear", "previous"] | None = None
    split_rows: tuple[int, ...] | None = None
    drop_columns: tuple[str, ...] | None = None

    def only(self, *applicable: str, reference: str) -> DataOptions:
        """These options; UsageError when one is given that does not concern the data at `reference`.

        The task and the label out of scope concern all data.
        """
        for name, value in dataclasses.asdict(self).items():
            if value is not None and name not in (*applicable, "task", "out_of_scope_label"):
                flag = name.removesuffix("_hz").replace("columns", "column").replace("_", "-")
                raise UsageError(f"{reference}: --{flag} does not concern this data")
        return self

    def over(self, defaults: DataOptions) -> DataOptions:
        """These options, with `defaults` where one is None."""
        mine = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return dataclasses.replace(defaults, **mine)


@dataclass(frozen=True)
class FrontEndOptions:
    """Settings of the default front end; UsageError where one that is given does not concern the data.

    Audio: `sample_rate_hz` None = the data's rate, at most 16 kHz; frames and hops are in milliseconds.
    Text: the kind of `tokenizer`, its `vocabulary` of at most so many tokens, and the columns of
    `edgeseq_device.tokens.Tokens`; None = by the kind (`edgeseq.tokenizer_training.settled`).
    """

    sample_rate_hz: int | None = None
    frame_ms: float = 25.0
    hop_ms: float = 10.0
    mels: int = 40
    pre_emphasis: float = 0.0
    tokenizer: str | None = None
    vocabulary: int | None = None
    ngrams: int | None = None
    subwords: int | None = None
    buckets: int | None = None
    max_tokens: int | None = None
    lowercase: bool | None = None

    def only_of(self, dataset: Dataset) -> FrontEndOptions:
        """These options; UsageError when one is given that does not concern the data's kind."""
        values = dataclasses.asdict(self)
        check_concerns([name for name in values if values[name] != getattr(_DEFAULT, name)], dataset)
        return self


def check_concerns(given: Iterable[str], dataset: Dataset) -> None:
    """Raises UsageError for one of the FrontEndOptions given that does not concern the data's kind."""
    for name in given:
        if name not in _CONCERNS[dataset.kind]:
            kinds = " and ".join(kind for kind, names in _CONCERNS.items() if name in names)
            flag = f"--{name.removesuffix('_hz').replace('_', '-')}"
            raise UsageError(f"{dataset.name} holds {dataset.kind}; {flag} concerns {kinds}")


_DEFAULT = FrontEndOptions()
_CONCERNS: dict[Kind, tuple[str, ...]] = {
    "audio": ("sample_rate_hz", "frame_ms", "hop_ms", "mels", "pre_emphasis"),
    "series": ("sample_rate_hz",),
    "text": ("tokenizer", "vocabulary", "ngrams", "subwords", "buckets", "max_tokens", "lowercase"),
}


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording: a sound, a series or a text. name: its file, or its place in one."""

    name: str
    samples: Samples
    label: str
    group: str | None = None
    split: GivenSplit | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Recordings that belong together; `labels` are sorted, a class's number is its place there.

    `content_sha256` is the hash of what was read (`edgeseq.data.lineage`); `sample_rate_hz` None = unknown.
    `test_pattern` is the caller's, where the recordings' `split` comes from it and not from the data.
    `out_of_scope`: recordings of none of the classes, such as questions that a model should not answer; they
    are in none of the `Splits`, and their own label is not among `labels`. `columns`: of a table, the
    one that was read for each role, such as "label".

    Of the task lm the recordings are the documents of a corpus, of forecast the one series [n, channels];
    both have no labels. `times`: of each row of that series, [n], None = unknown; `interval_s`: between two
    rows; `split_rows`: how many of them train, validate and test, None = by fractions; `filled`:
    [n, channels], the cells that were empty, None = none was.
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
    out_of_scope: tuple[Recording, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    task: Task = "classify"
    times: NDArray[np.datetime64] | None = None
    interval_s: float | None = None
    split_rows: tuple[int, ...] | None = None
    filled: NDArray[np.bool_] | None = None


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
    out_of_scope: Sequence[Recording] = (),
    columns: Mapping[str, str] | None = None,
) -> Dataset:
    """The data set of these recordings, after the checks that every reader owes.

    What only training needs is checked by `edgeseq.data.split`. Raises DataError for no recording, no
    channel, NaN or infinity, ragged channel counts, an empty text and an empty label; each names the
    recording.
    """
    if not recordings:
        raise DataError(f"{name}: there is no recording in it")
    if not channels:
        raise DataError(f"{name}: its recordings have no channel")
    for recording in (*recordings, *out_of_scope):
        _check_samples(f"{name}: {recording.name}", recording.samples, len(channels))
        if not recording.label:
            raise DataError(f"{name}: {recording.name}: the label is empty; give it one or leave it out")
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
        tuple(out_of_scope),
        dict(columns or {}),
    )


def default_front_end(dataset: Dataset, options: FrontEndOptions | None = None) -> LogMel | Standardise:
    """The front end that suits readings, not fitted yet: LogMel for audio, Standardise for a series.

    That of a text is trained (`edgeseq.tokenizer_training`). Raises UsageError for settings that do not fit
    together or do not concern the data.
    """
    options = (options or FrontEndOptions()).only_of(dataset)
    if dataset.kind == "series":
        return Standardise(len(dataset.channels), dataset.sample_rate_hz)
    rate_hz = options.sample_rate_hz or min(dataset.sample_rate_hz or 0, HIGHEST_DEFAULT_RATE_HZ)
    return LogMel(rate_hz, options.frame_ms, options.hop_ms, options.mels, pre_emphasis=options.pre_emphasis)


def set_aside(dataset: Dataset, label: str) -> Dataset:
    """`dataset` with the recordings of `label` out of scope instead of a class of their own.

    Those that the data gives no split are validation and test in turn. Nothing trains on them: those of train
    are validation where none of them is, or test where the data has no test split, or both in turn. Raises
    UsageError for a label that no recording has, DataError where no other one is left.
    """
    known = {recording.label for recording in (*dataset.recordings, *dataset.out_of_scope)}
    if label not in known:
        raise UsageError(f"{dataset.name}: {unknown('--out-of-scope-label', label, known)}")
    inside = tuple(recording for recording in dataset.recordings if recording.label != label)
    outside = tuple(recording for recording in dataset.recordings if recording.label == label)
    if not inside:
        raise DataError(f'{dataset.name}: every recording has the label "{label}", which is out of scope')
    return dataclasses.replace(
        dataset,
        recordings=inside,
        labels=tuple(each for each in dataset.labels if each != label),
        out_of_scope=(
            *dataset.out_of_scope,
            *_with_sides(outside, {each.split for each in dataset.recordings}),
        ),
    )


def _with_sides(outside: Sequence[Recording], given: Collection[GivenSplit | None]) -> Iterator[Recording]:
    """given: the splits that the data has for what is inside."""
    lacking: list[GivenSplit] = []
    if not any(each.split == "validation" for each in outside):
        lacking.append("validation")
    if "test" not in given:
        lacking.append("test")
    turns: dict[GivenSplit | None, list[GivenSplit]] = {None: ["validation", "test"], "train": lacking}
    for place, recording in enumerate(outside):
        free = turns.get(recording.split)
        side = free[place % len(free)] if free else recording.split
        yield dataclasses.replace(recording, split=side)


def given_split(word: str, where: str) -> GivenSplit:
    """The split that a word in the data names. Raises DataError, naming the place, for another word."""
    try:
        return GIVEN_SPLITS[word.strip().lower()]
    except KeyError:
        raise DataError(f'{where}: the split "{word}" is none of {", ".join(GIVEN_SPLITS)}') from None


def refuse_unknown_labels(
    recordings: Iterable[Recording], known: Iterable[str], dataset: str, knower: str, remedy: str
) -> None:
    """Raises DataError naming the first recording whose label is not in `known`, and what can be done."""
    labels = set(known)
    for recording in recordings:
        if recording.label not in labels:
            raise DataError(
                f'{dataset}: {recording.name}: the label "{recording.label}" is unknown to {knower}'
                f" (known: {some(sorted(labels))}); {remedy}, or, where they are of none of the classes, say"
                f" --out-of-scope-label {shlex.quote(recording.label)}"
            )


def _check_samples(where: str, samples: Samples, channels: int) -> None:
    if isinstance(samples, str):
        if not samples.strip():
            raise DataError(f"{where}: the text is empty")
        return
    if samples.shape[0] == 0:
        raise DataError(f"{where}: the recording has zero samples")
    if samples.shape[1] != channels:
        raise DataError(f"{where}: {samples.shape[1]} channels where the other recordings have {channels}")
    if not np.isfinite(samples).all():
        row, channel = np.argwhere(~np.isfinite(samples))[0]
        raise DataError(f"{where}: NaN or infinity at sample {row}, channel {channel}")
