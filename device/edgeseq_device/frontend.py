"""Raw input -> features: the one front end that training and the board share.

A front end is a frozen dataclass. `raw()` computes its features, `standardised()` brings each feature to
mean 0 and deviation 1 with the training split's statistics, `features()` does both. T frames, F features:
float32, or int32 where `ids` says that they are numbers of so many different tokens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Union

from edgeseq_device.errors import DataError, DeviceError, UsageError
from edgeseq_device.log_mel import LogMel
from edgeseq_device.manifest import TOKENIZER_FILE
from edgeseq_device.names import did_you_mean
from edgeseq_device.standardise import RawInput, Standardise
from edgeseq_device.tokens import Tokens

__all__ = ["FrontEnd", "LogMel", "RawInput", "Standardise", "Tokens", "front_end_from_dict"]

LARGEST_NUMBER = 1e30
FrontEnd = Union[LogMel, Standardise, Tokens]
_KINDS: dict[str, type[LogMel] | type[Standardise] | type[Tokens]] = {
    kind.kind: kind for kind in (LogMel, Standardise, Tokens)
}


def front_end_from_dict(values: Mapping[str, Any], folder: Path | None = None) -> FrontEnd:
    """The front end that `to_dict()` described; that of text reads its tokenizer.json in `folder`.

    Raises DataError for an unknown kind or key, naming the nearest one, for a value of the wrong type, and
    for a tokenizer.json that is missing or not the one it was trained with; DeviceError for one that needs
    the package `tokenizers`, which is not installed.
    """
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise DataError(f"front end: {_unknown('kind', kind, _KINDS)}")
    cls = _KINDS[kind]
    fields = {field.name: field for field in dataclasses.fields(cls) if field.name != "content"}
    given = {name: value for name, value in values.items() if name != "kind"}
    for name, value in given.items():
        if name not in fields:
            raise DataError(f"front end {kind}: {_unknown('key', name, fields)}")
        given[name] = _typed(kind, name, value, str(fields[name].type))
    if cls is Tokens:
        given["content"] = _tokenizer_content(folder)
    try:
        return cls(**given)
    except TypeError as error:
        raise DataError(f"front end {kind}: {error}") from error
    except UsageError as error:
        raise DataError(str(error)) from error
    except (DataError, DeviceError) as error:
        raise type(error)(f"{folder}: {error}" if cls is Tokens else str(error)) from error


def _tokenizer_content(folder: Path | None) -> bytes:
    path = Path(folder or ".") / TOKENIZER_FILE
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); a model of text needs the tokenizer it was trained"
            " with, which lies beside it when it is trained or exported"
        ) from error


def _unknown(what: str, name: object, known: Iterable[str]) -> str:
    names = sorted(known)
    sentence = did_you_mean(what, str(name), names)
    return sentence if sentence.endswith("?") else f"{sentence}; known: {', '.join(names)}"


def _typed(kind: str, name: str, value: Any, declared: str) -> Any:
    """The value as the field's declared type, `int`, `float` or `tuple[float, ...]`; None where allowed."""
    if value is None and "None" in declared:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if declared.startswith("int") and number and value == value // 1:
        return int(value)
    if declared.startswith("float") and number and abs(value) < LARGEST_NUMBER:
        return float(value)
    if declared == "str" and isinstance(value, str):
        return value
    if declared.startswith("tuple") and isinstance(value, (list, tuple)):
        return tuple(_typed(kind, f"{name}[{at}]", item, "float") for at, item in enumerate(value))
    raise DataError(f"front end {kind}: {name} = {value!r:.60} is not {declared}")
