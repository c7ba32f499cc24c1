"""Latency of several models in one process: they take turns, so that what drifts meets them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from edgeseq_device.measuring.measure import duration_ns

ROUNDS = 3
RUNS = 5  # timed ones of a model in its turn, behind an untimed one: a new length is planned for there


Run = Callable[[int], object]
"""A model that answers the recording of a number."""


def latencies_ms(models: Sequence[Run], recordings: int, watch: Callable[[int, int], None]) -> list[float]:
    """The median milliseconds of each model over `recordings` recordings, ROUNDS times RUNS runs of each.

    torch, where a model uses it, has one thread, as the runtimes have.
    """
    durations: list[list[int]] = [[] for _ in models]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for turn in range(ROUNDS):
            for number in range(recordings):
                for model, taken in zip(models, durations, strict=True):
                    answer = partial(model, number)
                    answer()
                    taken += [duration_ns(answer) for _ in range(RUNS)]
                watch(turn * recordings + number + 1, ROUNDS * recordings)
    finally:
        torch.set_num_threads(threads)
    return [float(np.median(taken)) / 1e6 for taken in durations]
