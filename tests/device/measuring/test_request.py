from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from edgeseq_device.errors import DataError
from edgeseq_device.measuring.request import Limits, Request, parse_request, request_to_dict

REQUEST = Request("/a", ("onnx",), ("ram",), (2, 4), Limits(launches=1), ("python3",), ("count", "python3"))


def test_a_request_survives_the_way_to_the_agent() -> None:
    assert parse_request(json.loads(json.dumps(request_to_dict(REQUEST)))) == REQUEST


def test_a_request_without_commands_survives_it_too() -> None:
    request = Request("/a", ("onnx", "tflite"))
    assert parse_request(json.loads(json.dumps(request_to_dict(request)))) == request


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda r: r.update(thread=1), 'unknown key "thread"; did you mean "threads"'),
        (lambda r: r["limits"].update(launch=1), 'limits: unknown key "launch"; did you mean "launches"'),
        (lambda r: r.pop("threads"), "threads is missing"),
        (lambda r: r["limits"].pop("timeout_s"), "limits: timeout_s is missing"),
        (lambda r: r["limits"].update(timeout_s=0), "timeout_s is 0"),
        (lambda r: r["limits"].update(launches=1.5), "launches is 1.5"),
        (lambda r: r.update(threads=[0]), r"threads is \[0\]"),
        (lambda r: r.update(threads=1), "threads is 1"),
        (lambda r: r.update(kinds=["speed"]), "kinds is"),
        (lambda r: r.update(kinds=[[1]]), "kinds is"),
        (lambda r: r.update(formats=[]), "formats is"),
        (lambda r: r.update(worker_command=[]), "worker_command is"),
        (lambda r: r.update(schema_version=1), "not of schema version 5"),
        (lambda r: r.update(schema="other"), "schema is 'other'"),
    ],
)
def test_a_request_that_is_not_understood_whole_is_refused(
    change: Callable[[dict[str, Any]], object], cause: str
) -> None:
    raw = request_to_dict(REQUEST)
    change(raw)
    with pytest.raises(DataError, match=cause):
        parse_request(raw)
