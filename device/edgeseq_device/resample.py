"""A change of sample rate in plain numpy: the same code on the laptop and on the board.

Polyphase form of a windowed-sinc low-pass (Oppenheim & Schafer, Discrete-Time Signal Processing,
3rd ed., section 4.6, with the Kaiser window of section 7.5.3). Its phase is linear and its delay is
taken out, so that events keep their time.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError, UsageError

ZERO_CROSSINGS = 16
MOST_TAPS = 1 << 22  # 32 MB; 48000 to 44100 Hz needs 5.3 thousand
KAISER_BETA = 8.0  # about 80 dB of stop band
ROLL_OFF = 0.94  # the edge of the pass band as a share of the lower Nyquist frequency


@lru_cache(maxsize=8)
def _phases(up: int, down: int) -> tuple[NDArray[np.float64], int]:
    """Taps by phase [up, K], newest sample last, and how many samples the filter looks ahead."""
    slower = max(up, down)
    half = -(-ZERO_CROSSINGS * slower // up) * up  # a multiple of `up` keeps the phases aligned
    at = np.arange(-half, half + up)
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (at / half) ** 2))) / np.i0(KAISER_BETA)
    window[np.abs(at) > half] = 0.0
    taps = ROLL_OFF * up / slower * np.sinc(ROLL_OFF * at / slower) * window
    by_phase = taps.reshape(-1, up).T  # [up, K]: phase p holds the taps p - half + k * up
    by_phase = by_phase / by_phase.sum(axis=1, keepdims=True)  # a constant stays that constant
    return np.ascontiguousarray(by_phase[:, ::-1]), half // up


def resample(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Bring a signal to another sample rate; sample i stays at time i / rate.

    samples: [n] or [n, channels] float32. Returns ceil(n * to_hz / from_hz) samples, float32.
    Raises UsageError for a rate that is not a positive whole number of Hz, DataError for two rates whose
    exact ratio needs a filter of more than `MOST_TAPS`.
    """
    for rate in (from_hz, to_hz):
        if not isinstance(rate, (int, np.integer)) or rate <= 0:
            raise UsageError(f"sample rate {rate!r} is not a positive whole number of Hz")
    if from_hz == to_hz or samples.shape[0] == 0:
        return samples.astype(np.float32, copy=False)
    if samples.ndim == 2:
        columns = [resample(samples[:, c], from_hz, to_hz) for c in range(samples.shape[1])]
        return np.stack(columns, axis=1)
    common = gcd(int(from_hz), int(to_hz))
    up, down = int(to_hz) // common, int(from_hz) // common
    if 2 * ZERO_CROSSINGS * max(up, down) > MOST_TAPS:
        raise DataError(
            f"{from_hz} Hz cannot be brought to {to_hz} Hz: the ratio {up}/{down} is too wild; give rates"
            " that are multiples of 100 Hz"
        )
    return _polyphase(samples, up, down)


def _polyphase(samples: NDArray[np.float32], up: int, down: int) -> NDArray[np.float32]:
    """samples: [n] float32 -> [ceil(n * up / down)] float32, one filter phase after the other."""
    taps, ahead = _phases(up, down)
    width = taps.shape[1]
    length = -(-samples.shape[0] * up // down)
    padded = np.pad(samples.astype(np.float64), (width - 1 - ahead, ahead + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    out = np.empty(length, dtype=np.float32)
    for first in range(min(up, length)):
        count = -(-(length - first) // up)
        start, phase = divmod(first * down, up)
        out[first::up] = windows[start : start + down * count : down][:count] @ taps[phase]
    return out
