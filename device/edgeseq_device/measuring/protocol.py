"""What host and agent may say to each other: a result is checked against the table of keys.

Units are part of the contract: on an emulated processor each key whose unit is a time must be null, so that a
latency which no device had cannot be written down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgeseq_device.errors import DataError
from edgeseq_device.measuring.keys import (
    KEYS,
    LATENCIES,
    MODEL,
    P99_SAMPLES_MIN,
    RATES,
    SCHEMA,
    SCHEMA_VERSION,
    TIME_UNITS,
    TIMED,
    Key,
    rate,
)
from edgeseq_device.names import did_you_mean
from edgeseq_device.tasks import TASKS


def validate_result(result: Any, *, complete: bool) -> None:
    """Refuse a result that breaks the table, with a DataError that names the key.

    complete: with what the host adds; otherwise as the agent sends it.
    """
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        raise DataError("not a result of `edgeseq bench`; run it again with --json FILE")
    version = result.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise DataError(
            f"result: schema version {version!r} is not known, this edgeseq reads version {SCHEMA_VERSION};"
            " use the edgeseq that wrote it"
        )
    check_keys(result, _expected("", complete), "result")
    if result["emulated"] != result["device"]["emulated"]:
        raise DataError("result: `emulated` contradicts what the device says of itself")
    if result["valid"] == bool(result["invalid_because"]):
        raise DataError("result: `valid` contradicts `invalid_because`")
    for model in result["models"]:
        where = f"result: {model.get('format') if isinstance(model, dict) else model}"
        task = model.get("task") if isinstance(model, dict) else None
        expected = _expected(MODEL, complete, task if task in TASKS else TASKS[0])
        check_keys(model, expected, where)
        _check_reasons(model, expected, where)
        _check_latency(model, expected, bool(result["emulated"]), where)
        _check_rates(model, where)


def _expected(prefix: str, complete: bool, task: str = TASKS[0]) -> dict[str, Key]:
    return {
        name[len(prefix) :]: key
        for name, key in KEYS.items()
        if name.startswith(prefix)
        and "." not in name[len(prefix) :]
        and (complete or key.added_by == "agent")
        and task in key.tasks
    }


def check_keys(entry: Any, expected: Mapping[str, Key], where: str) -> None:
    """DataError unless `entry` is a JSON object with exactly the expected keys, each fit; names the key."""
    if not isinstance(entry, dict):
        raise DataError(f"{where}: no JSON object")
    for name in expected:
        if name not in entry:
            raise DataError(f"{where}: {name} is missing")
    for name, value in entry.items():
        if name not in expected:
            raise DataError(f"{where}: {did_you_mean('key', name, expected)}")
        _check_value(name, value, expected[name], where)


def _check_value(name: str, value: Any, key: Key, where: str) -> None:
    """DataError unless `value` has the type and property that `key` asks for; a figure may be null."""
    if value is None:
        if not (key.measured or key.nullable):
            raise DataError(f"{where}: {name} must not be null")
        return
    wrong_type = not isinstance(value, key.types) or (isinstance(value, bool) and bool not in key.types)
    if wrong_type or (isinstance(value, float) and not math.isfinite(value)):
        raise DataError(f"{where}: {name} is {value!r}, not a {' or '.join(t.__name__ for t in key.types)}")
    if key.check is not None and not key.check(value):
        raise DataError(f"{where}: {name} is {value!r}, which it cannot be")


def _check_reasons(model: dict[str, Any], expected: Mapping[str, Key], where: str) -> None:
    reasons = model["not_measured"]
    for name, key in expected.items():
        has_reason = isinstance(reasons.get(name), str) and bool(reasons[name])
        if key.measured and (model[name] is None) != has_reason:
            state = "null without a reason in" if model[name] is None else "measured and yet in"
            raise DataError(f"{where}: {name} is {state} not_measured")


def _check_latency(model: dict[str, Any], expected: Mapping[str, Key], emulated: bool, where: str) -> None:
    for name, key in expected.items():
        if emulated and model[name] is not None and (key.unit in TIME_UNITS or key.kind in TIMED):
            raise DataError(f"{where}: {name} was taken on an emulated processor; such a figure is refused")
    for kind in LATENCIES:
        if model[f"{kind}_p50_ms"] is not None:
            _check_percentiles(model, kind, where)


def _check_rates(model: dict[str, Any], where: str) -> None:
    for name, source in RATES.items():
        found, p50_ms = model.get(name), model[source]
        if found is None:
            continue
        expected = None if p50_ms is None else rate(name, model["frames"], p50_ms)
        if expected is None or not math.isclose(found, expected):
            raise DataError(f"{where}: {name} is {found}, by {source} it is {expected}")


def _check_percentiles(model: dict[str, Any], kind: str, where: str) -> None:
    p99, samples = model[f"{kind}_p99_ms"], model[f"{kind}_n"]
    if p99 is not None and samples < P99_SAMPLES_MIN:
        raise DataError(f"{where}: {kind}_p99_ms from {samples} samples, fewer than {P99_SAMPLES_MIN}")
    ordered = [each for each in (model[f"{kind}_p50_ms"], model[f"{kind}_p90_ms"], p99) if each is not None]
    if ordered != sorted(ordered):
        raise DataError(f"{where}: {kind} percentiles are out of order: {ordered}")
