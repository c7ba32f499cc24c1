"""The front end of a series, and what it shares with that of sounds: readings are checked as they come in,
and each feature is brought to mean 0 and deviation 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Optional, Union

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.resample import resample

FloatArray = NDArray[np.float32]
RawInput = Union[NDArray[Any], str]
"""What a front end is given: readings [n] or [n, channels], or a text. It refuses what is not its kind."""
Statistics = Optional[tuple[float, ...]]
SMALLEST_SCALE = 1e-4  # a feature that never changes is not blown up to noise


@dataclass(frozen=True)
class Standardise:
    """A series' own readings, each channel brought to mean 0 and deviation 1.

    `sample_rate_hz` is the rate the model was trained at, None = unknown, then no input is resampled.
    """

    features_count: int
    sample_rate_hz: int | None = None
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    kind: ClassVar[str] = "standardise"
    takes: ClassVar[str] = "series"
    ids: ClassVar[int] = 0
    dtype: ClassVar[str] = "float32"

    def __post_init__(self) -> None:
        if self.features_count <= 0:
            raise UsageError("standardise: a series has at least one channel")
        if self.sample_rate_hz is not None and self.sample_rate_hz <= 0:
            raise UsageError(f"standardise: sample rate {self.sample_rate_hz} Hz is not above 0")
        check_statistics(self.mean, self.scale, self.features_count)

    @property
    def unit(self) -> str:
        """What one feature's number means."""
        return "reading" if self.mean is None else "standardised reading"

    def features(self, samples: RawInput, sample_rate_hz: int | None = None) -> FloatArray:
        """Readings [n, F], or [n] with one channel -> [T, F] float32, standardised once fitted; T = n.

        Where both rates are known and differ, the input is resampled to this front end's.
        Raises DataError for no readings, for another channel count, for NaN or infinity and for a text.
        """
        return self.standardised(self.raw(samples, sample_rate_hz))

    def raw(self, samples: RawInput, sample_rate_hz: int | None = None) -> FloatArray:
        """`features` before standardisation: the readings [T, F] float32."""
        readings = checked(samples, integers=True)
        if readings.shape[1] != self.features_count:
            raise DataError(
                f"the input has {readings.shape[1]} channels, the model was trained on {self.features_count}"
            )
        if self.sample_rate_hz is None or sample_rate_hz is None:
            return readings
        return resample(readings, sample_rate_hz, self.sample_rate_hz)

    def standardised(self, raw: FloatArray) -> FloatArray:
        """(raw - mean) / scale per feature; `raw` [T, F] itself while not fitted."""
        return standardised(raw, self.mean, self.scale)

    def fitted_on(self, raw_features: Iterable[FloatArray]) -> Standardise:
        """A copy with mean and scale of these `raw()` features [T, F]: those of the training split."""
        mean, scale = statistics(raw_features)
        return dataclasses.replace(self, mean=mean, scale=scale)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `front_end_from_dict` reads it back."""
        return {"kind": self.kind, **as_json(dataclasses.asdict(self))}


def checked(samples: RawInput, integers: bool = False) -> FloatArray:
    """[n] or [n, channels] of any float type -> [n, channels] float32, all finite, n >= 1."""
    if isinstance(samples, str):
        raise DataError("the input is a text, the model takes readings")
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(f"the input holds no samples: its shape is {array.shape}, not [n] or [n, channels]")
    if array.dtype.kind != "f" and not (integers and array.dtype.kind in "iu"):
        raise DataError(f"the input is {array.dtype}; give floats (for 16-bit audio: samples / 32768)")
    with np.errstate(over="ignore"):
        columns = (array if array.ndim == 2 else array[:, np.newaxis]).astype(np.float32, copy=False)
    if not np.isfinite(columns).all():
        row, channel = np.argwhere(~np.isfinite(columns))[0]
        raise DataError(f"the input holds NaN or infinity (first at sample {row}, channel {channel})")
    return columns


def check_statistics(mean: Statistics, scale: Statistics, count: int) -> None:
    """Raises DataError unless mean and scale are both None, or `count` finite numbers each, scale above 0."""
    if (mean is None) != (scale is None):
        raise DataError("front end: mean and scale come together")
    for name, values in (("mean", mean), ("scale", scale)):
        if values is not None and len(values) != count:
            raise DataError(f"front end: {name} has {len(values)} values for {count} features")
        if values is not None and not np.isfinite(values).all():
            raise DataError(f"front end: {name} holds NaN or infinity")
    if scale is not None and min(scale) <= 0:
        raise DataError("front end: scale must be above 0")


def standardised(raw: FloatArray, mean: Statistics, scale: Statistics) -> FloatArray:
    """(raw - mean) / scale per feature; `raw` [T, F] itself without mean and scale."""
    if mean is None or scale is None:
        return raw
    centre: FloatArray = np.array(mean, np.float32)
    deviation: FloatArray = np.array(scale, np.float32)
    return (raw - centre) / deviation


def statistics(raw_features: Iterable[FloatArray]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation over all frames of all recordings [T, F], summed in float64."""
    rows = list(raw_features)
    if not rows:
        raise DataError("front end: no recording to take mean and scale from")
    frames = sum(len(row) for row in rows)
    mean = sum(row.sum(axis=0, dtype=np.float64) for row in rows) / frames
    variance = sum(((row - mean) ** 2).sum(axis=0) for row in rows) / frames
    scale = np.maximum(np.sqrt(variance), SMALLEST_SCALE)
    exact_mean, exact_scale = (tuple(np.asarray(v, np.float32).tolist()) for v in (mean, scale))
    return exact_mean, exact_scale


def as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A front end's settings with lists for tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
