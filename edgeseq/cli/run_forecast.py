"""`edgeseq run ARTIFACT FILE.csv` of a forecaster: a table, and on demand all rows and a plot."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from edgeseq.cli.console import output, print_warnings
from edgeseq.files import atomic_write_text
from edgeseq.report.forecast_plot import check_plot, write_plot
from edgeseq.report.table import table
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeseq.data import DataOptions
    from edgeseq.forecast_file import Forecast
    from edgeseq_device.forecast import Forecaster

ROWS, CHANNELS = 6, 8
"""How many rows and channels of a forecast the table shows."""


def run_forecast(folder: Path, words: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Forecast from the file that `words` name, print and write what was asked for -> the result as JSON.

    given: the options of `edgeseq run`.
    """
    from edgeseq.artifacts import find_artifact, is_file
    from edgeseq.forecast_file import forecast_file
    from edgeseq_device.forecast import load_forecaster

    if len(words) > 1 and not is_file(Path(words[0])):
        find_artifact(words[0])  # says which one may be meant
    if len(words) != 1:
        raise UsageError(f"{folder} is a forecaster: give it one file, a .csv with a line for each moment")
    if given["plot"] is not None:
        check_plot(given["plot"])
    forecaster = load_forecaster(folder, given["model_format"])
    found = forecast_file(forecaster, Path(words[0]), _reading(folder), given["origin"])
    print_warnings(found.warnings)
    title = f"{folder}, {forecaster.format}"
    _print(title, found)
    if given["output"] is not None:
        atomic_write_text(given["output"], _csv(found))
        click.echo(f"all {len(found.values)} rows: {given['output']}", err=True)
    if given["plot"] is not None:
        behind = f"{title}: {len(found.values)} moments from {found.moments[0]}"
        write_plot(found, behind, given["plot"])
        click.echo(f"plot: {given['plot']}", err=True)
    return _result(folder, found, forecaster)


def _reading(folder: Path) -> DataOptions:
    """As the training data was read; on a board, where no provenance is, by what the names of columns say."""
    from edgeseq.artifacts import PROVENANCE_FILE, is_file, read_provenance
    from edgeseq.data import DataOptions
    from edgeseq.training.recipe import Recipe

    if not is_file(folder / PROVENANCE_FILE):
        return DataOptions(task="forecast")
    return Recipe.from_dict(read_provenance(folder).get("recipe"), f"{folder}: recipe").reading


def _print(title: str, found: Forecast) -> None:
    shown = found.channels[:CHANNELS]
    columns = [_fixed(values) for values in found.values.T[:CHANNELS]]
    lines = [list(row) for row in zip(found.moments, *columns, strict=True)]
    if len(lines) > ROWS + 2:
        folded = f"... {len(lines) - ROWS - 1} more"
        lines = [*lines[:ROWS], [folded, *([""] * len(shown))], lines[-1]]
    filled = " (filled ones counted)" * (found.counted == "moment")
    what = f"{len(found.values)} moments from {found.counted} {found.first}{filled} of {found.path}"
    part = f", {CHANNELS} of {len(found.channels)} channels" * (len(found.channels) > CHANNELS)
    screen = output()
    screen.print(table(f"{title}: {what}{part}", (found.time_column or "row", *shown), lines))
    if found.mse is not None:
        screen.print(
            table(_measured(found), ("channel", "MAE", "MAE of the last value kept"), _errors(found))
        )


def _fixed(values: NDArray[np.float32]) -> list[str]:
    """Numbers below each other, each with as many decimals as give the largest four digits."""
    largest = float(np.abs(values).max())
    whole = 1 + math.floor(math.log10(largest)) if largest else 1
    if not -2 <= whole <= 9:
        return [f"{value:.3e}" for value in values]
    return [f"{value:.{max(0, 4 - whole)}f}" for value in values]


def _measured(found: Forecast) -> str:
    known, asked = len(found.actual), len(found.values)
    those = f"the {known} moments" if known == asked else f"the {known} of {asked} moments"
    return f"Against {those} that the file has: MSE {found.mse:.4f}, MAE {found.mae:.4f}, standardised"


def _errors(found: Forecast) -> list[list[str]]:
    """Of each channel the mean absolute error in its own units, and that of its last value for ever."""
    rows = zip(found.channels, *_maes(found).values(), strict=True)
    return [
        [name, *("" if each is None else f"{each:.4g}" for each in pair)]
        for name, *pair in list(rows)[:CHANNELS]
    ]


def _maes(found: Forecast) -> dict[str, list[float | None]]:
    """By channel, in the file's units: of the forecast, and of the last value kept."""
    return {
        "forecast": found.channel_mae(found.values[: len(found.actual)]),
        "last_value_kept": found.channel_mae(found.context[-1:]),
    }


def _csv(found: Forecast) -> str:
    """A row for each moment, under the file's own names; numbers in as few digits as tell them apart."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow([found.time_column or "row", *found.channels])
    rows.writerows([moment, *map(str, row)] for moment, row in zip(found.moments, found.values, strict=True))
    return written.getvalue()


def _result(folder: Path, found: Forecast, forecaster: Forecaster) -> dict[str, Any]:
    return {
        "artifact": str(folder),
        "format": forecaster.format,
        "runtime": forecaster.version,
        "input": str(found.path),
        "first_row": found.first,
        "moments": found.moments,
        "channels": list(found.channels),
        "forecast": found.values.tolist(),
        "actual": found.actual.tolist(),
        "mse": found.mse,
        "mae": found.mae,
        "mse_and_mae_in": "standard deviations of the training data",
        "channel_mae": _maes(found),
        "context": forecaster.context,
        "horizon": forecaster.horizon,
        "interval_s": found.interval_s,
        "warnings": list(found.warnings),
    }
