"""What a language model or a forecaster is evaluated on: a stretch of a text or of a series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from edgeseq import data as datasets
from edgeseq.data import DataOptions, Dataset
from edgeseq.data.stretches import corpus_text
from edgeseq.features import LabelledFeatures, Prepared, Text, applied
from edgeseq.features.forecast import readings, windows_by_split
from edgeseq.features.lm import unknown_tokens
from edgeseq.names import some
from edgeseq.run_data import load_recorded, recorded_splits, trained_reading
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import Tokens

if TYPE_CHECKING:
    from edgeseq.eval_subject import Subject


Material = Union[Text, LabelledFeatures]  # noqa: UP007
"""A text for a language model, windows of a series for a forecaster."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """What is evaluated on. split: train, validation, test or all."""

    reference: str
    content_sha256: str
    split: str
    material: Material
    warnings: tuple[str, ...]


def choose_stretch(
    subject: Subject, reference: str | None, split: str | None, given: DataOptions | None = None
) -> Stretch:
    """`reference` None: the data that the model was trained on, its test split, or validation where it has
    none. Other data is taken whole, unless `split` names a part of it; it is read as `given` says, and as the
    recipe's where that says nothing.

    Raises DataError where the data is not what the model takes or a split of it is empty, UsageError for
    options without a reference.
    """
    dataset = _read(subject, reference, given or DataOptions())
    same = dataset.content_sha256 == subject.data_sha256
    if split == "all" or (split is None and not same):
        name, material, warnings = "all", *_whole(subject, dataset)
    else:
        prepared = _prepared(subject, dataset, same=same)
        name = split or ("test" if "test" in prepared.splits.names else "validation")
        material, warnings = _part(prepared, name), prepared.warnings
    return Stretch(reference or subject.recipe.data, dataset.content_sha256, name, material, warnings)


def own_data(subject: Subject, given: DataOptions) -> Dataset:
    """What the model was trained on. Raises UsageError for options, which are about other data, DataError
    where it is another now.
    """
    if given != DataOptions():
        raise UsageError("how data is read is about --data; without it, it is read as in training")
    dataset = load_recorded(subject.recipe, subject.path)
    if dataset.content_sha256 != subject.data_sha256:
        raise DataError(
            f"{subject.recipe.data}: its content is not what {subject.path} was trained on, so that"
            " its splits are not the same; name it with --data to evaluate on all of it"
        )
    return dataset


def _read(subject: Subject, reference: str | None, given: DataOptions) -> Dataset:
    if reference is None:
        return own_data(subject, given)
    trained, asked = trained_reading(subject.recipe), replace(given, task=subject.task)
    dataset = datasets.load(reference, replace(asked.over(trained), split_rows=given.split_rows))
    if dataset.content_sha256 == subject.data_sha256:
        _check_reading(subject, reference, given, trained)
        dataset = replace(dataset, split_rows=trained.split_rows)
    return _with_channels(dataset, subject) if subject.task == "forecast" else dataset


def _check_reading(subject: Subject, reference: str, given: DataOptions, trained: DataOptions) -> None:
    """Raises UsageError where the data of training is to be read in another way: its splits would be others,
    and training rows would count as test ones.
    """
    for name in ("time_column", "text_column", "fill", "split_rows", "drop_columns"):
        asked, then = getattr(given, name), getattr(trained, name)
        if asked is not None and _comparable(name, asked) != _comparable(name, then):
            flag = name.replace("columns", "column").replace("_", "-")
            reading = "without that option" if then is None else f"with {_shown(then)}"
            raise UsageError(
                f"--{flag}: {reference} is what {subject.path} was trained on, and its splits are those of"
                f" the reading then, {reading}; leave --{flag} out"
            )


def _comparable(name: str, value: Any) -> Any:
    return set(value or ()) if name == "drop_columns" else value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else ",".join(map(str, value))


def _with_channels(dataset: Dataset, subject: Subject) -> Dataset:
    """A series with the model's channels in the model's order. Raises DataError where they are others."""
    wanted = subject.labels
    if set(dataset.channels) != set(wanted):
        lacking = [name for name in wanted if name not in dataset.channels]
        beyond = [name for name in dataset.channels if name not in wanted]
        found = [f"{some(lacking)} missing"] * bool(lacking) + [f"{some(beyond)} not known"] * bool(beyond)
        raise DataError(
            f"{dataset.name}: its channels are not the model's {len(wanted)}: {', '.join(found)}; give data"
            " with the columns that it was trained on, and leave others out with --drop-column"
        )
    order = [dataset.channels.index(name) for name in wanted]
    (series,) = dataset.recordings
    ordered = replace(series, samples=np.ascontiguousarray(readings(dataset)[:, order]))
    filled = None if dataset.filled is None else dataset.filled[:, order]
    return replace(dataset, recordings=(ordered,), channels=wanted, filled=filled)


def _prepared(subject: Subject, dataset: Dataset, *, same: bool) -> Prepared:
    splitting, expected = subject.recipe.splitting, subject.splits_sha256
    if same and expected is not None:
        places = recorded_splits(dataset, splitting, expected, subject.path)
    else:
        places = datasets.split(dataset, splitting)
    return applied(dataset, subject.front_end, places, subject.recipe.model)


def _part(prepared: Prepared, split: str) -> Material:
    if split not in prepared.splits.names:
        there = ", ".join(prepared.splits.names)
        raise DataError(f"{prepared.dataset.name}: it has no {split} split; choose --split of: {there}, all")
    if isinstance(prepared.front_end, Tokens):
        return prepared.texts[split]
    return prepared.splits.named(split)


def _whole(subject: Subject, dataset: Dataset) -> tuple[Material, tuple[str, ...]]:
    """All of the data, and warnings about it."""
    if isinstance(subject.front_end, Tokens):
        text = corpus_text(dataset)
        ids = np.array(subject.front_end.reader.ids(text), np.int32).reshape(-1, 1)
        lacking = unknown_tokens(subject.front_end, {"all": text}, {"all": ids})
        return Text(ids, len(text)), (*dataset.warnings, *lacking)
    values = subject.front_end.features(readings(dataset))
    model = subject.recipe.model
    found, unknown = windows_by_split(dataset, values, {"all": range(len(values))}, model)
    if not len(found["all"]):
        needed = model.context + model.horizon
        raise DataError(f"{dataset.name}: it has {len(values)} rows; the model takes {needed} at least")
    return found["all"], (*dataset.warnings, *unknown)
