"""Augmentation varies a recording, the same way each time it is asked for the same draw."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseq.training.augment import AUDIO, OFF, SERIES, AugmentConfig, augmented
from edgeseq_device.errors import UsageError


def recording(frames: int = 40) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((frames, 6)).astype(np.float32)


@pytest.mark.parametrize("config", [AUDIO, SERIES])
def test_the_same_seed_epoch_and_index_draw_the_same(config: AugmentConfig) -> None:
    once = augmented(recording(), config, seed=1, epoch=2, index=3)
    np.testing.assert_array_equal(once, augmented(recording(), config, seed=1, epoch=2, index=3))
    for other in ({"seed": 2}, {"epoch": 3}, {"index": 4}):
        varied = augmented(recording(), config, **{"seed": 1, "epoch": 2, "index": 3, **other})
        assert varied.shape != once.shape or not np.array_equal(varied, once)


@pytest.mark.parametrize("config", [AUDIO, SERIES])
@pytest.mark.parametrize("frames", [1, 2, 40])
def test_any_length_stays_a_finite_recording_of_float32(config: AugmentConfig, frames: int) -> None:
    for index in range(20):
        varied = augmented(recording(frames), config, seed=0, epoch=1, index=index)
        assert varied.dtype == np.float32
        assert varied.shape[1] == 6
        assert 1 <= len(varied) <= 1.5 * frames + 1
        assert np.isfinite(varied).all()


def test_the_recording_itself_is_left_as_it_is() -> None:
    original = recording()
    for index in range(20):
        augmented(original, AUDIO, seed=0, epoch=1, index=index)
    np.testing.assert_array_equal(original, recording())


def test_off_changes_nothing() -> None:
    np.testing.assert_array_equal(augmented(recording(), OFF, seed=0, epoch=1, index=0), recording())


def test_a_time_mask_covers_whole_frames_and_a_feature_mask_whole_features() -> None:
    ones = np.ones((50, 8), np.float32)
    time = AugmentConfig(time_masks=1, time_mask_fraction=0.5)
    masks = [augmented(ones, time, seed=0, epoch=1, index=i) for i in range(20)]
    assert all(np.isin(mask.sum(axis=1), (0, 8)).all() for mask in masks)
    assert 0 < max((mask == 0).all(axis=1).sum() for mask in masks) <= 25
    feature = AugmentConfig(feature_masks=1, feature_mask_fraction=0.5)
    masks = [augmented(ones, feature, seed=0, epoch=1, index=i) for i in range(20)]
    assert all(np.isin(mask.sum(axis=0), (0, 50)).all() for mask in masks)


def test_a_shift_repeats_the_edge_frame() -> None:
    ramp = np.arange(20, dtype=np.float32)[:, None]
    for index in range(20):
        shifted = augmented(ramp, AugmentConfig(shift_fraction=0.25), seed=0, epoch=1, index=index)[:, 0]
        offset = round(10 - float(shifted[10]))
        assert abs(offset) <= 5
        np.testing.assert_array_equal(shifted, np.clip(np.arange(20) - offset, 0, 19))


def test_a_crop_loses_frames_at_the_ends_only() -> None:
    ramp = np.arange(20, dtype=np.float32)[:, None]
    kept = [
        augmented(ramp, AugmentConfig(crop_fraction=0.2), seed=0, epoch=1, index=i)[:, 0] for i in range(40)
    ]
    for frames in kept:
        np.testing.assert_array_equal(frames, np.arange(frames[0], frames[0] + len(frames)))
        assert frames[0] <= 4
        assert frames[-1] >= 15
    assert {float(frames[0]) for frames in kept} == {0, 1, 2, 3, 4}


def test_a_level_moves_all_features_of_a_recording_alike() -> None:
    moved = augmented(recording(), AugmentConfig(level=0.5), seed=0, epoch=1, index=0) - recording()
    np.testing.assert_allclose(moved, moved[0, 0], atol=1e-6)
    assert 0 < abs(moved[0, 0]) <= 0.5


def test_settings_that_would_leave_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match=r"crop_fraction is 0.6; give 0 to 0.45"):
        AugmentConfig(crop_fraction=0.6)
    with pytest.raises(UsageError, match="noise is -1"):
        AugmentConfig(noise=-1)
