"""The sources of edgeseq-run stand in rooms: each includes its own headers and those of lower rooms alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SRC = Path(__file__).parents[3] / "device/native/src"
BELOW: dict[str, set[str]] = {
    "base": set(),
    "process": {"base"},
    "artifact": {"base"},
    "front_end": {"base", "artifact"},
    "board": {"base", "process"},
    "litert": {"base", "artifact", "board"},
    "measure": {"base", "process", "artifact", "front_end", "board", "litert"},
    "answer": {"base", "process", "artifact", "front_end", "board", "litert", "measure"},
    "bench": {"base", "process", "artifact", "board"},
}
"""The rooms that each may include besides itself; every command says so to the program in commands.h."""
OF_BENCH = {f"measure/{name}.h" for name in ("limits", "options", "outcome", "statistics")} | {
    "litert/library.h"
}
"""Bench runs edgeseq-run and measures nothing itself: no session, no model."""


def test_every_room_has_its_place() -> None:
    assert {path.name for path in SRC.iterdir() if path.is_dir()} == set(BELOW)


@pytest.mark.parametrize("room", BELOW)
def test_a_room_includes_only_itself_and_lower_ones(room: str) -> None:
    for path in sorted((SRC / room).glob("*.[ch]")):
        for header in re.findall(r'^#include "(.*)"', path.read_text("utf-8"), re.MULTILINE):
            allowed = header.split("/")[0] in BELOW[room] | {room}
            allowed = allowed or (room == "bench" and header in OF_BENCH)
            command = path.name.endswith("_command.c") and header == "commands.h"
            assert allowed or command, f"{room}/{path.name} includes {header}"
