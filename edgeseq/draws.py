"""Every seeded draw, each purpose with a stream of its own.

numpy pads a seed with zeros: (0, 1) and (0, 1, 0) are the same stream. The purpose comes first, so that no
two purposes share one, whatever follows.
"""

from __future__ import annotations

import numpy as np

PURPOSES = {
    "test split": 1,
    "validation split": 2,
    "batch order": 3,
    "augmentation": 4,
    "dropout": 5,
    "text variants": 6,
    "objective": 7,
    "readings for a board": 8,
    "start of streams": 9,
}


def stream(purpose: str, *key: int) -> np.random.Generator:
    """The generator of one purpose (a key of `PURPOSES`) for these whole numbers from 0 up."""
    return np.random.default_rng((PURPOSES[purpose], *key))
