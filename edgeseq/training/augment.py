"""Training-time variation of standardised features, and its settings. Never applied to validation or test.

Each recording's draw depends on the seed, the epoch and its index alone, so that a resumed training
sees exactly what an unbroken one would have seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeseq.data.dataset import Kind
from edgeseq.draws import stream
from edgeseq_device.errors import UsageError

FloatArray = npt.NDArray[np.float32]

# Beyond these nothing of a recording may be left.
LARGEST = {
    "time_mask_fraction": 1.0,
    "feature_mask_fraction": 1.0,
    "crop_fraction": 0.45,
    "shift_fraction": 1.0,
    "warp_fraction": 0.9,
    "token_dropout": 0.9,
    "token_replacement": 0.9,
    "token_unknown": 1.0,
}


@dataclass(frozen=True)
class AugmentConfig:
    """What may happen to a recording's features; 0 switches a kind off.

    Lengths are fractions of the recording's frames or features, amplitudes are in standard deviations
    of a feature. `crop_fraction` is lost at either end: hand-cut recordings often begin late or end
    early. `level` moves all features alike, as a gain moves log powers. Masks are those of SpecAugment
    (Park et al. 2019, arXiv 1904.08779, section 2). The `token_` settings are for text
    (`edgeseq.training.augment_text`): how likely a token is lost, replaced by another, or made unknown.
    """

    time_masks: int = 0
    time_mask_fraction: float = 0.0
    feature_masks: int = 0
    feature_mask_fraction: float = 0.0
    crop_fraction: float = 0.0
    shift_fraction: float = 0.0
    warp_fraction: float = 0.0
    level: float = 0.0
    scale: float = 0.0
    noise: float = 0.0
    token_dropout: float = 0.0
    token_replacement: float = 0.0
    token_unknown: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= LARGEST.get(name, math.inf):
                raise UsageError(f"augment: {name} is {value}; give 0 to {LARGEST.get(name, 'any number')}")


AUDIO = AugmentConfig(
    time_masks=1,
    time_mask_fraction=0.15,
    feature_masks=1,
    feature_mask_fraction=0.2,
    crop_fraction=0.2,
    warp_fraction=0.1,
    level=0.3,
    noise=0.2,
)
SERIES = AugmentConfig(shift_fraction=0.1, warp_fraction=0.15, scale=0.1, noise=0.1)
TEXT = AugmentConfig(token_dropout=0.1, token_unknown=0.05)
OFF = AugmentConfig()


def augmentation_for(kind: Kind) -> AugmentConfig:
    """The default that suits a kind of data."""
    return {"audio": AUDIO, "series": SERIES, "text": TEXT}[kind]


def augmented(
    features: FloatArray, config: AugmentConfig, *, seed: int, epoch: int, index: int
) -> FloatArray:
    """A varied copy of features [T, F] float32 (standardised); the warp changes T, never below 1."""
    if config == OFF:
        return features
    generator = stream("augmentation", seed, epoch, index)
    varied = _crop(features, config.crop_fraction, generator)
    varied = _warp(varied, config.warp_fraction, generator)
    varied = _shift(varied, config.shift_fraction, generator)
    if config.level:
        varied = varied + generator.uniform(-config.level, config.level)
    if config.scale:
        varied = varied * generator.uniform(1 - config.scale, 1 + config.scale, varied.shape[1])
    if config.noise:
        varied = varied + generator.uniform(0, config.noise) * generator.standard_normal(
            varied.shape, np.float32
        )
    varied = np.array(varied, np.float32)
    for _ in range(config.time_masks):
        _mask(varied, config.time_mask_fraction, generator)
    for _ in range(config.feature_masks):
        _mask(varied.T, config.feature_mask_fraction, generator)
    return varied


def _crop(features: FloatArray, fraction: float, generator: np.random.Generator) -> FloatArray:
    """The same recording without up to `fraction` of its frames at the start, and as many at the end."""
    reach = int(features.shape[0] * fraction)
    if not reach:
        return features
    start, lost = (int(generator.integers(0, reach + 1)) for _ in range(2))
    return features[start : features.shape[0] - lost]


def _warp(features: FloatArray, fraction: float, generator: np.random.Generator) -> FloatArray:
    """The same recording, faster or slower by up to `fraction`: linear interpolation in time."""
    if not fraction:
        return features
    T = features.shape[0]
    frames = max(1, round(T * generator.uniform(1 - fraction, 1 + fraction)))
    position = np.linspace(0, T - 1, frames)
    before = np.floor(position).astype(np.int64)
    after = np.minimum(before + 1, T - 1)
    part = (position - before).astype(np.float32)[:, None]
    warped: FloatArray = features[before] * (1 - part) + features[after] * part
    return warped


def _shift(features: FloatArray, fraction: float, generator: np.random.Generator) -> FloatArray:
    """Later or earlier by up to `fraction` of its frames; the edge frame is repeated."""
    reach = int(features.shape[0] * fraction)
    if not reach:
        return features
    offset = int(generator.integers(-reach, reach + 1))
    frames = np.clip(np.arange(features.shape[0]) - offset, 0, features.shape[0] - 1)
    shifted: FloatArray = features[frames]
    return shifted


def _mask(features: FloatArray, fraction: float, generator: np.random.Generator) -> None:
    """Sets up to `fraction` of the rows, in one stretch, to 0: the training mean."""
    widest = int(features.shape[0] * fraction)
    if not widest:
        return
    width = int(generator.integers(0, widest + 1))
    start = int(generator.integers(0, features.shape[0] - width + 1))
    features[start : start + width] = 0.0
