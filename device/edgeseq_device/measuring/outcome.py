"""Reading what the native runner says of one measurement. Whatever is not as it must be is an error.

    edgeseq-outcome 1
    runtime ai-edge-litert 2.3.0
    setting NAME JSON
    frames 37
    value NAME JSON
    missing NAME REASON
    phase NAME MILLISECONDS
    warmup RUNS SECONDS true|false
    samples COUNT NANOSECONDS...
    end

or with `error EXIT_CODE MESSAGE` before the end, and then nothing else counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from edgeseq_device.errors import DataError
from edgeseq_device.measuring.keys import (
    INSTRUCTIONS,
    KEYS,
    LATENCIES,
    MODEL,
    RATES,
    STEP,
    Key,
    is_of_step,
    positive,
)
from edgeseq_device.measuring.protocol import check_keys
from edgeseq_device.tasks import TASKS

VERSION_LINE = "edgeseq-outcome 1"
_PEAK = {"peak_rss_bytes": Key((int,), "bytes", positive, "fits")}


def read_outcome(stdout: bytes, kind: str, task: str = TASKS[0]) -> dict[str, Any] | None:
    """The outcome as a worker of Python gives it, or {"error": what is wrong with it}; None for no word."""
    if not stdout:
        return None
    try:
        found = _parse(stdout.decode("utf-8"))
        if "error" not in found:
            _check(found, kind, task)
    except (ValueError, RecursionError, DataError) as error:
        return {"error": f"the native runner's outcome is not understood: {error}"}
    return found


def _parse(text: str) -> dict[str, Any]:
    first, *lines = text.split("\n")
    if first != VERSION_LINE:
        raise ValueError(
            f"it begins with {first[:40]!r}, not {VERSION_LINE!r}; host and runner must be of one"
        )
    if lines[-2:] != ["end", ""]:
        raise ValueError("it ended early")
    found: dict[str, Any] = {"values": {}, "not_measured": {}, "runtime": None, "runtime_settings": {}}
    for number, line in enumerate(lines[:-2], 2):
        item, _, rest = line.partition(" ")
        if item not in _ITEMS:
            raise ValueError(f"line {number}: unknown item {item[:40]!r}")
        _ITEMS[item](found, rest)
    if "error" in found:
        return {name: found[name] for name in ("error", "exit_code")}
    if found["runtime"] is None:
        raise ValueError("it names no runtime")
    return found


def _named(table: str, read: Callable[[str], Any]) -> Callable[[dict[str, Any], str], None]:
    """Takes `NAME REST` into found[table]; no name is there twice."""

    def take(found: dict[str, Any], line: str) -> None:
        name, _, rest = line.partition(" ")
        entries = found.setdefault(table, {})
        if not name or name in entries or not rest:
            raise ValueError(f"{name[:40]!r} is there twice or has no value")
        entries[name] = read(rest)

    return take


def _once(name: str, read: Callable[[str], Any]) -> Callable[[dict[str, Any], str], None]:
    def take(found: dict[str, Any], line: str) -> None:
        if found.get(name) is not None:
            raise ValueError(f"{name} is there twice")
        found[name] = read(line)

    return take


def _error(found: dict[str, Any], line: str) -> None:
    code, _, found["error"] = line.partition(" ")
    found["exit_code"] = _whole(code)


def _json(text: str) -> Any:
    value = json.loads(text, parse_constant=_refuse)
    if value is None:
        raise ValueError("a value is null without a reason")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


def _number(text: str) -> float:
    value = _json(text)
    if type(value) not in (int, float):
        raise ValueError(f"{text[:40]!r} is no number")
    return float(value)


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("a text is empty")
    return text


def _warm_up(line: str) -> dict[str, Any]:
    runs, seconds, settled = line.split(" ")
    if settled not in ("true", "false"):
        raise ValueError(f"{settled[:40]!r} is neither true nor false")
    return {"runs": _whole(runs), "seconds": _number(seconds), "settled": settled == "true"}


def _samples(line: str) -> list[int]:
    count, *samples = line.split(" ")
    if _whole(count) != len(samples) or not samples:
        raise ValueError(f"{len(samples)} samples, not {count[:40]}")
    return [_whole(each) for each in samples]


_ITEMS: Mapping[str, Callable[[dict[str, Any], str], None]] = {
    "runtime": _once("runtime", _text),
    "setting": _named("runtime_settings", _json),
    "frames": _once("frames", _whole),
    "value": _named("values", _json),
    "missing": _named("not_measured", _text),
    "phase": _named("phases", _number),
    "warmup": _once("warmup", _warm_up),
    "samples": _once("samples_ns", _samples),
    "error": _error,
}


def _check(found: dict[str, Any], kind: str, task: str) -> None:
    """DataError or ValueError unless the figures are those of that kind of measurement."""
    parts = {"phases", "warmup", "samples_ns"} & set(found)
    if len(parts) != (3 if kind in LATENCIES else 0):
        raise ValueError(f"{kind} with {', '.join(sorted(parts)) or 'no samples'}")
    values, missing = {**found["values"], **found.get("phases", {})}, found["not_measured"]
    twice = set(values) & set(missing)
    if twice:
        raise ValueError(f"{min(twice)} is measured and yet missing")
    check_keys({**values, **dict.fromkeys(missing)}, _expected(kind, task), kind)


def _expected(kind: str, task: str) -> dict[str, Key]:
    """The figures of a kind, by the names of the sequence form for either form."""
    if kind in INSTRUCTIONS:
        return {}  # they are in the emulator's log
    if kind == "fits":
        return _PEAK
    prefix = MODEL + (STEP if is_of_step(kind) else "")
    keys = {
        name[len(prefix) :]: key
        for name, key in KEYS.items()
        if key.kind == kind and key.added_by == "agent" and task in key.tasks and name not in _RATES
    }
    if kind not in LATENCIES:
        return keys
    # The others are computed from the samples of all launches. A phase may be below 0: clocks may differ.
    return {name: Key((float,), "ms", kind=kind) for name in keys if not name.startswith(_COMPUTED)}


_COMPUTED = ("latency_", "warmup_")
_RATES = {f"{MODEL}{name}" for name in RATES}
