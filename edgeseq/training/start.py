"""Starting a training from the weights of a finished run: on its data, with its front end and model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from edgeseq.features import Prepared, prepare
from edgeseq.files import atomic_write_bytes
from edgeseq.run_data import load_trained_on, recorded_splits
from edgeseq.runs import Run, RunFolder
from edgeseq.training.checkpoint import load_weights
from edgeseq.training.qat import fine_tuning
from edgeseq.training.recipe import Recipe, Start, TrainConfig
from edgeseq_device.errors import DataError


def start_from(run: Run, data: str | None = None) -> tuple[Recipe, Prepared]:
    """A recipe that goes on from `run`, with its training settings, and its data. `data`: where that is now.

    Raises DataError where the content, its splits or the fitted front end are not the run's.
    """
    dataset = load_trained_on(run, data)
    recorded_splits(dataset, run.recipe.splitting, run.splits_sha256, run.path)
    prepared = prepare(dataset, run.recipe.splitting, run.recipe.front_end, run.recipe.model)
    if prepared.front_end != run.front_end:
        raise DataError(
            f"{run.path}: its front end comes out otherwise here than when it was trained; use its versions"
            " of edgeseq and numpy (run.json has them), or train a new run"
        )
    start = Start(run.name, _sha256(RunFolder(run.path).weights))
    # the run's fp32 part may have had no epochs; its other settings count all the same
    training = replace(run.recipe.training, epochs=max(1, run.recipe.training.epochs))
    recipe = replace(
        run.recipe, data=data or run.recipe.data, training=training, qat=None, start=start, distill=None
    )
    return recipe, prepared


def going_on(recipe: Recipe) -> TrainConfig:
    """fp32 settings to go on with from what `recipe` trained: gentler than a first training's."""
    first = recipe.training
    return first if recipe.start is not None and first.epochs else fine_tuning(first)


def keep_start(folder: RunFolder, source: Run) -> None:
    """Copies the source's weights into the new run, which needs them where it is cut off early."""
    atomic_write_bytes(folder.start, RunFolder(source.path).weights.read_bytes())


def start_weights(folder: RunFolder, recipe: Recipe) -> dict[str, Tensor] | None:
    """The weights to start from, None where the recipe names none. Raises DataError where they changed."""
    if recipe.start is None:
        return None
    weights, _ = load_weights(folder.start)
    if _sha256(folder.start) != recipe.start.weights_sha256:
        raise DataError(
            f"{folder.start}: not the weights of {recipe.start.run} that training began with; train a new run"
        )
    return weights


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
