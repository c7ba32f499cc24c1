"""What a host asks a board to do with its deployments. An unknown key is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseq_device.board.deployed import KEPT_MIN, NAME_PATTERN
from edgeseq_device.board.unit import UNIT_PATTERN
from edgeseq_device.errors import DataError
from edgeseq_device.layout import LOCK_WAIT_S
from edgeseq_device.measuring.keys import Key, positive, texts
from edgeseq_device.measuring.protocol import check_keys

SCHEMA, SCHEMA_VERSION = "edgeseq.deploy", 1
ACTIONS = ("deploy", "rollback", "list")


@dataclass(frozen=True)
class Order:
    """What the host asks for.

    root: the board's folder; name: None where the board finds it out, because it has only one, or for a list
    of all; artifact, artifact_sha256: as in `Request`, None but for "deploy"; deployed_utc, host: by the
    host's clock, a board's may be years off; unit: a service to restart and watch for watch_s; keep: so many
    versions; worker_command: the argv prefix of a fresh Python; timeout_s: for each form's golden vectors;
    lock_wait_s: for a board that somebody measures on.
    """

    action: str
    root: str
    name: str | None
    artifact: str | None = None
    artifact_sha256: str | None = None
    deployed_utc: str = "unknown"
    host: str = "unknown"
    unit: str | None = None
    watch_s: float = 5.0
    keep: int = 3
    worker_command: tuple[str, ...] | None = None
    timeout_s: float = 120.0
    lock_wait_s: float = LOCK_WAIT_S


_TEXT = Key((str,), check=bool)
_ORDER_KEYS = {
    "schema": Key((str,), check=lambda value: value == SCHEMA),
    "schema_version": Key((int,), check=lambda value: value == SCHEMA_VERSION),
    "action": Key((str,), check=lambda value: value in ACTIONS),
    "root": Key((str,), check=lambda value: Path(value).is_absolute()),
    "name": Key((str,), check=lambda value: re.fullmatch(NAME_PATTERN, value) is not None, nullable=True),
    "artifact": Key((str,), check=bool, nullable=True),
    "artifact_sha256": Key((str,), check=lambda value: len(value) == 64, nullable=True),
    "deployed_utc": _TEXT,
    "host": _TEXT,
    "unit": Key((str,), check=lambda value: re.fullmatch(UNIT_PATTERN, value) is not None, nullable=True),
    "watch_s": Key((int, float), "s", lambda value: value >= 0),
    "keep": Key((int,), "versions", lambda value: value >= KEPT_MIN),
    "worker_command": Key((list,), check=lambda value: bool(value) and texts(value), nullable=True),
    "timeout_s": Key((int, float), "s", positive),
    "lock_wait_s": Key((int, float), "s", lambda value: value >= 0),
}


def order_to_dict(order: Order) -> dict[str, Any]:
    """The order as JSON-able data, with schema and version."""
    plain = {name: list(each) if isinstance(each, tuple) else each for name, each in vars(order).items()}
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **plain}


def parse_order(raw: Mapping[str, Any]) -> Order:
    """The order in JSON data. DataError for anything unknown, missing or out of range."""
    check_keys(raw, _ORDER_KEYS, "request")
    values: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each for name, each in raw.items()
    }
    del values["schema"], values["schema_version"]
    order = Order(**values)
    if (order.action == "deploy") != (order.artifact is not None):
        raise DataError(f"request: artifact is {order.artifact!r}, which does not fit {order.action}")
    return order
