"""What the host asks of the agent. An unknown key is refused, so that no wish is dropped silently."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from edgeseq_device.errors import DataError
from edgeseq_device.protocol import KEYS, KINDS, SCHEMA, SCHEMA_VERSION, Key, check_keys, positive, texts


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
    timeout_s: float = 120.0


@dataclass(frozen=True)
class Request:
    """What the host asks of the agent.

    artifact: folder on the board; worker_command: the argv prefix that starts a fresh Python for one
    measurement; counting_worker_command: the same with its instructions counted, or None.
    """

    artifact: str
    formats: tuple[str, ...]
    kinds: tuple[str, ...] = KINDS
    threads: int = 1
    limits: Limits = Limits()
    worker_command: tuple[str, ...] | None = None
    counting_worker_command: tuple[str, ...] | None = None


_COMMAND = Key((list,), check=lambda value: bool(value) and texts(value), nullable=True)
REQUEST_KEYS: dict[str, Key] = {
    "schema": KEYS["schema"],
    "schema_version": KEYS["schema_version"],
    "artifact": Key((str,), check=bool),
    "formats": Key((list,), check=lambda value: bool(value) and texts(value)),
    "kinds": Key((list,), check=lambda value: bool(value) and texts(value) and set(value) <= set(KINDS)),
    "threads": Key((int,), "threads", lambda value: 1 <= value <= 256),
    "limits": Key((dict,)),
    "worker_command": _COMMAND,
    "counting_worker_command": _COMMAND,
}


def request_to_dict(request: Request) -> dict[str, Any]:
    """The request as JSON-able data, with schema and version."""
    plain = {each.name: getattr(request, each.name) for each in fields(request)}
    plain["limits"] = {each.name: getattr(request.limits, each.name) for each in fields(request.limits)}
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **listed}


def parse_request(text: str | bytes) -> Request:
    """The request in a JSON text. DataError for anything unknown, missing or out of range."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"request: not JSON ({error})") from error
    if not isinstance(raw, dict) or raw.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"request: not of schema version {SCHEMA_VERSION}; host and agent must be of one version"
        )
    check_keys(raw, REQUEST_KEYS, "request")
    raw = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    del raw["schema"], raw["schema_version"]
    return Request(**{**raw, "limits": _parse_limits(raw["limits"])})


def _parse_limits(raw: dict[str, Any]) -> Limits:
    known = {
        each.name: Key((int,) if isinstance(each.default, int) else (int, float), check=positive)
        for each in fields(Limits)
    }
    check_keys(raw, known, "request: limits")
    return Limits(**raw)
