"""Model families by name. A family is a torch module for training with a `to_spec()` for export."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgeseq.models.config import FAMILIES, ModelConfig

if TYPE_CHECKING:
    from edgeseq.models.classifier import SequenceClassifier


def build(config: ModelConfig, input_features: int, labels: tuple[str, ...]) -> SequenceClassifier:
    """A new model: features [B, T, input_features] and lengths [B] in, logits [B, len(labels)] out."""
    module = importlib.import_module(FAMILIES[config.family])
    model: SequenceClassifier = module.build(config, input_features, labels)
    return model
