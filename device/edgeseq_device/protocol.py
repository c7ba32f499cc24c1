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
SCHEMA_VERSION = 2
STEP = "step_"
"""Before the name of a kind of measurement and of a figure: of the step form, not the sequence form."""
LATENCIES, INSTRUCTIONS = ("latency", "step_latency"), ("instructions", "step_instructions")
KINDS = ("ram", "parity", "step_parity", *INSTRUCTIONS, *LATENCIES)
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


def is_of_step(kind: str) -> bool:
    """Whether a kind of measurement looks at the step form."""
    return kind.startswith(STEP)


def _time(kind: str = "latency", unit: str = "ms") -> Key:
    return Key((int, float), unit, positive, kind)


def _bytes(kind: str = "ram") -> Key:
    return Key((int,), "bytes", positive, kind)


def _share(unit: str, kind: str) -> Key:
    return Key((int, float), unit, _not_negative, kind)


def _parity_keys(form: str = "") -> dict[str, Key]:
    kind = f"{form}parity"
    return {
        f"models.{kind}_error": _share("max|a-b| / max(1, max|b|)", kind),
        f"models.{kind}_tolerance": _share("max|a-b| / max(1, max|b|)", kind),
        f"models.{kind}_n": Key((int,), "golden vectors", positive, kind),
        f"models.{kind}_decisions_changed": Key((int,), "golden vectors", _not_negative, kind),
        f"models.{kind}_ok": Key((bool,), kind=kind),
    }


def _instruction_keys(form: str = "") -> dict[str, Key]:
    kind, unit = f"{form}instructions", "step" if form else "inference"
    return {
        f"models.{kind}": Key((int,), f"instructions per {unit}", positive, kind),
        f"models.{kind}_n": Key((int,), f"{unit}s", positive, kind),
        f"models.{kind}_spread_percent": _share("% of the median", kind),
    }


def _latency_keys(form: str = "") -> dict[str, Key]:
    kind, unit = f"{form}latency", "steps" if form else "inferences"
    return {
        f"models.{form}warmup_n": Key((int,), unit, positive, kind),
        f"models.{form}warmup_s": _time(kind, "s"),
        f"models.{kind}_n": Key((int,), unit, positive, kind),
        f"models.{kind}_launches": Key((int,), "processes", positive, kind),
        f"models.{kind}_p50_ms": _time(kind),
        f"models.{kind}_p50_low_ms": _time(kind),
        f"models.{kind}_p50_high_ms": _time(kind),
        f"models.{kind}_p90_ms": _time(kind),
        f"models.{kind}_p99_ms": _time(kind),
        f"models.{kind}_spread_percent": _share("% of the median launch", kind),
    }


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
    "models.step_file": Key((str,), check=bool, nullable=True),
    "models.step_sha256": Key((str,), check=lambda value: len(value) == 64, nullable=True),
    "models.step_bytes": Key((int,), "bytes", positive, nullable=True),
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
    **_parity_keys(),
    **_parity_keys(STEP),
    "models.logits": Key((list,), "logit, per golden vector and class", bool, "parity"),
    "models.host_error": Key(
        (int, float), "max|a-b| / max(1, max|b|)", _not_negative, "parity", added_by="host"
    ),
    **_instruction_keys(),
    **_instruction_keys(STEP),
    "models.start_ms": _time(),
    "models.numpy_ms": _time(),
    "models.import_ms": _time(),
    "models.load_ms": _time(),
    "models.first_inference_ms": _time(),
    "models.first_answer_ms": _time(),
    **_latency_keys(),
    "models.step_load_ms": _time("step_latency"),
    **_latency_keys(STEP),
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
        if emulated and model[name] is not None and (key.unit in TIME_UNITS or key.kind in LATENCIES):
            raise DataError(f"{where}: {name} was taken on an emulated processor; such a figure is refused")
    for kind in LATENCIES:
        if model[f"{kind}_p50_ms"] is not None:
            _check_percentiles(model, kind, where)


def _check_percentiles(model: dict[str, Any], kind: str, where: str) -> None:
    p99, samples = model[f"{kind}_p99_ms"], model[f"{kind}_n"]
    if p99 is not None and samples < P99_SAMPLES_MIN:
        raise DataError(f"{where}: {kind}_p99_ms from {samples} samples, fewer than {P99_SAMPLES_MIN}")
    ordered = [each for each in (model[f"{kind}_p50_ms"], model[f"{kind}_p90_ms"], p99) if each is not None]
    if ordered != sorted(ordered):
        raise DataError(f"{where}: {kind} percentiles are out of order: {ordered}")
