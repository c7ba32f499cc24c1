"""Models by task and family. A family is a torch module for training with a `to_spec()` for export."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgeseq.models.config import FAMILIES, Inputs, ModelConfig, check_kind

if TYPE_CHECKING:
    from edgeseq.models.model import SequenceModel


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> SequenceModel:
    """A new model, its weights drawn from torch's global generator.

    labels: the classes; of a language model the tokens of its vocabulary, of a forecaster the channels.
    Raises UsageError where the shape does not fit what the model is to read.
    """
    check_kind(config, takes_text=bool(inputs.ids))
    module = importlib.import_module(FAMILIES[config.task][config.family])
    model: SequenceModel = module.build(config, inputs, labels)
    return model
