"""A training that ends too early."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeseq.training.checkpoint import EpochResult
from edgeseq.training.fit import Silent, TrainingProgress


class StopAfter(Silent):
    """Ends a training as Ctrl-C would, once an epoch's checkpoint is written."""

    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def epoch(self, result: EpochResult, *, best: bool) -> None:  # noqa: ARG002
        if result.epoch == self.last:
            raise KeyboardInterrupt


@pytest.fixture
def stop_after() -> Callable[[int], TrainingProgress]:
    """Watches a training and ends it behind the epoch of that number."""
    return StopAfter
