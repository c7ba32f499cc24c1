"""The pieces of a log-mel front end that its settings determine: window, FFT size, filter bank."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def fft_size(frame_samples: int) -> int:
    """The power of two from the frame's length up."""
    return 1 << (frame_samples - 1).bit_length()


@lru_cache(maxsize=8)
def hann(length: int) -> NDArray[np.float64]:
    """Periodic Hann window [length] (Oppenheim & Schafer, 3rd ed., equation 7.60c, with M = length)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


@lru_cache(maxsize=8)
def mel_filters(
    mels: int, bins: int, sample_rate_hz: int, low_hz: float, high_hz: float
) -> NDArray[np.float64]:
    """Triangular filters [bins, mels] with peak 1, equally spaced in mel; bins = FFT size / 2 + 1.

    mel(f) = 2595 log10(1 + f / 700): Young et al., The HTK Book (3.4), section 5.4, equation 5.13.
    """
    low_mel, high_mel = (float(2595 * np.log10(1 + hz / 700)) for hz in (low_hz, high_hz))
    corners_hz = 700 * (10 ** (np.linspace(low_mel, high_mel, mels + 2) / 2595) - 1)
    bins_hz = np.linspace(0, sample_rate_hz / 2, bins)[:, np.newaxis]
    rising = (bins_hz - corners_hz[:-2]) / (corners_hz[1:-1] - corners_hz[:-2])
    falling = (corners_hz[2:] - bins_hz) / (corners_hz[2:] - corners_hz[1:-1])
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return filters
