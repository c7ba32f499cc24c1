"""Model families by name. A family is a torch module for training with a `to_spec()` for export."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgeseq.models.config import FAMILIES, Inputs, ModelConfig, check_kind

if TYPE_CHECKING:
    from edgeseq.models.classifier import SequenceClassifier


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> SequenceClassifier:
    """A new model: features [B, T, inputs.features] and lengths [B] in, logits [B, len(labels)] out.

    Raises UsageError where the shape does not fit what the model is to read.
    """
    check_kind(config, takes_text=bool(inputs.ids))
    module = importlib.import_module(FAMILIES[config.family])
    model: SequenceClassifier = module.build(config, inputs, labels)
    return model
