"""What the host asks of the agent. An unknown key is refused, so that no wish is dropped silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from edgeseq_device.errors import DataError
from edgeseq_device.measuring.keys import (
    DEFAULT_KINDS,
    KEYS,
    KINDS,
    RUNNERS,
    SCHEMA,
    SCHEMA_VERSION,
    Key,
    is_hash,
    positive,
    texts,
)
from edgeseq_device.measuring.native_runner import NativeRunner
from edgeseq_device.measuring.protocol import check_keys

THREADS_MAX = 256


@dataclass(frozen=True)
class Limits:
    """How long a measurement goes on. Warm-up and steady state end when both count and time are reached."""

    warmup_runs: int = 10
    warmup_s: float = 0.5
    warmup_max_s: float = 5.0
    steady_runs: int = 1000
    steady_s: float = 1.0
    steady_max_s: float = 10.0
    launches: int = 3
    instruction_runs: int = 11
    profile_runs: int = 100
    realtime_s: float = 10.0
    sustained_s: float = 300.0
    power_s: float = 10.0
    cooldown_max_s: float = 120.0
    timeout_s: float = 120.0
    """For one measurement, beside the time that it is asked to take."""


QUICK = Limits(
    warmup_s=0.1,
    warmup_max_s=1.0,
    steady_runs=200,
    steady_s=0.2,
    steady_max_s=2.0,
    launches=1,
    realtime_s=2.0,
    power_s=2.0,
    cooldown_max_s=0.0,
)
"""One short launch: rougher latency."""


@dataclass(frozen=True)
class Request:
    """What the host asks of the agent.

    artifact: on the board, a folder, or a bundle of one with its artifact_sha256; threads: each number is
    measured; worker_command: the argv prefix that starts a fresh Python for one measurement;
    counting_worker_command: the same with its instructions counted, or None.
    root: the board's folder for scratch files and the lock, None for a place in /tmp and no lock; host: who
    asks, lock_wait_s: how long for a board that somebody else measures on.
    skip: so many measurements of the plan were taken before a connection was lost.
    max_ram_bytes: for "fits"; readings, readings_sha256: recordings for "accuracy"; period_ms: of a frame,
    for "realtime", where the artifact does not tell.
    runners: of RUNNERS, each measures what it can; () is the board's default, the native one for what it can
    run where it passed its set-up. native: the native runner, None for that of root, if any.
    """

    artifact: str
    formats: tuple[str, ...]
    kinds: tuple[str, ...] = DEFAULT_KINDS
    threads: tuple[int, ...] = (1,)
    limits: Limits = Limits()
    worker_command: tuple[str, ...] | None = None
    counting_worker_command: tuple[str, ...] | None = None
    artifact_sha256: str | None = None
    root: str | None = None
    host: str = "this host"
    lock_wait_s: float = 0.0
    skip: int = 0
    max_ram_bytes: int | None = None
    readings: str | None = None
    readings_sha256: str | None = None
    period_ms: float | None = None
    runners: tuple[str, ...] = ()
    native: NativeRunner | None = None


def _not_negative(value: Any) -> bool:
    return bool(value >= 0)


def _counts(value: Any) -> bool:
    return bool(value) and all(type(each) is int and 1 <= each <= THREADS_MAX for each in value)


_COMMAND = Key((list,), check=lambda value: bool(value) and texts(value), nullable=True)
_HASH = Key((str,), check=is_hash, nullable=True)
_PATH = Key((str,), check=bool, nullable=True)
REQUEST_KEYS: dict[str, Key] = {
    "schema": KEYS["schema"],
    "schema_version": KEYS["schema_version"],
    "artifact": Key((str,), check=bool),
    "formats": Key((list,), check=lambda value: bool(value) and texts(value)),
    "kinds": Key((list,), check=lambda value: bool(value) and texts(value) and set(value) <= set(KINDS)),
    "threads": Key((list,), "threads", _counts),
    "limits": Key((dict,)),
    "worker_command": _COMMAND,
    "counting_worker_command": _COMMAND,
    "artifact_sha256": _HASH,
    "root": _PATH,
    "host": Key((str,), check=bool),
    "lock_wait_s": Key((int, float), "s", _not_negative),
    "skip": Key((int,), "measurements", _not_negative),
    "max_ram_bytes": Key((int,), "bytes", positive, nullable=True),
    "readings": _PATH,
    "readings_sha256": _HASH,
    "period_ms": Key((int, float), "ms", positive, nullable=True),
    "runners": Key((list,), check=lambda value: texts(value) and set(value) <= set(RUNNERS)),
    "native": Key((dict,), nullable=True),
}
_NATIVE_KEYS = {
    "command": Key((list,), check=lambda value: bool(value) and texts(value)),
    "library": Key((str,), check=bool),
    "library_version": Key((str,)),
    "counting_command": _COMMAND,
}


def request_to_dict(request: Request) -> dict[str, Any]:
    """The request as JSON-able data, with schema and version."""
    plain = {each.name: getattr(request, each.name) for each in fields(request)}
    plain["limits"] = {each.name: getattr(request.limits, each.name) for each in fields(request.limits)}
    if request.native is not None:
        plain["native"] = _listed(vars(request.native))
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **_listed(plain)}


def _listed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _tupled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def parse_request(raw: Mapping[str, Any]) -> Request:
    """The request in JSON data. DataError for anything unknown, missing or out of range."""
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"request: not of schema version {SCHEMA_VERSION}; host and agent must be of one version"
        )
    check_keys(raw, REQUEST_KEYS, "request")
    values = _tupled(raw)
    del values["schema"], values["schema_version"]
    if raw["native"] is not None:
        check_keys(raw["native"], _NATIVE_KEYS, "request: native")
        values["native"] = NativeRunner(**_tupled(raw["native"]))
    return Request(**{**values, "limits": _parse_limits(values["limits"])})


def _parse_limits(raw: dict[str, Any]) -> Limits:
    known = {
        each.name: Key(
            (int,) if isinstance(each.default, int) else (int, float),
            check=_not_negative if each.name == "cooldown_max_s" else positive,
        )
        for each in fields(Limits)
    }
    check_keys(raw, known, "request: limits")
    return Limits(**raw)
