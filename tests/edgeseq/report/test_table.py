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


def test_a_narrow_table_wraps_between_words_and_breaks_no_name() -> None:
    lines = printed(34, "t", [("basicmotions-small", "none stated, as it seems")])
    assert max(map(len, lines[1:])) == 34
    assert any("basicmotions-small" in line for line in lines)
    cells = [line.split("│")[2].strip() for line in lines if line.startswith("│")]
    assert " ".join(cells) == "none stated, as it seems"


def test_where_no_wrapping_is_enough_the_first_column_is_kept_and_nothing_is_lost() -> None:
    lines = printed(24, "t", [("tinyshake", "unbreakable-as-it-is")])
    cells = [[cell.strip() for cell in line.split("│")[1:3]] for line in lines if line.startswith("│")]
    assert cells[0][0] == "tinyshake"
    assert "".join(cell for _, cell in cells) == "unbreakable-as-it-is"


def test_numbers_for_people() -> None:
    assert percent(0.98667) == "98.67 %"
    assert [duration(seconds) for seconds in (0.4, 59, 61, 187, 3725)] == [
        "0 s",
        "59 s",
        "1:01 min",
        "3:07 min",
        "1:02 h",
    ]
