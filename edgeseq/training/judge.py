"""What a model reaches on the validation split after an epoch: what the best weights are chosen by."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from edgeseq.batches import logits_of
from edgeseq.evaluate import evaluate_logits
from edgeseq.features import LabelledFeatures, Prepared
from edgeseq.models.config import Task
from edgeseq.training.checkpoint import Validation
from edgeseq.training.qat import Forward

Judge = Callable[[Forward], Validation]


def judge_of(task: Task, prepared: Prepared) -> Judge:
    """The judge of a task: accuracy and cross-entropy of classes."""
    del task  # TODO
    return lambda forward: _of_classes(forward, prepared.splits.validation)


def _of_classes(forward: Forward, validation: LabelledFeatures) -> Validation:
    """Mean cross-entropy without smoothing, and accuracy."""
    logits = logits_of(forward, validation.features)
    loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(validation.labels))
    return Validation(loss.item(), evaluate_logits(logits, validation).accuracy)
