"""The one look of every table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text


class _TitledTable(Table):
    """A table under its title; rich's own title is broken to the width of a narrow table."""

    def __init__(self, title: str) -> None:
        super().__init__(header_style="bold")
        self._title = Text(title, style="bold")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._title
        yield from super().__rich_console__(console, options)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, text_columns: int = 1
) -> Table:
    """A table whose first columns are text and whose other columns are right-aligned.

    Cells are printed as they are: a label such as "[red]" is no markup, and a word that is too long for a
    narrow terminal is broken, not cut. None is an empty cell.
    """
    made = _TitledTable(title)
    for index, column in enumerate(columns):
        made.add_column(Text(column), justify="left" if index < text_columns else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return made


def percent(fraction: float) -> str:
    """Such as `98.67 %`."""
    return f"{100 * fraction:.2f} %"
