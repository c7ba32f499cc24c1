"""Settings that suit a student that learns from teachers, and the one from scratch beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from edgeseq.data.dataset import Kind
from edgeseq.models.config import ModelConfig
from edgeseq.training.recipe import TrainConfig
from edgeseq_device.tasks import Task

TEXT_DROPOUT = 0.1  # a teacher's answers to many variants regularise enough (docs/distill.md)
OF_THE_TEACHER = ("vocabulary", "buckets")
"""Widths that a student shares with a teacher whose inside it learns from: both read the very same ids."""

SETTINGS: Mapping[Task, Mapping[str, Any]] = {
    "classify": {},
    "lm": {"temperature": 1.0, "hard_weight": 0.1, "versions": 1},
    "forecast": {"temperature": 1.0, "hard_weight": 0.5, "versions": 1},
}
"""Of DistillConfig, what suits a task better than its defaults (docs/distill.md says whence)."""


def student_model(usual: ModelConfig, kind: Kind, given: Collection[str]) -> ModelConfig:
    """The model of the distilled student, of text with less dropout, unless that is among what was given.

    usual: the model that suits a training on labels.
    """
    if kind != "text" or usual.task != "classify":
        return usual
    dropout: dict[str, Any] = {"dropout": TEXT_DROPOUT, "embedding_dropout": TEXT_DROPOUT}
    return replace(usual, **{name: value for name, value in dropout.items() if name not in given})


def twin_model(student: ModelConfig, usual: ModelConfig) -> ModelConfig:
    """The model of the student from scratch: the distilled one's shape with the dropout that suits labels."""
    return replace(student, dropout=usual.dropout, embedding_dropout=usual.embedding_dropout)


def student_training(usual: TrainConfig, kind: Kind) -> TrainConfig:
    """The training of both students. The variants of texts have lost and other tokens already."""
    if kind != "text":
        return usual
    return replace(usual, augment=replace(usual.augment, token_dropout=0.0, token_replacement=0.0))
