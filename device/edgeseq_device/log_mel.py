"""Sounds: the log power of a mel filter bank, frame by frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import UsageError
from edgeseq_device.mel import fft_size, hann, mel_filters
from edgeseq_device.resample import resample
from edgeseq_device.standardise import (
    FloatArray,
    RawInput,
    as_json,
    check_statistics,
    checked,
    standardised,
    statistics,
)

LONGEST_FRAME_MS = 10_000


@dataclass(frozen=True)
class LogMel:
    """Log power of a mel filter bank, for mono audio in [-1, 1].

    Frame t holds the samples [t * hop, t * hop + frame): nothing of the future, so that the same frames
    come out of a stream. Samples after the last whole frame are left out; a recording shorter than one
    frame is padded with zeros to one. `pre_emphasis` p replaces x[i] by x[i] - p * x[i-1]; `floor` is the
    power, relative to a full-scale square wave, under which nothing is told apart.
    `mean` and `scale` (F each) are those of the training split; None = not fitted yet.
    Raises UsageError for settings that do not fit together.
    """

    sample_rate_hz: int
    frame_ms: float = 25.0
    hop_ms: float = 10.0
    mels: int = 40
    low_hz: float = 20.0
    high_hz: float | None = None  # None = half the sample rate
    pre_emphasis: float = 0.0
    floor: float = 1e-8
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    kind: ClassVar[str] = "log_mel"
    takes: ClassVar[str] = "audio"
    ids: ClassVar[int] = 0
    dtype: ClassVar[str] = "float32"

    def __post_init__(self) -> None:
        if self.sample_rate_hz <= 0 or self.mels <= 0 or self.floor <= 0:
            raise UsageError("log-mel: sample rate, mels and floor must be above 0")
        sane = all(0 < each <= LONGEST_FRAME_MS for each in (self.frame_ms, self.hop_ms))
        if not sane or self.frame_samples < 2 or self.hop_samples < 1:
            raise UsageError(
                f"log-mel: a frame of {self.frame_ms} ms or a hop of {self.hop_ms} ms holds no samples at"
                f" {self.sample_rate_hz} Hz or is longer than {LONGEST_FRAME_MS} ms"
            )
        if not 0 <= self.low_hz < self.top_hz <= self.sample_rate_hz / 2:
            raise UsageError(
                f"log-mel: the band {self.low_hz} to {self.top_hz} Hz does not lie within 0 to"
                f" {self.sample_rate_hz / 2} Hz, half the sample rate"
            )
        check_statistics(self.mean, self.scale, self.mels)
        self._filters()

    @property
    def features_count(self) -> int:
        """F, the number of features in a frame."""
        return self.mels

    @property
    def unit(self) -> str:
        """What one feature's number means."""
        return "log mel power" if self.mean is None else "standardised log mel power"

    @property
    def frame_samples(self) -> int:
        """Samples in a frame."""
        return round(self.sample_rate_hz * self.frame_ms / 1000)

    @property
    def hop_samples(self) -> int:
        """Samples from one frame's start to the next one's."""
        return round(self.sample_rate_hz * self.hop_ms / 1000)

    @property
    def top_hz(self) -> float:
        """The end of the highest filter."""
        return self.sample_rate_hz / 2 if self.high_hz is None else self.high_hz

    def features(self, samples: RawInput, sample_rate_hz: int | None = None) -> FloatArray:
        """Samples [n] or [n, channels] float in [-1, 1] -> [T, F] float32, standardised once fitted.

        Several channels are averaged. `sample_rate_hz` (None = this front end's own) is the input's: another
        rate is resampled. Raises DataError for no samples, for integers, for NaN or infinity and
        for a text.
        """
        return self.standardised(self.raw(samples, sample_rate_hz))

    def raw(self, samples: RawInput, sample_rate_hz: int | None = None) -> FloatArray:
        """`features` before standardisation: natural log of the mel power [T, F] float32."""
        channels = checked(samples)
        mono = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
        mono = resample(mono, sample_rate_hz or self.sample_rate_hz, self.sample_rate_hz)
        signal = mono.astype(np.float64)  # numpy 1 and numpy 2 answer alike in float64
        if self.pre_emphasis:
            signal = np.append(signal[:1], signal[1:] - self.pre_emphasis * signal[:-1])
        if len(signal) < self.frame_samples:
            signal = np.pad(signal, (0, self.frame_samples - len(signal)))
        frames = np.lib.stride_tricks.sliding_window_view(signal, self.frame_samples)[:: self.hop_samples]
        window = hann(self.frame_samples)
        spectrum = np.fft.rfft(frames * window, n=fft_size(self.frame_samples))
        power = (spectrum.real**2 + spectrum.imag**2) / np.sum(window**2)
        logarithm: FloatArray = np.log(np.maximum(power @ self._filters(), self.floor)).astype(np.float32)
        return logarithm

    def standardised(self, raw: FloatArray) -> FloatArray:
        """(raw - mean) / scale per feature; `raw` [T, F] itself while not fitted."""
        return standardised(raw, self.mean, self.scale)

    def fitted_on(self, raw_features: Iterable[FloatArray]) -> LogMel:
        """A copy with mean and scale of these `raw()` features [T, F]: those of the training split."""
        mean, scale = statistics(raw_features)
        return dataclasses.replace(self, mean=mean, scale=scale)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `front_end_from_dict` reads it back."""
        return {"kind": self.kind, **as_json(dataclasses.asdict(self))}

    def _filters(self) -> NDArray[np.float64]:
        bins = fft_size(self.frame_samples) // 2 + 1
        filters = mel_filters(self.mels, bins, self.sample_rate_hz, self.low_hz, self.top_hz)
        empty = np.flatnonzero(filters.sum(axis=0) == 0)
        if len(empty):
            raise UsageError(
                f"log-mel: {self.mels} mels are too many for a frame of {self.frame_ms} ms at"
                f" {self.sample_rate_hz} Hz (filter {empty[0]} holds no FFT bin); fewer or a longer frame"
            )
        return filters
