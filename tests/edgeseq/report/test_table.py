"""Tables print what they are given, on terminals and into files."""

from __future__ import annotations

import io

from rich.console import Console

from edgeseq.cli.training_progress import duration
from edgeseq.report.table import percent, table


def printed(width: int, title: str, rows: list[tuple[object, ...]]) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(table(title, ("class", "n"), rows))
    return stream.getvalue().splitlines()


def test_a_title_is_longer_than_its_table_without_a_break() -> None:
    lines = printed(80, "a title that is much longer than the table below it", [("a", 1)])
    assert lines[0].rstrip() == "a title that is much longer than the table below it"
    assert len(lines[1]) < 20


def test_a_label_in_brackets_is_no_markup() -> None:
    assert any("[red]x" in line for line in printed(80, "t", [("[red]x", None)]))


def test_numbers_for_people() -> None:
    assert percent(0.98667) == "98.67 %"
    assert [duration(seconds) for seconds in (0.4, 59, 61, 187, 3725)] == [
        "0 s",
        "59 s",
        "1:01 min",
        "3:07 min",
        "1:02 h",
    ]
