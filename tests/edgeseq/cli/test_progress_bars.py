"""Progress bars show what a board says, which is text and nothing else."""

from __future__ import annotations

import importlib
from io import StringIO

import pytest
from rich.console import Console


@pytest.mark.parametrize("name", ["bench", "deploy"])
def test_what_a_board_says_is_no_markup(name: str) -> None:
    bars = importlib.import_module(f"edgeseq.cli.{name}")._progress()
    bars.add_task("pi4: waits for [/nobody] on [red]it")
    console = Console(file=StringIO(), width=100)
    console.print(bars.get_renderable())
    assert "pi4: waits for [/nobody] on [red]it" in console.file.getvalue()
