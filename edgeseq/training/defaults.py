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
FORECAST_STEPS, FEWEST_FORECAST_EPOCHS, MOST_FORECAST_EPOCHS = 2500, 3, 40
FORECAST_BATCH_SIZE = 32  # windows, each of all channels
FORECAST_RATE, FORECAST_TRANSFORMER_RATE = 1e-3, 2e-4  # at 1e-3 a transformer learns the windows by heart
MOST_STREAMS, FEWEST_STREAMS = 64, 8
LONGEST_WINDOW, SHORTEST_WINDOW = 64, 16  # tokens; longer ones give fewer updates a pass
LANGUAGE_UPDATES, FEWEST_UPDATES = 2940, 32  # in all, and in an epoch: a short text has less in each
FEWEST_LANGUAGE_EPOCHS = 3
LANGUAGE_RATE, LANGUAGE_TRANSFORMER_RATE, LANGUAGE_WARM_UP = 3e-3, 2e-3, 0.1
TRANSFORMER_RATE = 0.5  # of a recurrent model's: the lower validation loss, found on validation data


def training_for(kind: Kind, examples: int, model: ModelConfig) -> TrainConfig:
    """Batch size, epochs, patience, learning rate, threads and augmentation.

    examples: of the training split: its recordings, a text's tokens, a series' windows.
    """
    if model.task == "lm":
        return _for_language(examples, model)
    if model.task == "forecast":
        return _for_forecasts(examples, model)
    batch_size = _batch_size(kind, examples)
    steps_per_epoch = math.ceil(examples / batch_size)
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


def _for_language(train_tokens: int, model: ModelConfig) -> TrainConfig:
    """Streams side by side, each read in windows: a text of a million tokens is read twelve times."""
    window = min(LONGEST_WINDOW, max(SHORTEST_WINDOW, train_tokens // (FEWEST_STREAMS * FEWEST_UPDATES)))
    windows = (train_tokens - 1) // window
    streams = min(MOST_STREAMS, max(FEWEST_STREAMS, windows // FEWEST_UPDATES), windows)
    epochs = round(LANGUAGE_UPDATES / (windows // streams))
    epochs = max(FEWEST_LANGUAGE_EPOCHS, min(epochs, MOST_EPOCHS))
    return TrainConfig(
        epochs=epochs,
        batch_size=streams,
        patience=patience_for(epochs),
        warm_up=LANGUAGE_WARM_UP,
        learning_rate=LANGUAGE_TRANSFORMER_RATE if model.family == "transformer" else LANGUAGE_RATE,
        label_smoothing=0.0,
        bucket_by_length=False,
        threads=2 if model.hidden >= LARGE_HIDDEN else 1,
        ema=0.998,
        window_tokens=window,
    )


def _for_forecasts(train_windows: int, model: ModelConfig) -> TrainConfig:
    """Windows overlap: a pass over a long series is many updates, so that a few are enough."""
    epochs = round(FORECAST_STEPS * FORECAST_BATCH_SIZE / train_windows)
    epochs = max(FEWEST_FORECAST_EPOCHS, min(epochs, MOST_FORECAST_EPOCHS))
    linear = model.family == "linear"
    return TrainConfig(
        epochs=epochs,
        batch_size=FORECAST_BATCH_SIZE,
        patience=patience_for(epochs),
        learning_rate=FORECAST_TRANSFORMER_RATE if model.family == "transformer" else FORECAST_RATE,
        weight_decay=0.0 if linear else 0.01,
        label_smoothing=0.0,
        bucket_by_length=False,
        threads=1 if linear else 2,
        ema=0.99,
    )


def _batch_size(kind: Kind, train_recordings: int) -> int:
    if kind == "text" and train_recordings >= FEWEST_STEPS * TEXT_BATCH_SIZE // EPOCHS[kind]:
        return TEXT_BATCH_SIZE
    return 32 if train_recordings >= 1024 else 16 if train_recordings >= 128 else 8


def patience_for(epochs: int) -> int:
    """One-cycle gains most at its end: patience for half of it."""
    return max(10, epochs // 2)
