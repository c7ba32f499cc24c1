"""Training settings that suit a data set's kind and size, for whoever gives none."""

from __future__ import annotations

import math
from dataclasses import replace

from edgeseq.data.dataset import Kind
from edgeseq.models.config import ModelConfig
from edgeseq.training.augment import augmentation_for
from edgeseq.training.recipe import TrainConfig

EPOCHS: dict[Kind, int] = {"audio": 40, "series": 25, "text": 20}
LEARNING_RATE: dict[Kind, float] = {"audio": 4e-3, "series": 8e-3, "text": 4e-3}
TEXT_BATCH_SIZE = 128  # of a large set: each step updates a whole table, of which a text uses a few rows
TEXT_LABEL_SMOOTHING, TEXT_EMA = 0.1, 0.995
FEWEST_STEPS, MOST_EPOCHS = 1000, 120  # a small set is seen more often: one-cycle needs updates to settle
MOST_STEPS, FEWEST_EPOCHS = 20_000, 10  # and a large one less often
LARGE_HIDDEN = 192  # from here on a second thread pays, and smaller steps do; texts are too short for either
TRANSFORMER_RATE = 0.5  # of a recurrent model's: the lower validation loss, found on validation data


def training_for(kind: Kind, train_recordings: int, model: ModelConfig) -> TrainConfig:
    """Batch size, epochs, patience, learning rate, threads and augmentation."""
    batch_size = _batch_size(kind, train_recordings)
    steps_per_epoch = math.ceil(train_recordings / batch_size)
    epochs = min(MOST_EPOCHS, max(EPOCHS[kind], FEWEST_STEPS // steps_per_epoch))
    epochs = max(FEWEST_EPOCHS, min(epochs, MOST_STEPS // steps_per_epoch))
    large = model.hidden >= LARGE_HIDDEN and kind != "text"
    rate = LEARNING_RATE[kind] * (TRANSFORMER_RATE if model.family == "transformer" else 1)
    found = TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        patience=patience_for(epochs),
        learning_rate=rate / (2 if large else 1),
        threads=2 if large else 1,
        augment=augmentation_for(kind),
    )
    if kind != "text":
        return found
    return replace(found, label_smoothing=TEXT_LABEL_SMOOTHING, ema=TEXT_EMA)


def _batch_size(kind: Kind, train_recordings: int) -> int:
    if kind == "text" and train_recordings >= FEWEST_STEPS * TEXT_BATCH_SIZE // EPOCHS[kind]:
        return TEXT_BATCH_SIZE
    return 32 if train_recordings >= 1024 else 16 if train_recordings >= 128 else 8


def patience_for(epochs: int) -> int:
    """One-cycle gains most at its end: patience for half of it."""
    return max(10, epochs // 2)
