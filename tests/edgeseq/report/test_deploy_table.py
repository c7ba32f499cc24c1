"""The tables of `edgeseq deploy`."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from edgeseq.report.deploy_table import deployed_tables, health_table


def shown(table: Any) -> str:
    console = Console(width=80)
    with console.capture() as caught:
        console.print(table)
    return caught.get()


@pytest.mark.parametrize(
    ("reason", "runtime", "parity"),
    [
        ("not reached: another form failed", "not reached", "not reached"),
        ("no runtime: onnxruntime is not installed", "none", "not checked"),
        ("the worker was killed by SIGKILL", "no answer", "not checked"),
    ],
)
def test_a_format_without_figures_is_told_apart(reason: str, runtime: str, parity: str) -> None:
    entry = {
        "format": "onnx",
        "runtime": None,
        "parity": None,
        "step_parity": None,
        "not_checked": {"parity": reason, "step_parity": reason},
    }
    text = shown(
        health_table({"formats": [entry], "name": "n", "device": "pi4", "emulated": False, "key": "k"})
    )
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in text.splitlines() if "│" in line]
    assert rows == [["runtime", runtime], ["parity", parity], ["step parity", parity]]


def version(key: str, artifact: str) -> dict[str, Any]:
    utc = "2031-02-03T04:05:06+00:00"
    return {"key": key, "artifact": artifact, "deployed_utc": utc, "host": "workstation", "size_bytes": 2e6}


def test_a_version_is_one_line_of_80_columns() -> None:
    keys = [f"{digit * 12}-{digit * 12}" for digit in "ab"]
    deployed = {
        "name": "gestures",
        "current": keys[0],
        "previous": keys[1],
        "versions": [version(key, "gestures-gru-int8-generic") for key in keys],
    }
    result = {"device": "pi4", "emulated": False, "deployed": [deployed]}
    text = shown(*deployed_tables(result))
    assert "all of gestures-gru-int8-generic" in text
    assert all(key in text for key in keys)
    assert "before  │ 2031-02-03 04:05 │ workstation │ 2.00" in text
    deployed["versions"][1]["artifact"] = "another"
    assert "artifact" in shown(*deployed_tables(result))
