"""Learning to forecast: windows of a series, squared errors in training as in validation.

And the linear baseline that every other forecaster is held against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.evaluate.windows import evaluate_forecaster
from edgeseq.features import LabelledFeatures, Prepared
from edgeseq.features.forecast import rows_to_say
from edgeseq.models.shapes import linear_beside
from edgeseq.runs import RunFolder
from edgeseq.training.checkpoint import Validation, save_weights
from edgeseq.training.defaults import training_for
from edgeseq.training.examples import Batch, IntArray, Shuffled
from edgeseq.training.fit import TrainingProgress, fit
from edgeseq.training.judge import Judge
from edgeseq.training.lesson import Lesson
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Recipe

LEAST_TRUE = 0.1
"""Of a split's cells: where fewer of them are true, its errors say little of the series."""


@dataclass(frozen=True, eq=False)
class WindowBatch(Batch):
    """features: [B, L, C]; labels: [B, H * C] float32, what came, NaN where nobody knows."""

    @property
    def judged(self) -> Tensor:
        """[0]: a forecast is not right or wrong."""
        return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True, eq=False)
class WindowExamples(Shuffled):
    """The windows of a split, in another order in each epoch."""

    data: LabelledFeatures

    def __len__(self) -> int:
        return len(self.data)

    def lengths(self, epoch: int) -> IntArray:  # noqa: ARG002
        """[n]: all alike."""
        return np.zeros(len(self.data), np.int64)

    def batch(self, chosen: IntArray, epoch: int) -> WindowBatch:  # noqa: ARG002
        """These windows, copied beside each other."""
        features = torch.from_numpy(np.stack([self.data.features[i] for i in chosen]))
        lengths = torch.full((len(chosen),), features.shape[1])
        return WindowBatch(features, lengths, torch.from_numpy(self.data.labels[chosen]))


class SquaredError(nn.Module):
    """Mean squared error of all channels at all moments of the horizon where it is known what came, as it is
    somewhere in every window.
    """

    def forward(self, forward: Forward, batch: Batch) -> tuple[Tensor, Tensor]:
        """(loss, answers [B, H * C])."""
        answers = forward(batch.features, batch.lengths)
        known = ~torch.isnan(batch.labels)
        came = torch.where(known, batch.labels, answers.detach())
        return functional.mse_loss(answers, came) * (known.numel() / int(known.sum())), answers


def lesson(recipe: Recipe, prepared: Prepared) -> Lesson:  # noqa: ARG001
    """All windows of the training rows, squared errors."""
    return Lesson(WindowExamples(prepared.splits.train), lambda _phase, _module: SquaredError())


def judge(prepared: Prepared) -> Judge:
    """The mean squared error over the windows of the validation rows."""
    return lambda forward: Validation(evaluate_forecaster(forward, prepared.splits.validation).mse)


def metrics(forward: Forward, prepared: Prepared) -> dict[str, Any]:
    """{"windows", "mse", "mae"} by split, and "cells", "true_cells" where some of its cells were filled."""
    splits = prepared.splits
    return {
        name: evaluate_forecaster(forward, splits.named(name)).to_dict() | _cells(prepared, name)
        for name in splits.names
    }


def _cells(prepared: Prepared, split: str) -> dict[str, int]:
    """How many cells a split is to forecast, and how many of them the data has; nothing where it has all."""
    rows: range = getattr(prepared.places, split)
    if prepared.dataset.filled is None:
        return {}
    context = len(prepared.splits.named(split).features[0])
    said = rows_to_say(prepared.dataset.filled, rows, context)
    return {"cells": said.size, "true_cells": int((~said).sum())} if said.any() else {}


def baseline(recipe: Recipe, prepared: Prepared, folder: Path, watcher: TrainingProgress) -> dict[str, Any]:
    """Trains the linear model on the same data, with settings that suit it, and keeps its weights in the run.

    Returns its metrics by split; nothing for a linear model itself. Quick enough to begin anew where the run
    is resumed.
    """
    if recipe.model.family == "linear":
        return {}
    watcher.baseline()
    module, _ = fit(_linear(recipe, prepared), prepared, checkpoint=None)
    save_weights(RunFolder(folder).linear, module.state_dict())
    return metrics(module, prepared)


def doubts(recipe: Recipe, prepared: Prepared, metrics: dict[str, Any]) -> list[str]:
    """Warnings where little of a split is true, and where the linear baseline is better on test, or, without
    a test split, on validation.
    """
    found = _mostly_filled(metrics, recipe.model.horizon * len(prepared.dataset.channels))
    split = "test" if "test" in metrics else "validation"
    mine, linear = metrics[split], metrics.get("linear", {}).get(split)
    if linear is None or linear["mse"] >= mine["mse"]:
        return found
    figures = f"{split} MSE {linear['mse']:.4f} against {mine['mse']:.4f}"
    advice = "it is smaller and faster too (--model linear), or train longer (--epochs)"
    return [*found, f"the linear baseline is better: {figures}; {advice}"]


def _mostly_filled(metrics: dict[str, Any], horizon_cells: int) -> list[str]:
    """What to say of splits with fewer true cells than a horizon has, or than LEAST_TRUE of theirs."""
    found = []
    for split in ("validation", "test"):
        reached = metrics.get(split, {})
        true, cells = reached.get("true_cells"), reached.get("cells", 0)
        if true is not None and (true < horizon_cells or true < LEAST_TRUE * cells):
            found.append(
                f"{true:,} of the {cells:,} cells to forecast in {split} are true, the others were filled:"
                " its errors say little, for or against the linear baseline; take data with fewer gaps there"
            )
    return found


def _linear(recipe: Recipe, prepared: Prepared) -> Recipe:
    """The baseline's recipe beside this one."""
    model = linear_beside(recipe.model)
    usual = training_for("series", len(prepared.splits.train), model)
    training = replace(usual, seed=recipe.training.seed)
    return replace(recipe, model=model, training=training, qat=None, start=None, distill=None, fit=None)
