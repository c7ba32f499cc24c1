"""The built-in data set: 6-axis recordings of hand gestures, made by a small physical model.

A hand holds a board with an accelerometer and a gyroscope and follows a path. The sensors read what they
would (Titterton & Weston, Strapdown Inertial Navigation Technology, 2nd ed., sections 3.5 and 12.2): the
specific force R^T (a + g) and the angular rate of the attitude R, through misaligned, biased, drifting and
noisy 16-bit sensors that clip. Each gesture has a mirror twin that differs in the order of events alone:
means and deviations of the channels cannot tell the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseq.data.dataset import Dataset, GivenSplit, Recording, assembled
from edgeseq.data.lineage import content_hash, sha256_of

Array = NDArray[np.float64]
RATE_HZ = 50
CHANNELS = ("accel_x_g", "accel_y_g", "accel_z_g", "gyro_x_dps", "gyro_y_dps", "gyro_z_dps")
GESTURES = ("circle_clockwise", "circle_anticlockwise", "left_right", "right_left", "up_down", "down_up")
PEOPLE = 12
TEST_PEOPLE = 3  # the last three: people whom training never saw
PER_PERSON_AND_GESTURE = 17
SEED = 20_260
GRAVITY = 9.81  # m/s^2
FRAMES = (40, 120)
ACCEL_LIMIT_G, ACCEL_PER_G = 4.0, 8192.0  # +-4 g in 16 bits
GYRO_LIMIT_DPS, GYRO_PER_DPS = 500.0, 65.5  # +-500 degrees/s in 16 bits


@dataclass(frozen=True, eq=False)
class Person:
    """Habits of a simulated person, and the sensor on that person's hand."""

    reach_m: float
    pace: float  # 1 = average; a duration is divided by it
    hold: Array  # [3] rotation vector, radians: how the board lies in the hand at rest
    swing: Array  # [3, 3] radians of hand rotation per metre of displacement
    mounting: Array  # [3, 3] the sensor's axes against the board's


def read_gestures(name: str = "gestures", seed: int = SEED) -> Dataset:
    """The data set of `PEOPLE` x 6 gestures x `PER_PERSON_AND_GESTURE` recordings of 40 to 120 frames.

    Samples are in g and degrees per second; groups are people, the last `TEST_PEOPLE` are the test split.
    The same seed gives the same samples.
    """
    generator = np.random.default_rng(seed)
    people = [_person(generator) for _ in range(PEOPLE)]
    recordings = []
    for number, person in enumerate(people, start=1):
        side: GivenSplit = "test" if number > PEOPLE - TEST_PEOPLE else "train"
        for gesture in GESTURES:
            for take in range(PER_PERSON_AND_GESTURE):
                samples = _record(gesture, person, generator)
                key = f"{gesture}_person{number:02d}_{take:02d}"
                recordings.append(Recording(key, samples, gesture, f"person{number:02d}", side))
    digests = ((r.name, sha256_of(np.ascontiguousarray(r.samples, "<f4").tobytes())) for r in recordings)
    return assembled(
        name,
        "series",
        recordings,
        channels=CHANNELS,
        sample_rate_hz=RATE_HZ,
        content_sha256=content_hash(digests),
    )


def _person(generator: np.random.Generator) -> Person:
    return Person(
        reach_m=generator.uniform(0.10, 0.22),
        pace=generator.uniform(0.8, 1.25),
        hold=generator.normal(0.0, 0.25, 3),
        swing=np.array([[0, 0, 1.2], [0, 0, 0], [-1.5, 0, 0]]) * generator.uniform(0.5, 1.5)
        + generator.normal(0.0, 0.3, (3, 3)),
        mounting=rotation(generator.normal(0.0, 0.05, 3)),
    )


def _record(gesture: str, person: Person, generator: np.random.Generator) -> NDArray[np.float32]:
    """One take: [n, 6] float32 in g and degrees per second."""
    frames = int(np.clip(round(generator.uniform(55, 95) / person.pace), *FRAMES))
    lead, tail = generator.uniform(0.05, 0.2, 2)
    position = _path(gesture, _progress(frames, lead, tail, generator), generator)
    position *= person.reach_m * generator.uniform(0.75, 1.25)
    position += _smooth_noise(frames, 3, 0.004, generator)  # an unsteady hand, metres
    acceleration = np.gradient(np.gradient(position, 1 / RATE_HZ, axis=0), 1 / RATE_HZ, axis=0)
    turn = position @ person.swing.T + _smooth_noise(frames, 3, 0.05, generator)
    attitude = rotation(person.hold + generator.normal(0.0, 0.15, 3)) @ rotation(turn)  # [n, 3, 3]
    force_g = np.einsum("nij,ni->nj", attitude, acceleration / GRAVITY + [0.0, 0.0, 1.0])
    rate_dps = np.rad2deg(_angular_rate(attitude))
    return _sensed(force_g @ person.mounting, rate_dps @ person.mounting, generator)


def _progress(frames: int, lead: float, tail: float, generator: np.random.Generator) -> Array:
    """How far the gesture has come, 0 to 1 [frames]: rest, smooth start, uneven pace, smooth end, rest.

    The smooth curve is the minimum-jerk profile 10s^3 - 15s^4 + 6s^5 (Flash & Hogan 1985, equation 8).
    """
    s = np.clip((np.linspace(0, 1, frames) - lead) / (1 - lead - tail), 0, 1)
    s = s + generator.uniform(-0.08, 0.08) * np.sin(2 * np.pi * s)
    curve: Array = 0.5 * (10 * s**3 - 15 * s**4 + 6 * s**5) + 0.5 * s**2 * (3 - 2 * s)
    return curve


def _path(gesture: str, progress: Array, generator: np.random.Generator) -> Array:
    """Where the hand is [frames, 3] for a reach of 1: x right, y away from the body, z up."""
    turns = 2 * np.pi * progress
    wave = np.sin(turns)
    still = np.zeros_like(wave)
    depth = generator.normal(0.0, 0.15) * (np.cos(turns) - 1)
    if gesture.startswith("circle"):
        start = generator.uniform(0, 2 * np.pi)
        angle = start + (turns if gesture == "circle_clockwise" else -turns)
        return np.stack([np.sin(angle) - np.sin(start), depth, np.cos(angle) - np.cos(start)], axis=1)
    sign = 1.0 if gesture in ("right_left", "up_down") else -1.0
    across = generator.normal(0.0, 0.1) * wave
    if gesture in ("left_right", "right_left"):
        return np.stack([sign * wave, depth, across + still], axis=1)
    return np.stack([across + still, depth, sign * wave], axis=1)


def rotation(vector: Array) -> Array:
    """Rotation vectors [..., 3] in radians -> matrices [..., 3, 3] (Rodrigues' formula)."""
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    once, twice = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    matrices: Array = np.eye(3) + once * cross + twice * (cross @ cross)
    return matrices


def _angular_rate(attitude: Array) -> Array:
    """Body rates [n, 3] in radians per second of attitudes [n, 3, 3], from frame to frame."""
    step = np.einsum("nji,njk->nik", attitude[:-1], attitude[1:])
    skew = (step - step.transpose(0, 2, 1)) / 2
    rate = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1) * RATE_HZ
    return np.concatenate([rate[:1], rate])


def _smooth_noise(frames: int, axes: int, deviation: float, generator: np.random.Generator) -> Array:
    """Slow random movement [frames, axes]: a few random waves under 3 Hz."""
    seconds = np.arange(frames)[:, None, None] / RATE_HZ
    hertz, phase = generator.uniform(0.3, 3.0, (axes, 4)), generator.uniform(0, 2 * np.pi, (axes, 4))
    waves: Array = np.sin(2 * np.pi * hertz * seconds + phase).sum(axis=-1) * deviation / np.sqrt(2)
    return waves


def _sensed(force_g: Array, rate_dps: Array, generator: np.random.Generator) -> NDArray[np.float32]:
    """What the sensors report of the truth: scale error, bias, drift, white noise, limits, 16-bit steps."""
    columns = []
    # The gyroscope's bias hides the mean rate that circling leaves on the third axis (coning).
    for truth, bias, drift, noise, limit, steps in (
        (force_g, 0.03, 0.0015, 0.02, ACCEL_LIMIT_G, ACCEL_PER_G),
        (rate_dps, 6.0, 0.15, 2.0, GYRO_LIMIT_DPS, GYRO_PER_DPS),
    ):
        shape = truth.shape
        walk = np.cumsum(generator.normal(0.0, drift, shape), axis=0)
        reading = truth * generator.normal(1.0, 0.01, 3) + generator.normal(0.0, bias, 3) + walk
        reading = np.clip(reading + generator.normal(0.0, noise, shape), -limit, limit)
        columns.append(np.round(reading * steps) / steps)
    return np.concatenate(columns, axis=1).astype(np.float32)
