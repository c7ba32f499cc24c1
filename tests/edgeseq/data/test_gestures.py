"""The built-in gestures: a physical model whose classes lie in the order of events."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseq.data import Dataset, load
from edgeseq.data.catalogue import CATALOGUE
from edgeseq.data.gestures import ACCEL_LIMIT_G, FRAMES, GESTURES, GYRO_LIMIT_DPS, read_gestures, rotation


@pytest.fixture(scope="module")
def gestures() -> Dataset:
    return load("gestures")


def softmax_accuracy(dataset: Dataset, summary: NDArray[np.float64]) -> float:
    """Test accuracy of a multinomial logistic regression on summary [n, D], by plain gradient descent."""
    train = np.array([recording.split == "train" for recording in dataset.recordings])
    number = np.array([dataset.labels.index(recording.label) for recording in dataset.recordings])
    inputs = (summary - summary[train].mean(axis=0)) / summary[train].std(axis=0)
    inputs = np.c_[inputs, np.ones(len(inputs))]
    wanted = np.eye(len(dataset.labels))[number]
    weights = np.zeros((inputs.shape[1], len(dataset.labels)))
    for _ in range(1500):
        scores = inputs[train] @ weights
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        weights -= 0.5 * inputs[train].T @ (chances - wanted[train]) / train.sum()
    return float(((inputs @ weights).argmax(axis=1) == number)[~train].mean())


def test_a_linear_classifier_on_means_fails(gestures: Dataset) -> None:
    means = np.array([recording.samples.mean(axis=0) for recording in gestures.recordings])
    assert softmax_accuracy(gestures, means) < 0.40


def test_a_linear_classifier_on_means_and_deviations_fails(gestures: Dataset) -> None:
    summary = [np.r_[r.samples.mean(axis=0), r.samples.std(axis=0)] for r in gestures.recordings]
    assert softmax_accuracy(gestures, np.array(summary)) < 0.60


def test_a_feature_of_the_order_tells_mirror_twins_apart(gestures: Dataset) -> None:
    """The classes are there to be learned: the sign of the area that the acceleration turns around."""
    right = 0
    circles = [recording for recording in gestures.recordings if "circle" in recording.label]
    for recording in circles:
        x, z = (recording.samples[:, axis] - recording.samples[:, axis].mean() for axis in (0, 2))
        area = np.sum(x[:-1] * z[1:] - x[1:] * z[:-1])
        right += (area < 0) == (recording.label == "circle_clockwise")
    assert right / len(circles) > 0.85


def test_every_gesture_of_every_person_and_unseen_people_in_the_test(gestures: Dataset) -> None:
    assert gestures.labels == tuple(sorted(GESTURES))
    assert len(gestures.recordings) == CATALOGUE["gestures"].recordings
    cells = Counter((recording.group, recording.label) for recording in gestures.recordings)
    assert set(cells.values()) == {17}
    assert len(cells) == 12 * 6
    people = {side: {r.group for r in gestures.recordings if r.split == side} for side in ("train", "test")}
    assert {side: len(groups) for side, groups in people.items()} == {"train": 9, "test": 3}
    assert not people["train"] & people["test"]


def test_lengths_vary_and_readings_stay_within_the_sensors(gestures: Dataset) -> None:
    lengths = {len(recording.samples) for recording in gestures.recordings}
    assert FRAMES[0] <= min(lengths) < 55
    assert 95 < max(lengths) <= FRAMES[1]
    largest = np.max([np.abs(recording.samples).max(axis=0) for recording in gestures.recordings], axis=0)
    assert (largest[:3] <= ACCEL_LIMIT_G).all()
    assert (largest[3:] <= GYRO_LIMIT_DPS).all()
    assert (largest[3:] > 50).all()


def test_at_rest_the_accelerometer_reads_gravity(gestures: Dataset) -> None:
    first = np.array([recording.samples[0, :3] for recording in gestures.recordings])
    assert np.median(np.linalg.norm(first, axis=1)) == pytest.approx(1.0, abs=0.05)


def test_the_same_seed_gives_the_same_content_and_another_does_not(gestures: Dataset) -> None:
    assert read_gestures().content_sha256 == gestures.content_sha256
    assert read_gestures(seed=1).content_sha256 != gestures.content_sha256


def test_the_content_is_the_catalogues(gestures: Dataset) -> None:
    """A change of the model, or a platform that computes otherwise, is a new data set and shows here."""
    assert gestures.content_sha256 == CATALOGUE["gestures"].content_sha256


def test_a_rotation_turns_by_its_angle_about_its_axis() -> None:
    quarter = rotation(np.array([0, 0, np.pi / 2]))
    assert np.allclose(quarter @ [1, 0, 0], [0, 1, 0])
    assert np.allclose(rotation(np.zeros(3)), np.eye(3))
    any_axis = rotation(np.array([[0.3, -0.2, 0.9], [2.0, 1.0, -1.0]]))
    assert np.allclose(any_axis @ any_axis.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(any_axis), 1)
