"""Quantization-aware training: the forward pass of the exported int8 model, and settings that suit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from edgeseq.models.model import SequenceModel
from edgeseq.names import unknown
from edgeseq.settings import require
from edgeseq.training.quantized import quantized_logits
from edgeseq.training.recipe import QatConfig, TrainConfig
from edgeseq_device.errors import EdgeseqError
from edgeseq_export.choice import choose
from edgeseq_export.forms import Format, rounding
from edgeseq_export.reference import Rounding
from edgeseq_export.spec import quantize_spec
from edgeseq_export.targets import TARGETS

Forward = Callable[[Tensor, Tensor], Tensor]
"""features [B, T, F], lengths [B] -> logits [B, C]."""

FINE_TUNING_DIVISOR = 10  # learning rate of first training / that of a training that starts from its weights
FINE_TUNING_PART, FEWEST_EPOCHS = 4, 10  # a quarter of the first training's epochs, at least ten


def fine_tuning(training: TrainConfig) -> TrainConfig:
    """Settings to go on with from weights that `training` found."""
    epochs = max(FEWEST_EPOCHS, training.epochs // FINE_TUNING_PART)
    return replace(
        training,
        epochs=epochs,
        learning_rate=training.learning_rate / FINE_TUNING_DIVISOR,
        patience=max(FEWEST_EPOCHS, epochs // 2) if training.patience else 0,
    )


def qat_for(training: TrainConfig, target: str, model_format: Format) -> QatConfig:
    """Settings of a quantization-aware part behind `training`. Raises UsageError on an unknown target."""
    require(target in TARGETS, unknown("target", target, TARGETS))
    formats = TARGETS[target].formats
    require(
        model_format in formats,
        f"--qat-format {model_format}: the target {target} takes {' and '.join(formats)} alone",
    )
    tuned = fine_tuning(training)
    return QatConfig(target, model_format, tuned.epochs, tuned.learning_rate, tuned.patience)


def rounding_of(module: SequenceModel, qat: QatConfig) -> Rounding:
    """By layer how the form that would be shipped rounds activations.

    Raises EdgeseqError naming a weight that holds NaN or infinity.
    """
    try:
        plan = choose(quantize_spec(module.to_spec()), qat.format, qat.target)
    except ValueError as error:
        raise EdgeseqError(f"{error}; train again with a lower --learning-rate") from error
    return rounding(plan.sequence)


def quantized_forward(module: SequenceModel, by_layer: Rounding) -> Forward:
    """What the int8 model answers with the module's present weights; gradients reach them."""

    def forward(features: Tensor, lengths: Tensor) -> Tensor:
        return quantized_logits(module.to_spec(leaf=lambda each: each), features, lengths, by_layer)

    return forward
