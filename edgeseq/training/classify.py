"""Training a classifier: cross-entropy on varied recordings, accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from edgeseq.batches import logits_of
from edgeseq.evaluate import Evaluation, evaluate_logits, out_of_scope_metrics
from edgeseq.features import LabelledFeatures, Prepared
from edgeseq.training.checkpoint import Validation
from edgeseq.training.examples import Augmented, AugmentedTexts, Examples
from edgeseq.training.fit import TrainingProgress
from edgeseq.training.judge import Judge
from edgeseq.training.lesson import Lesson
from edgeseq.training.objective import CrossEntropy
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq_device.tokens import Tokens

FEW_VALIDATION_RECORDINGS = 20


def lesson(recipe: Recipe, prepared: Prepared) -> Lesson:
    """Learning from labels alone: the training split, augmented, cross-entropy."""
    return Lesson(
        _examples(recipe.training, prepared),
        lambda phase, _module: CrossEntropy(phase.config.label_smoothing),
    )


def _examples(training: TrainConfig, prepared: Prepared) -> Examples:
    data, front_end = prepared.splits.train, prepared.front_end
    if isinstance(front_end, Tokens):
        return AugmentedTexts(data, front_end, training.augment, training.seed)
    return Augmented(data, training.augment, training.seed)


def judge(prepared: Prepared) -> Judge:
    """Mean cross-entropy without smoothing, and accuracy."""
    validation = prepared.splits.validation

    def of(forward: Forward) -> Validation:
        logits = logits_of(forward, validation.features)
        loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(validation.labels))
        return Validation(loss.item(), evaluate_logits(logits, validation).accuracy)

    return of


def metrics(forward: Forward, prepared: Prepared) -> dict[str, Any]:
    """Accuracy by split; "out_of_scope" where the data has recordings of none of the classes."""
    splits = prepared.splits
    inside = {name: _evaluated(forward, splits.named(name)) for name in splits.names}
    outside = {name: _evaluated(forward, each) for name, each in splits.out_of_scope.items()}
    found: dict[str, Any] = {
        name: {"n": e.n, "correct": e.correct, "accuracy": e.accuracy} for name, e in inside.items()
    }
    rejecting = out_of_scope_metrics(inside, outside)
    return found if rejecting is None else found | {"out_of_scope": rejecting.to_dict()}


def doubts(recipe: Recipe, prepared: Prepared, metrics: dict[str, Any]) -> list[str]:  # noqa: ARG001
    """Whether the validation split is too small to choose an epoch by."""
    n = len(prepared.splits.validation)
    if n >= FEW_VALIDATION_RECORDINGS:
        return []
    return [f"the validation split has {n} recordings: one of them is {100 / n:.0f} points of its accuracy"]


def baseline(recipe: Recipe, prepared: Prepared, folder: Path, watcher: TrainingProgress) -> dict[str, Any]:  # noqa: ARG001
    """None."""
    return {}


def _evaluated(forward: Forward, split: LabelledFeatures) -> Evaluation:
    return evaluate_logits(logits_of(forward, split.features), split)
