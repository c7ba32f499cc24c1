"""How far a forecaster's answers are from what came: MSE and MAE over every window of a split, standardised.

Every moment is an origin once ("rolling origin"): windows overlap, and each counts alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from edgeseq.features import FeatureArray, FloatArray, LabelledFeatures
from edgeseq_device.errors import DataError, EdgeseqError

BATCH_WINDOWS = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WindowsEvaluation:
    """mse, mae: mean squared and absolute error of all channels at all moments of so many windows, where the
    truth is known, in the units that the front end standardises to.
    """

    windows: int
    mse: float
    mae: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def evaluate_forecaster(
    forward: Callable[[Tensor, Tensor], Tensor], data: LabelledFeatures, progress: Progress | None = None
) -> WindowsEvaluation:
    """forward(features [B, L, C], lengths [B]) -> [B, H * C], in evaluation mode where it is a module.

    data.labels: [n, H * C] float32, NaN where the truth is not known. Raises DataError where there are no
    windows, EdgeseqError where an answer is NaN or infinity.
    """
    was_training = isinstance(forward, nn.Module) and forward.training
    if isinstance(forward, nn.Module):
        forward.eval()
    try:
        with torch.inference_mode():
            return _evaluation(_answered(forward, data, progress), data)
    finally:
        if isinstance(forward, nn.Module):
            forward.train(was_training)


def _answered(
    forward: Callable[[Tensor, Tensor], Tensor], data: LabelledFeatures, progress: Progress | None
) -> Iterable[FloatArray]:
    for start in range(0, len(data), BATCH_WINDOWS):
        features = np.stack(data.features[start : start + BATCH_WINDOWS])
        lengths = torch.full((len(features),), features.shape[1])
        yield forward(torch.from_numpy(features), lengths).numpy()
        if progress is not None:
            progress(start + len(features), len(data))


def evaluate_forecasts(
    run: Callable[[FeatureArray], FloatArray], data: LabelledFeatures, progress: Progress | None = None
) -> WindowsEvaluation:
    """An exported file, window by window as a board runs it: run(features [L, C]) -> [H * C]."""
    return _evaluation(_one_by_one(run, data.features, progress), data)


def _one_by_one(
    run: Callable[[FeatureArray], FloatArray], features: Sequence[FeatureArray], progress: Progress | None
) -> Iterable[FloatArray]:
    for done, window in enumerate(features, 1):
        yield run(np.ascontiguousarray(window))[None]
        if progress is not None:
            progress(done, len(features))


def _evaluation(answers: Iterable[FloatArray], data: LabelledFeatures) -> WindowsEvaluation:
    """answers: [b, H * C] each, together one for each window in its order."""
    if not len(data):
        raise DataError("there are no windows to evaluate in that split; choose another --split")
    squared, absolute, known, done = 0.0, 0.0, 0, 0
    for each in answers:
        wanted: npt.NDArray[Any] = data.labels[done : done + len(each)].reshape(len(each), -1)
        if not np.isfinite(each).all():
            raise EdgeseqError(
                "the model answers NaN or infinity; train it again with a lower --learning-rate"
            )
        errors = np.abs(each.astype(np.float64) - wanted)
        squared, absolute = squared + float(np.nansum(np.square(errors))), absolute + float(np.nansum(errors))
        known, done = known + int(np.count_nonzero(~np.isnan(errors))), done + len(each)
    return WindowsEvaluation(done, squared / known, absolute / known)
