"""What is refused before a runtime sees it, and what a runtime refused, each as one line for people."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from edgeseq_device import manifest
from edgeseq_device.errors import DataError
from edgeseq_device.tensors import Features

_MEANING = {"f": "readings", "i": "ids of tokens"}


def check_features(path: str, features: Features, features_count: int, dtype: np.dtype[Any]) -> None:
    """DataError for another type, and for what a runtime answers plausibly and without an error: LiteRT a
    width that the model was not made for, int8 products NaN and infinity, ONNX Runtime a negative id."""
    if features.shape[1:] != (features_count,) or not len(features):
        raise DataError(f"{path}: takes features [T >= 1, {features_count}], not {list(features.shape)}")
    if features.dtype != dtype:
        raise DataError(f"{path}: takes {_MEANING[dtype.kind]}, {dtype}, not {features.dtype}")
    if dtype.kind == "i":
        check_ids(path, int(features.min()))
        return
    # the sum of squares takes a third of isfinite's time, and is infinite for finite numbers above 1e19 too
    if not math.isfinite(np.vdot(features, features)):
        finite = np.isfinite(features).all(axis=1)
        if not finite.all():
            frame = int(finite.argmin())
            raise DataError(f"{path}: features hold NaN or infinity in frame {frame}; mend the recording")


def check_frames(path: str, found: int, frames: int | None) -> None:
    """DataError for another number of frames than the one that a model takes; None: any."""
    if frames is not None and found != frames:
        raise DataError(f"{path}: takes exactly {frames} frames, not {found}; give it as many")


def check_carries(path: str, states: Collection[str]) -> None:
    """DataError where a sequence form gives no states."""
    if not states:
        raise DataError(f"{path}: gives no states to go on from: it is no language model's; use run")


def features_dtype(path: str, name: str) -> np.dtype[Any]:
    """float32 or int32; DataError for features of another type."""
    if name not in manifest.FEATURE_TYPES:
        raise DataError(f"{path}: takes features of {name}; not an edgeseq model")
    return np.dtype(name)


def check_ids(path: str, lowest: int) -> None:
    """DataError where the lowest id of some features is negative: ONNX Runtime would count from the end."""
    if lowest < 0:
        raise DataError(f"{path}: features hold the id {lowest}; ids of tokens are 0 or above")


def check_batch(path: str, batch: Sequence[Features]) -> None:
    """DataError for a batch of nothing."""
    if not len(batch):
        raise DataError(f"{path}: a batch takes one sequence or more, not none")


def refused(path: str, version: str, error: Exception) -> DataError:
    """What a runtime raised about a file as a DataError with its first line."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(f"{path}: refused by {version}: {reason}")
