"""Model families by name. A family is a torch module for training with a `to_spec()` for export."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgeseq.names import unknown
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.models.classifier import SequenceClassifier
    from edgeseq.recipe import ModelConfig

# The module that builds each family. Imported on use, because each one needs torch.
FAMILIES = {"gru": "edgeseq.models.recurrent", "lstm": "edgeseq.models.recurrent"}


def check_family(name: str) -> None:
    """Raises UsageError, naming the nearest family, when `name` is none."""
    if name not in FAMILIES:
        raise UsageError(unknown("model", name, FAMILIES))


def build(config: ModelConfig, input_features: int, labels: tuple[str, ...]) -> SequenceClassifier:
    """A new model: features [B, T, input_features] and lengths [B] in, logits [B, len(labels)] out."""
    check_family(config.family)
    module = importlib.import_module(FAMILIES[config.family])
    model: SequenceClassifier = module.build(config, input_features, labels)
    return model
