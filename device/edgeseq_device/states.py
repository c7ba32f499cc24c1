"""What a step form carries from one frame to the next, as device/native/src/artifact/states.c has it."""

from __future__ import annotations

import math

from edgeseq_device.manifest import StepFile

_KEYS = ".keys"
"""The state of a layer of attention in which the tokens that it sees are kept, one in each row."""
_FLOAT_BYTES = 4


def states_bytes(step: StepFile) -> int:
    """The bytes of all states."""
    return _FLOAT_BYTES * sum(math.prod(state.shape) for state in step.states)


def windows_of(step: StepFile) -> list[int]:
    """The tokens that each layer of attention sees; none where a layer has a state of another kind, which may
    tell of any token before.
    """
    layers = {state.name.rpartition(".")[0] for state in step.states}
    windows = [state.shape[0] for state in step.states if state.shape and state.name.endswith(_KEYS)]
    return windows if len(windows) == len(layers) else []


def window_of(step: StepFile) -> int | None:
    """The tokens that every layer sees; None where a model has no such end."""
    return min(windows_of(step), default=None)
