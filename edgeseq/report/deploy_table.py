"""What a deployment did, and what is deployed, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from edgeseq.report.table import table
from edgeseq_device.board.health import NO_RUNTIME, NOT_REACHED

Figures = Mapping[str, Any]


def health_table(result: Mapping[str, Any]) -> Table:
    """A column for each format: its runtime and the parity of its forms on the board."""
    formats = result["formats"]
    rows = [
        ("runtime", *(each["runtime"] or _without_runtime(each) for each in formats)),
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
    return [_deployed_table(deployed, _board(result)) for deployed in result["deployed"]]


def _deployed_table(deployed: Figures, board: str) -> Table:
    """The artifact's name is in the title where it is that of all versions, so that a row is one line."""
    names = {version["artifact"] for version in deployed["versions"]}
    same = len(names) == 1
    of = f", all of {next(iter(names))}" if same else ""
    heads = ("version", "state", "deployed (UTC)", "from", "MB", *(() if same else ("artifact",)))
    rows = [_version_row(deployed, version)[: len(heads)] for version in deployed["versions"]]
    return table(f"{deployed['name']} on {board}{of}", heads, rows, text_columns=4)


def _board(result: Mapping[str, Any]) -> str:
    return f"{result['device']} emulated" if result["emulated"] else str(result["device"])


def _version_row(deployed: Figures, version: Figures) -> tuple[object, ...]:
    states = {deployed["current"]: "current", deployed["previous"]: "before"}
    when = (version["deployed_utc"] or "")[: len("2031-02-03T04:05")].replace("T", " ")
    size = f"{version['size_bytes'] / 1e6:.2f}"
    return (version["key"], states.get(version["key"]), when, version["host"], size, version["artifact"])


def _without_runtime(entry: Figures) -> str:
    """Why no runtime is known of a format: none is there, it gave no answer, or it was not asked."""
    reason = entry["not_checked"].get("parity", "")
    if reason.startswith(NOT_REACHED):
        return NOT_REACHED
    return "none" if reason.startswith(NO_RUNTIME) else "no answer"


def _parity(entry: Figures, form: str) -> str:
    figures = entry[form]
    if figures is None:
        reached = not entry["not_checked"][form].startswith(NOT_REACHED)
        return "not checked" if reached else NOT_REACHED
    state = "ok" if figures["ok"] else "FAILED"
    error = "NaN" if figures["error"] is None else f"{figures['error']:.1e}"
    return f"{state}, {error} ({figures['tolerance']:.0e}), n {figures['n']}"
