"""From the last moments of a series to the next ones, as an application on a board gets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.errors import DataError
from edgeseq_device.forecast import load_forecaster

READINGS = np.random.default_rng(1).normal((10, -1), (2, 0.5), (9, 2)).astype(np.float32)


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_a_forecast_is_in_the_datas_own_units_and_of_the_last_moments(
    forecaster_folder: Path, model_format: str
) -> None:
    forecaster = load_forecaster(forecaster_folder, model_format)
    assert (forecaster.context, forecaster.horizon, forecaster.channels) == (6, 4, ("load", "heat"))
    assert (forecaster.interval_s, forecaster.format) == (3600.0, model_format)
    found = forecaster.forecast(READINGS)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.tile(READINGS[-6:].mean(axis=0), (4, 1)), abs=0.02)
    assert forecaster.forecast(READINGS[-6:]) == pytest.approx(found, abs=0)


def test_integers_and_what_stands_before_the_context_are_taken_as_they_are(forecaster_folder: Path) -> None:
    forecaster = load_forecaster(forecaster_folder, "tflite")
    readings = np.full((8, 2), 10)
    assert forecaster.forecast(readings) == pytest.approx(np.full((4, 2), 10), abs=0.3)
    holed = READINGS.copy()
    holed[0] = np.nan
    assert np.isfinite(forecaster.forecast(holed)).all()


def _with_nan() -> Any:
    holed = READINGS.copy()
    holed[5, 1] = np.nan
    return holed


@pytest.mark.parametrize(
    ("context", "cause"),
    [
        (_with_nan(), "NaN or infinity in row 5, channel heat"),
        (READINGS[:4], "holds 4 moments, the model needs the last 6; give 2 more"),
        (READINGS[:, :1], r"is float32 \[9, 1\], not numbers \[moments, 2\]: load, heat"),
        (READINGS.ravel(), r"is float32 \[18\]"),
        (READINGS.astype(str), r"not numbers \[moments, 2\]"),
    ],
)
def test_a_context_that_the_model_cannot_take_is_refused(
    forecaster_folder: Path, context: Any, cause: str
) -> None:
    with pytest.raises(DataError, match=cause):
        load_forecaster(forecaster_folder, "tflite").forecast(context)


def test_a_model_of_another_task_is_refused(pristine_artifact: Path) -> None:
    with pytest.raises(DataError, match="is a classifier, not a forecaster; load it with"):
        load_forecaster(pristine_artifact)
