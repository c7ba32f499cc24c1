"""Settings come back from JSON as they were, or with a word about the key that is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import DataError


@dataclass(frozen=True)
class Inner:
    width: int = 1
    scale: float = 1.0


@dataclass(frozen=True)
class Outer:
    name: str
    mode: Literal["last", "mean"] = "last"
    sizes: tuple[int, ...] = ()
    rate_hz: int | None = None
    on: bool = False
    inner: Inner = field(default_factory=Inner)


def test_nested_settings_come_back_with_their_types() -> None:
    value = {"name": "a", "sizes": [1, 2], "rate_hz": 8000, "on": True, "inner": {"width": 3, "scale": 2}}
    read = settings_from_dict(Outer, value, "f.json")
    assert read == Outer("a", "last", (1, 2), 8000, True, Inner(3, 2.0))
    assert isinstance(read.inner.scale, float)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "a", "inner": {"widht": 3}}, 'f.json: inner: unknown key "widht"; did you mean "width"'),
        ({}, 'f.json: the key "name" is missing'),
        ({"name": 3}, "f.json: name: 3 is not a text"),
        ({"name": "a", "mode": "first"}, "f.json: mode: 'first' is not 'last' or 'mean'"),
        ({"name": "a", "rate_hz": True}, "f.json: rate_hz: True is not a whole number"),
        ({"name": "a", "sizes": [1, "x"]}, r"f.json: sizes\[1\]: 'x' is not a whole number"),
        ({"name": "a", "inner": []}, r"f.json: inner: \[\] is not an object"),
    ],
)
def test_what_does_not_fit_is_named(value: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        settings_from_dict(Outer, value, "f.json")
