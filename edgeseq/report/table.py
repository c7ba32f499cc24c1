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
        self._narrow(console, options.max_width - 3 * len(self.columns) - 1)  # less borders and margins
        yield from super().__rich_console__(console, options)

    def _narrow(self, console: Console, room: int) -> None:
        """Wrap the widest columns between words, so that names stay whole; rich breaks them, too.

        Where even the longest words take more room than there is, the first column is kept: what one copies.
        """
        cells = [[console.measure(cell) for cell in (c.header, *c.cells)] for c in self.columns]
        least = [max(cell.minimum for cell in column) for column in cells]
        widths = [max(cell.maximum for cell in column) for column in cells]
        for column in self.columns:
            column.width = None
        if sum(least) > room:
            self.columns[0].width = least[0] if least[0] <= room / 2 else None
            return
        while sum(widths) > room:
            spare = [width - word for width, word in zip(widths, least, strict=True)]
            widest = max((i for i, each in enumerate(spare) if each), key=widths.__getitem__)
            widths[widest] -= 1
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, text_columns: int = 1
) -> Table:
    """A table whose first columns are text and whose other columns are right-aligned.

    Cells are printed as they are: a label such as "[red]" is no markup. On a narrow terminal they
    wrap between words, and a word that is too long even so is broken, not cut. None is an empty cell.
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
