"""Raw input -> features: the one front end that training and the board share.

A front end is a frozen dataclass. `raw()` computes its features, `standardised()` brings each feature to
mean 0 and deviation 1 with the training split's statistics, `features()` does both. T frames, F features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Optional, TypeVar, Union

import numpy as np
from numpy.typing import NDArray

from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.mel import fft_size, hann, mel_filters
from edgeseq_device.names import did_you_mean
from edgeseq_device.resample import resample

FloatArray = NDArray[np.float32]
Statistics = Optional[tuple[float, ...]]
LARGEST_NUMBER = 1e30
LONGEST_FRAME_MS = 10_000
SMALLEST_SCALE = 1e-4  # a feature that never changes is not blown up to noise
Fitted = TypeVar("Fitted", "LogMel", "Standardise")


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

    def __post_init__(self) -> None:
        if self.sample_rate_hz <= 0 or self.mels <= 0 or self.floor <= 0:
            raise UsageError("log-mel: sample rate, mels and floor must be above 0")
        sane = all(0 < each <= LONGEST_FRAME_MS for each in (self.frame_ms, self.hop_ms))
        if not sane or self.frame_samples < 2 or self.hop_samples < 1:
            raise UsageError(
                f"log-mel: a frame of {self.frame_ms} ms or a hop of {self.hop_ms} ms holds no samples at"
                f" {self.sample_rate_hz} Hz or is longer than {LONGEST_FRAME_MS} ms"
            )
        if not 0 <= self.low_hz < self._top_hz <= self.sample_rate_hz / 2:
            raise UsageError(
                f"log-mel: the band {self.low_hz} to {self._top_hz} Hz does not lie within 0 to"
                f" {self.sample_rate_hz / 2} Hz, half the sample rate"
            )
        _check_statistics(self.mean, self.scale, self.mels)
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

    def features(self, samples: NDArray[Any], sample_rate_hz: int | None = None) -> FloatArray:
        """Samples [n] or [n, channels] float in [-1, 1] -> [T, F] float32, standardised once fitted.

        Several channels are averaged. `sample_rate_hz` (None = this front end's own) is the input's: another
        rate is resampled. Raises DataError for no samples, for integers and for NaN or infinity.
        """
        return self.standardised(self.raw(samples, sample_rate_hz))

    def raw(self, samples: NDArray[Any], sample_rate_hz: int | None = None) -> FloatArray:
        """`features` before standardisation: natural log of the mel power [T, F] float32."""
        channels = _checked(samples)
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
        return _standardised(raw, self.mean, self.scale)

    def fitted_on(self, raw_features: Iterable[FloatArray]) -> LogMel:
        """A copy with mean and scale of these `raw()` features [T, F]: those of the training split."""
        return _fitted(self, raw_features)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `front_end_from_dict` reads it back."""
        return _to_dict(self)

    @property
    def _top_hz(self) -> float:
        return self.sample_rate_hz / 2 if self.high_hz is None else self.high_hz

    def _filters(self) -> NDArray[np.float64]:
        bins = fft_size(self.frame_samples) // 2 + 1
        filters = mel_filters(self.mels, bins, self.sample_rate_hz, self.low_hz, self._top_hz)
        empty = np.flatnonzero(filters.sum(axis=0) == 0)
        if len(empty):
            raise UsageError(
                f"log-mel: {self.mels} mels are too many for a frame of {self.frame_ms} ms at"
                f" {self.sample_rate_hz} Hz (filter {empty[0]} holds no FFT bin); fewer or a longer frame"
            )
        return filters


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

    def __post_init__(self) -> None:
        if self.features_count <= 0:
            raise UsageError("standardise: a series has at least one channel")
        if self.sample_rate_hz is not None and self.sample_rate_hz <= 0:
            raise UsageError(f"standardise: sample rate {self.sample_rate_hz} Hz is not above 0")
        _check_statistics(self.mean, self.scale, self.features_count)

    @property
    def unit(self) -> str:
        """What one feature's number means."""
        return "reading" if self.mean is None else "standardised reading"

    def features(self, samples: NDArray[Any], sample_rate_hz: int | None = None) -> FloatArray:
        """Readings [n, F], or [n] with one channel -> [T, F] float32, standardised once fitted; T = n.

        Where both rates are known and differ, the input is resampled to this front end's.
        Raises DataError for no readings, for another channel count and for NaN or infinity.
        """
        return self.standardised(self.raw(samples, sample_rate_hz))

    def raw(self, samples: NDArray[Any], sample_rate_hz: int | None = None) -> FloatArray:
        """`features` before standardisation: the readings [T, F] float32."""
        readings = _checked(samples, integers=True)
        if readings.shape[1] != self.features_count:
            raise DataError(
                f"the input has {readings.shape[1]} channels, the model was trained on {self.features_count}"
            )
        if self.sample_rate_hz is None or sample_rate_hz is None:
            return readings
        return resample(readings, sample_rate_hz, self.sample_rate_hz)

    def standardised(self, raw: FloatArray) -> FloatArray:
        """(raw - mean) / scale per feature; `raw` [T, F] itself while not fitted."""
        return _standardised(raw, self.mean, self.scale)

    def fitted_on(self, raw_features: Iterable[FloatArray]) -> Standardise:
        """A copy with mean and scale of these `raw()` features [T, F]: those of the training split."""
        return _fitted(self, raw_features)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `front_end_from_dict` reads it back."""
        return _to_dict(self)


FrontEnd = Union[LogMel, Standardise]
_KINDS: dict[str, type[LogMel] | type[Standardise]] = {kind.kind: kind for kind in (LogMel, Standardise)}


def front_end_from_dict(values: Mapping[str, Any]) -> FrontEnd:
    """The front end that `to_dict()` described.

    Raises DataError for an unknown kind or key, naming the nearest one, and for a value of the wrong type.
    """
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise DataError(f"front end: {_unknown('kind', kind, _KINDS)}")
    cls = _KINDS[kind]
    fields = {field.name: field for field in dataclasses.fields(cls)}
    given = {name: value for name, value in values.items() if name != "kind"}
    for name, value in given.items():
        if name not in fields:
            raise DataError(f"front end {kind}: {_unknown('key', name, fields)}")
        given[name] = _typed(kind, name, value, str(fields[name].type))
    try:
        return cls(**given)
    except TypeError as error:
        raise DataError(f"front end {kind}: {error}") from error
    except UsageError as error:
        raise DataError(str(error)) from error


def _unknown(what: str, name: object, known: Iterable[str]) -> str:
    names = sorted(known)
    sentence = did_you_mean(what, str(name), names)
    return sentence if sentence.endswith("?") else f"{sentence}; known: {', '.join(names)}"


def _typed(kind: str, name: str, value: Any, declared: str) -> Any:
    """The value as the field's declared type, `int`, `float` or `tuple[float, ...]`; None where allowed."""
    if value is None and "None" in declared:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if declared.startswith("int") and number and value == value // 1:
        return int(value)
    if declared.startswith("float") and number and abs(value) < LARGEST_NUMBER:
        return float(value)
    if declared.startswith("tuple") and isinstance(value, (list, tuple)):
        return tuple(_typed(kind, f"{name}[{at}]", item, "float") for at, item in enumerate(value))
    raise DataError(f"front end {kind}: {name} = {value!r:.60} is not {declared}")


def _to_dict(front_end: FrontEnd) -> dict[str, Any]:
    values = dataclasses.asdict(front_end)
    return {"kind": front_end.kind, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}


def _checked(samples: NDArray[Any], integers: bool = False) -> FloatArray:
    """[n] or [n, channels] of any float type -> [n, channels] float32, all finite, n >= 1."""
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


def _check_statistics(mean: Statistics, scale: Statistics, count: int) -> None:
    if (mean is None) != (scale is None):
        raise DataError("front end: mean and scale come together")
    for name, values in (("mean", mean), ("scale", scale)):
        if values is not None and len(values) != count:
            raise DataError(f"front end: {name} has {len(values)} values for {count} features")
        if values is not None and not np.isfinite(values).all():
            raise DataError(f"front end: {name} holds NaN or infinity")
    if scale is not None and min(scale) <= 0:
        raise DataError("front end: scale must be above 0")


def _standardised(raw: FloatArray, mean: Statistics, scale: Statistics) -> FloatArray:
    if mean is None or scale is None:
        return raw
    centre: FloatArray = np.array(mean, np.float32)
    deviation: FloatArray = np.array(scale, np.float32)
    return (raw - centre) / deviation


def _fitted(front_end: Fitted, raw_features: Iterable[FloatArray]) -> Fitted:
    """Mean and standard deviation over all frames of all recordings, summed in float64."""
    rows = list(raw_features)
    if not rows:
        raise DataError("front end: no recording to take mean and scale from")
    frames = sum(len(row) for row in rows)
    mean = sum(row.sum(axis=0, dtype=np.float64) for row in rows) / frames
    variance = sum(((row - mean) ** 2).sum(axis=0) for row in rows) / frames
    scale = np.maximum(np.sqrt(variance), SMALLEST_SCALE)
    exact = [tuple(np.asarray(v, np.float32).tolist()) for v in (mean, scale)]
    return dataclasses.replace(front_end, mean=exact[0], scale=exact[1])
