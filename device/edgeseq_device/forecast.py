"""From the last moments of a series to the next ones: what an application on a board calls.

forecaster = load_forecaster("etth1-gru-int8-pi4")
next_ones = forecaster.forecast(readings)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseq_device import runtimes
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import Standardise
from edgeseq_device.manifest import MANIFEST_FILE, positive
from edgeseq_device.opening import Opened, open_model
from edgeseq_device.tensors import FloatArray


class Forecaster:
    """A verified forecaster in memory. Not for several threads at once.

    context: L, the moments that it reads; horizon: H, those that it says; channels: the names of the C
    series; interval_s: between two moments, None = unknown; version: the runtime and its version.
    """

    def __init__(self, opened: Opened, threads: int) -> None:
        artifact, file, front_end = opened.artifact, opened.file, opened.front_end
        where = str(artifact.path / MANIFEST_FILE)
        if not isinstance(front_end, Standardise) or front_end.features_count != len(artifact.labels):
            raise DataError(f"{where}: features are no readings of its channels; export the artifact again")
        self.context = positive(artifact.manifest, "context", where)
        self.horizon = positive(artifact.manifest, "horizon", where)
        self.interval_s: float | None = artifact.interval_s
        self.channels, self.format, self.front_end = artifact.labels, file.format, front_end
        self._model = runtimes.load(file.path, file.format, threads)
        self.version = self._model.version
        self._scale, self._mean = _statistics(front_end)

    def forecast(self, context: NDArray[Any]) -> FloatArray:
        """The last moments [N >= L, C] -> the next ones [H, C], both in the data's own units.

        Of the moments given the last L count. Raises DataError for fewer, for another number of channels and
        for NaN or infinity among those L, naming the row and the channel.
        """
        readings = np.asarray(context)
        self._check(readings)
        features = self.front_end.features(readings[-self.context :])
        answer = self._model.run(features).reshape(self.horizon, len(self.channels))
        return answer * self._scale + self._mean

    def _check(self, readings: NDArray[Any]) -> None:
        count = len(self.channels)
        if readings.ndim != 2 or readings.shape[1] != count or readings.dtype.kind not in "fiu":
            given = f"{readings.dtype} {list(readings.shape)}"
            raise DataError(f"the context is {given}, not numbers [moments, {count}]: {self._named()}")
        if len(readings) < self.context:
            raise DataError(
                f"the context holds {len(readings)} moments, the model needs the last {self.context}; give"
                f" {self.context - len(readings)} more before them"
            )
        bad = np.argwhere(~np.isfinite(readings[-self.context :]))
        if len(bad):
            row, channel = len(readings) - self.context + bad[0][0], self.channels[bad[0][1]]
            raise DataError(
                f"the context holds NaN or infinity in row {row}, channel {channel}; fill it first"
            )

    def _named(self) -> str:
        shown = ", ".join(self.channels[:8])
        return f"{shown} ..." if len(self.channels) > 8 else shown


def load_forecaster(folder: str | Path, model_format: str | None = None, threads: int = 1) -> Forecaster:
    """Verify an artifact folder and load one of its models, as `classify.load_classifier` does."""
    return Forecaster(open_model(folder, "forecast", model_format), threads)


def _statistics(front_end: Standardise) -> tuple[FloatArray, FloatArray]:
    """Scale and mean of each channel, [C]."""
    count = front_end.features_count
    mean, scale = front_end.mean or (0.0,) * count, front_end.scale or (1.0,) * count
    return np.array(scale, np.float32), np.array(mean, np.float32)
