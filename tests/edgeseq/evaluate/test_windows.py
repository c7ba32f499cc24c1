"""MSE and MAE over every window of a split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn

from edgeseq.evaluate.windows import BATCH_WINDOWS, evaluate_forecaster, evaluate_forecasts
from edgeseq.features import LabelledFeatures
from edgeseq_device.errors import DataError, EdgeseqError

CONTEXT, HORIZON, CHANNELS = 5, 3, 2


class Last(nn.Module):
    """Says that every next moment is as the last one."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        assert not self.training
        assert lengths.tolist() == [CONTEXT] * len(features)
        return features[:, -1:].repeat(1, HORIZON, 1).flatten(1)


def windows(count: int) -> LabelledFeatures:
    moments = np.random.default_rng(0).normal(size=(count + CONTEXT + HORIZON - 1, CHANNELS))
    found = sliding_window_view(moments.astype(np.float32), CONTEXT + HORIZON, axis=0).swapaxes(1, 2)
    labels = found[:, CONTEXT:].reshape(len(found), -1)
    return LabelledFeatures(tuple(map(str, range(count))), tuple(found[:, :CONTEXT]), labels)


def test_errors_are_means_over_windows_moments_and_channels() -> None:
    data, told = windows(BATCH_WINDOWS + 3), []
    module = Last().train()
    found = evaluate_forecaster(module, data, lambda *step: told.append(step))
    last = np.stack([np.tile(each[-1], HORIZON) for each in data.features])
    assert found.windows == BATCH_WINDOWS + 3
    assert found.mse == pytest.approx(np.square(last - data.labels).mean(), rel=1e-6)
    assert found.mae == pytest.approx(np.abs(last - data.labels).mean(), rel=1e-6)
    assert told == [(BATCH_WINDOWS, found.windows), (found.windows, found.windows)]
    assert module.training


def test_a_file_is_judged_window_by_window_by_the_same_numbers() -> None:
    data, told = windows(7), []

    def run(features: np.ndarray) -> np.ndarray:
        assert features.flags.c_contiguous
        return np.tile(features[-1], HORIZON)

    by_file = evaluate_forecasts(run, data, lambda *step: told.append(step))
    assert by_file == evaluate_forecaster(Last(), data)
    assert told[-1] == (7, 7)


def test_what_nobody_knows_is_no_error() -> None:
    data = windows(BATCH_WINDOWS + 3)
    labels = data.labels.copy()
    labels[::7, 2] = np.nan
    last = np.stack([np.tile(each[-1], HORIZON) for each in data.features])
    found = evaluate_forecaster(Last(), replace(data, labels=labels))
    assert found.mse == pytest.approx(np.nanmean(np.square(last - labels)), rel=1e-6)
    assert found.mae == pytest.approx(np.nanmean(np.abs(last - labels)), rel=1e-6)


def test_no_windows_have_no_error() -> None:
    with pytest.raises(DataError, match="no windows"):
        evaluate_forecaster(Last(), LabelledFeatures((), (), np.zeros((0, HORIZON), np.float32)))


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_an_answer_that_is_no_number_is_a_fault(number: float) -> None:
    def forward(features: Tensor, _lengths: Tensor) -> Tensor:
        answers = features.flatten(1)[:, :6].clone()
        answers[1, 2] = number
        return answers

    with pytest.raises(EdgeseqError, match="NaN or infinity"):
        evaluate_forecaster(forward, windows(2))
