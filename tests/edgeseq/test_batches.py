"""Batches: every recording once an epoch, padded with zeros, answered in the order given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseq.batches import logits_of, padded, training_batches


def test_padding_is_zeros_after_the_true_length() -> None:
    features, lengths = padded([np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)])
    assert lengths.tolist() == [2, 4]
    assert features.sum(dim=(1, 2)).tolist() == [6, 12]
    assert features[0, 2:].abs().max() == 0


def test_numbers_of_tokens_stay_whole_and_are_padded_with_padding() -> None:
    features, lengths = padded([np.full((2, 3), 7, np.int32), np.full((1, 3), 2**30, np.int32)])
    assert (features.dtype, lengths.tolist()) == (torch.int64, [2, 1])
    assert features[1].tolist() == [[2**30] * 3, [0] * 3]


@pytest.mark.parametrize("by_length", [True, False])
def test_each_epoch_holds_every_recording_once_in_its_own_order(by_length: bool) -> None:
    lengths = np.random.default_rng(0).integers(1, 90, 103)
    epochs = [training_batches(lengths, 8, by_length=by_length, seed=1, epoch=epoch) for epoch in (1, 2)]
    for batches in epochs:
        assert sorted(np.concatenate(batches).tolist()) == list(range(103))
    assert np.concatenate(epochs[0]).tolist() != np.concatenate(epochs[1]).tolist()
    again = training_batches(lengths, 8, by_length=by_length, seed=1, epoch=1)
    assert np.concatenate(again).tolist() == np.concatenate(epochs[0]).tolist()


def test_batches_by_length_need_less_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 90, 256)

    def padding(by_length: bool) -> int:
        batches = training_batches(lengths, 8, by_length=by_length, seed=1, epoch=1)
        return sum(int((lengths[batch].max() - lengths[batch]).sum()) for batch in batches)

    assert padding(True) < padding(False) / 3


def test_logits_come_in_the_order_of_the_recordings() -> None:
    recordings = [np.full((frames, 1), frames, np.float32) for frames in (9, 2, 7, 1, 30)]

    def forward(features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return features.sum(dim=1) / lengths[:, None]

    assert logits_of(forward, recordings, batch_size=2)[:, 0].tolist() == [9, 2, 7, 1, 30]
