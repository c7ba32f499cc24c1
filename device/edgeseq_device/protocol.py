"""What host, agent and worker say to each other: one table of keys, each with its type, unit and check.

A result is JSON. Every figure that could not be taken is null and says why in `not_measured`. Units are part
of the contract: on an emulated processor each key whose unit is a time must be null, so that a latency
which no device had cannot be written down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeseq_device.errors import DataError
from edgeseq_device.names import did_you_mean

SCHEMA = "edgeseq.bench"
SCHEMA_VERSION = 1
KINDS = ("ram", "parity", "instructions", "latency")
P99_SAMPLES_MIN = 500
TIME_UNITS = ("ms", "s")


@dataclass(frozen=True)
class Key:
    """One key of a result: the JSON types it may have, its unit, what must hold, and which kind of
    measurement fills it ("" for what is not measured). `added_by` says who writes it: agent or host."""

    types: tuple[type, ...]
    unit: str = ""
    check: Callable[[Any], bool] | None = None
    kind: str = ""
    added_by: str = "agent"
    nullable: bool = False

    @property
    def measured(self) -> bool:
        """Whether it is a figure that may be null with a reason."""
        return bool(self.kind)


def positive(value: Any) -> bool:
    """A check: above 0."""
    return bool(value > 0)


def _not_negative(value: Any) -> bool:
    return bool(value >= 0)


def texts(value: Any) -> bool:
    """A check: a list of texts, none empty."""
    return all(isinstance(each, str) and each for each in value)


def _time(kind: str = "latency", unit: str = "ms") -> Key:
    return Key((int, float), unit, positive, kind)


def _bytes(kind: str = "ram") -> Key:
    return Key((int,), "bytes", positive, kind)


def _share(unit: str, kind: str) -> Key:
    return Key((int, float), unit, _not_negative, kind)


KEYS: dict[str, Key] = {
    "schema": Key((str,), check=lambda value: value == SCHEMA),
    "schema_version": Key((int,), check=lambda value: value == SCHEMA_VERSION),
    "agent_version": Key((str,), check=bool),
    "started_utc": Key((str,), check=bool),
    "emulated": Key((bool,)),
    "emulated_because": Key((str,), nullable=True),
    "valid": Key((bool,)),
    "invalid_because": Key((list,), check=texts),
    "warnings": Key((list,), check=texts),
    "device": Key((dict,), check=lambda value: isinstance(value.get("emulated"), bool)),
    "guards_before": Key((dict,)),
    "guards_after": Key((dict,)),
    "threads": Key((int,), check=positive),
    "affinity": Key((list,), "CPU numbers", nullable=True),
    "settings": Key((dict,)),
    "board": Key((str,), check=bool, added_by="host"),
    "board_description": Key((str,), check=bool, added_by="host"),
    "artifact": Key((dict,), added_by="host"),
    "host": Key((dict,), added_by="host"),
    "models": Key((list,), check=bool),
    "models.format": Key((str,), check=bool),
    "models.file": Key((str,), check=bool),
    "models.sha256": Key((str,), check=lambda value: len(value) == 64),
    "models.model_bytes": Key((int,), "bytes", positive),
    "models.weight_bytes": Key((int,), "bytes", _not_negative),
    "models.runtime": Key((str,), check=bool, nullable=True),
    "models.runtime_settings": Key((dict,), nullable=True),
    "models.not_measured": Key((dict,)),
    "models.failures": Key((list,), check=texts),
    "models.warnings": Key((list,), check=texts),
    "models.accuracy": Key((dict,), "share of recordings by split", added_by="host"),
    "models.frames": Key((int,), "frames", positive, nullable=True),
    "models.ram_start_bytes": _bytes(),
    "models.ram_numpy_bytes": _bytes(),
    "models.ram_runtime_bytes": _bytes(),
    "models.ram_loaded_bytes": _bytes(),
    "models.ram_first_bytes": _bytes(),
    "models.ram_steady_bytes": _bytes(),
    "models.ram_peak_bytes": _bytes(),
    "models.ram_pss_bytes": _bytes(),
    "models.parity_error": _share("max|a-b| / max(1, max|b|)", "parity"),
    "models.parity_tolerance": _share("max|a-b| / max(1, max|b|)", "parity"),
    "models.parity_n": Key((int,), "golden vectors", positive, "parity"),
    "models.parity_decisions_changed": Key((int,), "golden vectors", _not_negative, "parity"),
    "models.parity_ok": Key((bool,), kind="parity"),
    "models.logits": Key((list,), "logit, per golden vector and class", bool, "parity"),
    "models.host_error": Key(
        (int, float), "max|a-b| / max(1, max|b|)", _not_negative, "parity", added_by="host"
    ),
    "models.instructions": Key((int,), "instructions per inference", positive, "instructions"),
    "models.instructions_n": Key((int,), "inferences", positive, "instructions"),
    "models.instructions_spread_percent": _share("% of the median", "instructions"),
    "models.start_ms": _time(),
    "models.numpy_ms": _time(),
    "models.import_ms": _time(),
    "models.load_ms": _time(),
    "models.first_inference_ms": _time(),
    "models.first_answer_ms": _time(),
    "models.warmup_n": Key((int,), "inferences", positive, "latency"),
    "models.warmup_s": _time(unit="s"),
    "models.latency_n": Key((int,), "inferences", positive, "latency"),
    "models.latency_launches": Key((int,), "processes", positive, "latency"),
    "models.latency_p50_ms": _time(),
    "models.latency_p50_low_ms": _time(),
    "models.latency_p50_high_ms": _time(),
    "models.latency_p90_ms": _time(),
    "models.latency_p99_ms": _time(),
    "models.latency_spread_percent": _share("% of the median launch", "latency"),
}
_MODEL = "models."


def measured_keys(kind: str, added_by: str = "agent") -> tuple[str, ...]:
    """The keys of a model that one kind of measurement fills, without the `models.`."""
    return tuple(
        name[len(_MODEL) :] for name, key in KEYS.items() if key.kind == kind and key.added_by == added_by
    )


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
        check_keys(model, _expected(_MODEL, complete), where)
        _check_reasons(model, complete, where)
        _check_latency(model, bool(result["emulated"]), where)


def _expected(prefix: str, complete: bool) -> dict[str, Key]:
    return {
        name[len(prefix) :]: key
        for name, key in KEYS.items()
        if name.startswith(prefix)
        and "." not in name[len(prefix) :]
        and (complete or key.added_by == "agent")
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


def _check_reasons(model: dict[str, Any], complete: bool, where: str) -> None:
    reasons = model["not_measured"]
    for name, key in _expected(_MODEL, complete).items():
        has_reason = isinstance(reasons.get(name), str) and bool(reasons[name])
        if key.measured and (model[name] is None) != has_reason:
            state = "null without a reason in" if model[name] is None else "measured and yet in"
            raise DataError(f"{where}: {name} is {state} not_measured")


def _check_latency(model: dict[str, Any], emulated: bool, where: str) -> None:
    for name, key in _expected(_MODEL, False).items():
        if emulated and model[name] is not None and (key.unit in TIME_UNITS or key.kind == "latency"):
            raise DataError(f"{where}: {name} was taken on an emulated processor; such a figure is refused")
    if model["latency_p50_ms"] is None:
        return
    p99 = model["latency_p99_ms"]
    if p99 is not None and model["latency_n"] < P99_SAMPLES_MIN:
        raise DataError(
            f"{where}: latency_p99_ms from {model['latency_n']} samples, fewer than {P99_SAMPLES_MIN}"
        )
    percentiles = (model["latency_p50_ms"], model["latency_p90_ms"], p99)
    ordered = [each for each in percentiles if each is not None]
    if ordered != sorted(ordered):
        raise DataError(f"{where}: latency percentiles are out of order: {ordered}")
