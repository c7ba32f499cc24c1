"""Reading frozen dataclasses back from JSON: every key known, every value of its declared type."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from edgeseq.names import unknown
from edgeseq_device.errors import DataError, UsageError

Settings = TypeVar("Settings")


def settings_from_dict(kind: type[Settings], value: object, where: str) -> Settings:
    """The dataclass `kind` from what `asdict` and JSON made of it; missing keys keep their default.

    `where` names the place in messages, such as `runs/a/recipe.json`. Raises DataError, naming the nearest
    known key, on an unknown key; also on a missing key without a default and on a value of another type.
    """
    return cast(Settings, _decode(kind, value, where))


def _decode(kind: Any, value: object, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(cast(type, kind), value, where)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), value, where)
    if origin is typing.Literal:
        return _expect(
            value in typing.get_args(kind), value, " or ".join(map(repr, typing.get_args(kind))), where
        )
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), value, where)
    return _decode_plain(kind, value, where)


def _decode_plain(kind: Any, value: object, where: str) -> Any:
    if kind in (int, float):
        accepted, word = ((int, float), "a number") if kind is float else ((int,), "a whole number")
        _expect(isinstance(value, accepted) and not isinstance(value, bool), value, word, where)
        return kind(value)
    if kind in (str, bool):
        return _expect(isinstance(value, kind), value, "a text" if kind is str else "true or false", where)
    raise TypeError(f"{where}: settings of type {kind} cannot be read")


def _decode_dataclass(kind: type, value: object, where: str) -> Any:
    _expect(isinstance(value, Mapping), value, "an object", where)
    given = cast(Mapping[str, object], value)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in given:
        if key not in fields:
            raise DataError(f"{where}: {unknown('key', str(key), fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in given:
            raise DataError(f'{where}: the key "{name}" is missing')
    hints = typing.get_type_hints(kind)
    return kind(**{key: _decode(hints[key], item, f"{where}: {key}") for key, item in given.items()})


def _decode_union(choices: tuple[Any, ...], value: object, where: str) -> Any:
    if value is None and type(None) in choices:
        return None
    others = [choice for choice in choices if choice is not type(None)]
    if len(others) != 1:
        raise TypeError(f"{where}: a union of {others} cannot be told apart")
    return _decode(others[0], value, where)


def _decode_tuple(items: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    _expect(isinstance(value, (list, tuple)), value, "a list", where)
    values = cast(list[object], value)
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_decode(items[0], item, f"{where}[{index}]") for index, item in enumerate(values))
    _expect(len(values) == len(items), value, f"a list of {len(items)}", where)
    return tuple(
        _decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(items, values, strict=True))
    )


def _expect(holds: bool, value: object, wanted: str, where: str) -> object:
    if not holds:
        raise DataError(f"{where}: {value!r:.80} is not {wanted}")
    return value


def require(holds: bool, message: str) -> None:
    """Raises UsageError with `message` where a setting does not hold."""
    if not holds:
        raise UsageError(message)
