"""The data that a run was trained on: found again, and refused where it is another or is split otherwise."""

from __future__ import annotations

from pathlib import Path

from edgeseq import data as datasets
from edgeseq.data import DataOptions, Dataset, SplitOptions, Splits, StretchSplits
from edgeseq.data.catalogue import CATALOGUE
from edgeseq.features import Prepared, applied
from edgeseq.runs import Run
from edgeseq.training.recipe import Recipe
from edgeseq_device.errors import DataError, UsageError


def load_recorded(recipe: Recipe, where: Path) -> Dataset:
    """The recipe's data, from where training read it. Raises DataError where it is no longer there."""
    try:
        return datasets.load(recipe.data, recipe.reading)
    except UsageError as error:
        raise DataError(f"{error}; {where} was trained on it: say with --data where it is now") from error


def trained_reading(recipe: Recipe) -> DataOptions:
    """How the recipe's data is read where it is given by its path: with what the catalogue says of it."""
    known = CATALOGUE.get(recipe.data)
    return recipe.reading if known is None else recipe.reading.over(known.options)


def load_prepared(run: Run, data: str | None = None) -> Prepared:
    """What the run was trained on. `data`: where the same data is now, None = where it was.

    Raises DataError where the content or its splits are not those that the run was trained on.
    """
    dataset = load_trained_on(run, data)
    places = recorded_splits(dataset, run.recipe.splitting, run.splits_sha256, run.path)
    return applied(dataset, run.front_end, places, run.recipe.model)


def load_trained_on(run: Run, data: str | None = None) -> Dataset:
    """The data set that the run was trained on. `data`: where it is now, None = where it was.

    Raises DataError where its content is another.
    """
    if data is None:
        dataset = load_recorded(run.recipe, run.path)
    else:
        dataset = datasets.load(data, trained_reading(run.recipe))
    if dataset.content_sha256 != run.data_sha256:
        raise DataError(
            f"{data or run.recipe.data}: its content is not what the run was trained on"
            f" (sha256 {dataset.content_sha256[:12]}, the run has {run.data_sha256[:12]});"
            " bring that data back or train a new run"
        )
    return dataset


def recorded_splits(
    dataset: Dataset, splitting: SplitOptions, sha256: str, where: Path
) -> Splits | StretchSplits:
    """The splits drawn again. Raises DataError where they are not the recorded ones: the draw changed."""
    splits = datasets.split(dataset, splitting)
    if splits.sha256 != sha256:
        raise DataError(
            f"{where}: its splits of {dataset.name} come out otherwise here than when it was trained, and"
            " training recordings would count as test ones; use its versions of edgeseq and numpy (run.json"
            " has them), or train a new run"
        )
    return splits
