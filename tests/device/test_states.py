"""What a step form carries, told from its states alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq_device.manifest import StateInfo, StepFile
from edgeseq_device.states import states_bytes, window_of, windows_of


def step_of(**shapes: tuple[int, ...]) -> StepFile:
    states = tuple(StateInfo(name.replace("_", "."), shape, 0.0) for name, shape in shapes.items())
    return StepFile(Path("model.tflite"), 1, "", "step", (), (), states, 1e-3)


@pytest.mark.parametrize(
    ("shapes", "windows"),
    [
        ({"a_keys": (5, 8), "a_values": (5, 8), "a_position": (1, 1), "b_keys": (7, 8)}, [5, 7]),
        ({"a_keys": (5, 8), "gru0_h": (1, 8)}, []),
        ({"gru0_h": (1, 8)}, []),
        ({"a_keys": ()}, []),
        ({}, []),
    ],
)
def test_a_window_is_that_of_the_narrowest_layer_where_every_layer_has_one(
    shapes: dict[str, tuple[int, ...]], windows: list[int]
) -> None:
    step = step_of(**shapes)
    assert windows_of(step) == windows
    assert window_of(step) == min(windows, default=None)


def test_states_have_four_bytes_a_value() -> None:
    assert states_bytes(step_of(a_keys=(5, 8), gru0_h=(1, 3))) == 4 * (40 + 3)
