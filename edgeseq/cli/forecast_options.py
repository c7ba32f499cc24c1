"""The options of `edgeseq train` for a forecaster."""

from __future__ import annotations

import click


def _rows(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not three numbers with commas between") from None


def _names(
    _context: click.Context, _option: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    return value or None


SERIES_OPTIONS = [
    click.option(
        "--fill",
        type=click.Choice(["linear", "previous"]),
        help="Fill missing moments and empty cells, from both neighbours or the one before."
        " [default: refuse them]",
    ),
    click.option(
        "--split-rows",
        metavar="N,N,N",
        callback=_rows,
        help="Rows that train, validate and test, in this order. [default: by the two fractions, of all]",
    ),
    click.option(
        "--drop-column",
        "drop_columns",
        metavar="NAME",
        multiple=True,
        callback=_names,
        help="Leave a column out; can be repeated.",
    ),
]
"""How a series to forecast is read and split."""
FORECAST_OPTIONS = [
    click.option("--horizon", type=click.IntRange(1), help="Moments to forecast. [default: 96]"),
    click.option("--context", type=click.IntRange(1), help="Moments to forecast them from. [default: 336]"),
    click.option(
        "--segment",
        type=click.IntRange(1),
        help="Moments that a GRU or LSTM takes in a step, or in a Transformer's patch. [default: 24; for a"
        " GRU or LSTM 4 to 24, as context and horizon divide by it]",
    ),
    *SERIES_OPTIONS,
]
