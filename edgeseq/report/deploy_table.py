"""What a deployment did, and what is deployed, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from edgeseq.report.table import table

Figures = Mapping[str, Any]


def health_table(result: Mapping[str, Any]) -> Table:
    """A column for each format: its runtime and the parity of its forms on the board."""
    formats = result["formats"]
    rows = [
        ("runtime", *(each["runtime"] or "none" for each in formats)),
        ("parity", *(_parity(each, "parity") for each in formats)),
        ("step parity", *(_parity(each, "step_parity") for each in formats)),
    ]
    title = f"{result['name']} on {_board(result)}: health check of version {result['key']}"
    return table(title, ("", *(each["format"] for each in formats)), rows)


def deploy_notes(result: Mapping[str, Any]) -> list[str]:
    """Lines: what was not checked and why, what is current now, what was removed."""
    notes = [
        f"{each['format']}: {form.replace('_', ' ')} not checked: {reason}"
        for each in result["formats"]
        for form, reason in each["not_checked"].items()
        if not result["refused_because"]
    ]
    if result["refused_because"] or result["rolled_back_because"]:
        return notes
    state = "is current now" if result["switched"] else "was current already; nothing was switched"
    notes.append(f"version {result['key']} {state}: {result['path']}")
    if result["unit"]:
        notes.append(f"{result['unit']} was restarted and stayed up")
    if result["previous"]:
        name = f"--device {result['device']} --name {result['name']}"
        notes.append(f"back to {result['previous']}: edgeseq deploy --rollback {name}")
    if result["removed"]:
        notes.append(f"removed, as older than the ones kept: {', '.join(result['removed'])}")
    return notes


def deployed_tables(result: Mapping[str, Any]) -> list[Table]:
    """A table for each name, a row for each of its versions, the last deployed first."""
    return [
        table(
            f"{deployed['name']} on {_board(result)}",
            ("version", "state", "artifact", "deployed (UTC)", "by", "MB"),
            [_version_row(deployed, version) for version in deployed["versions"]],
        )
        for deployed in result["deployed"]
    ]


def _board(result: Mapping[str, Any]) -> str:
    return f"{result['device']} emulated" if result["emulated"] else str(result["device"])


def _version_row(deployed: Figures, version: Figures) -> tuple[object, ...]:
    states = {deployed["current"]: "current", deployed["previous"]: "before it"}
    when = (version["deployed_utc"] or "").removesuffix("+00:00").replace("T", " ")
    size = f"{version['size_bytes'] / 1e6:.2f}"
    return (version["key"], states.get(version["key"]), version["artifact"], when, version["host"], size)


def _parity(entry: Figures, form: str) -> str:
    figures = entry[form]
    if figures is None:
        return "not checked"
    state = "ok" if figures["ok"] else "FAILED"
    error = "NaN" if figures["error"] is None else f"{figures['error']:.1e}"
    return f"{state}, {error} ({figures['tolerance']:.0e}), n {figures['n']}"
