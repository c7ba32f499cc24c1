"""Recordings of different lengths in one array: padding and the order of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeseq.draws import stream

FeatureArray = npt.NDArray[Any]

BATCHES_PER_BUCKET = (
    8  # recordings are sorted by length only within so many batches, so that order stays random
)


def padded(features: Sequence[FeatureArray]) -> tuple[Tensor, Tensor]:
    """n arrays [T_i, F] -> (features [n, max T_i, F], zeros after the end; lengths [n] int64).

    Features are float32 like the arrays, or int64, which torch's tables take, where these are int32.
    """
    lengths = np.array([len(item) for item in features], np.int64)
    dtype = np.int64 if features[0].dtype.kind == "i" else np.float32
    batch = np.zeros((len(features), int(lengths.max()), features[0].shape[1]), dtype)
    for row, item in zip(batch, features, strict=True):
        row[: len(item)] = item
    return torch.from_numpy(batch), torch.from_numpy(lengths)


def training_batches(
    lengths: npt.NDArray[np.int64], batch_size: int, *, by_length: bool, seed: int, epoch: int
) -> list[npt.NDArray[np.int64]]:
    """Every index once, in an order drawn from (seed, epoch); alike lengths together if `by_length`."""
    generator = stream("batch order", seed, epoch)
    order = generator.permutation(len(lengths))
    if by_length:
        reach = batch_size * BATCHES_PER_BUCKET
        stretches = [order[start : start + reach] for start in range(0, len(order), reach)]
        order = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in stretches])
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def evaluation_batches(lengths: npt.NDArray[np.int64], batch_size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Every index exactly once, shortest recordings first."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def logits_of(
    forward: Callable[[Tensor, Tensor], Tensor], features: Sequence[FeatureArray], batch_size: int = 64
) -> npt.NDArray[np.float32]:
    """[n, C] float32 logits of n recordings [T_i, F], in their order, without gradients."""
    lengths = np.array([len(item) for item in features], np.int64)
    rows: dict[int, npt.NDArray[np.float32]] = {}
    with torch.inference_mode():
        for chosen in evaluation_batches(lengths, batch_size):
            logits = forward(*padded([features[i] for i in chosen])).numpy()
            rows.update(zip(chosen.tolist(), logits, strict=True))
    return np.stack([rows[i] for i in range(len(features))])
