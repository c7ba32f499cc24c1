"""The plot of a forecast: for each channel what came before, what the model says and, if known, what came.

matplotlib is imported when a plot is asked for: it is an extra of the package. The same forecast gives the
same bytes, whatever a user's own matplotlibrc says.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeseq.files import atomic_write_bytes
from edgeseq_device.errors import EdgeseqError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from edgeseq.forecast_file import Forecast

SUFFIXES = (".png", ".svg")
PANELS = 12
"""Of more channels the first ones are drawn."""
BEFORE = 3  # horizons of what came before; more would squeeze the forecast
COLOURS = {"before": "#555555", "forecast": "#c2410c", "actual": "#0b6e99"}
DAY = "%m-%d"
TIME_FORMATS = {
    "formats": ["%Y", "%Y-%m", DAY, "%H:%M", "%H:%M", "%S.%f"],
    "zero_formats": ["", "%Y-%m", DAY, DAY, "%H:%M", "%H:%M"],
}
"""By the unit of a tick, from years to seconds; the second where that unit begins anew. A label in the corner
is needed no more."""
_PANEL_INCHES = (5.4, 1.9)


def check_plot(path: Path) -> None:
    """Raises UsageError for a file that is no plot's, EdgeseqError where matplotlib is not installed."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--plot {path}: name a file that ends in {' or '.join(SUFFIXES)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise EdgeseqError(
            f"--plot {path}: matplotlib is not installed, which draws it; run: pip install 'edgeseq[plot]'"
        )


def write_plot(forecast: Forecast, title: str, path: Path) -> None:
    """Draw into `path`, a .png or an .svg. `check_plot` passed it."""
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "edgeseq"  # the same forecast gives the same file
        shown = min(len(forecast.channels), PANELS)
        columns = 1 if shown < 4 else 2
        rows = math.ceil(shown / columns)
        height = _PANEL_INCHES[1] * rows + 1.1
        figure = Figure(figsize=(max(_PANEL_INCHES[0] * columns, 8.0), height))
        panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
        for channel, panel in enumerate(panels[:shown]):
            _draw(panel, forecast, channel)
        _finish(figure, panels, shown, forecast, title, height)
        content, kind = io.BytesIO(), path.suffix.lower()[1:]
        undated = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(content, format=kind, dpi=130, metadata=undated)
    atomic_write_bytes(path, content.getvalue())


def _draw(panel: Axes, forecast: Forecast, channel: int) -> None:
    """One channel."""
    context, horizon, known = len(forecast.context), len(forecast.values), len(forecast.actual)
    start = max(0, context - BEFORE * horizon)
    moments: Any = forecast.times
    if moments is None:
        moments = np.arange(forecast.first - context, forecast.first + horizon)
    look: dict[str, Any] = {"linewidth": 1.2, "solid_joinstyle": "round"}
    there = _measured(forecast, channel)
    before = there[start:context]
    panel.plot(moments[start:context], before, color=COLOURS["before"], label="before", **look)
    # from the last moment that is known, so that no gap stands between the lines
    behind = slice(context - 1, context + known)
    if known:
        panel.plot(moments[behind], there[behind], color=COLOURS["actual"], label="what came", **look)
    last = forecast.context[-1:, channel]
    said = np.concatenate([last, forecast.values[:, channel]])
    panel.plot(
        moments[context - 1 :],
        said,
        color=COLOURS["forecast"],
        label="forecast",
        **{**look, "linewidth": 1.6},
    )
    if np.isnan(there).any():
        _draw_filled(panel, forecast, channel, moments)
    panel.axvline(moments[context - 1], color="#999999", linewidth=0.8, linestyle=":")
    panel.set_title(_plain(forecast.channels[channel]), fontsize=10, loc="left")
    panel.grid(visible=True, color="#e5e5e5", linewidth=0.6)
    panel.tick_params(labelsize=8)
    panel.margins(x=0.01)


def _measured(forecast: Forecast, channel: int) -> NDArray[np.float32]:
    """[L + n]: what the file has of a channel, NaN where it was filled."""
    values = np.concatenate([forecast.context[:, channel], forecast.actual[:, channel]])
    return values if forecast.filled is None else np.where(forecast.filled[:, channel], np.nan, values)


def _draw_filled(panel: Axes, forecast: Forecast, channel: int, moments: Any) -> None:
    """Thin and dotted below the other lines: seen only where those have nothing."""
    start = max(0, len(forecast.context) - BEFORE * len(forecast.values))
    values = np.concatenate([forecast.context[start:, channel], forecast.actual[:, channel]])
    look: dict[str, Any] = {"linewidth": 0.8, "linestyle": ":", "zorder": 1.5}
    panel.plot(moments[start : start + len(values)], values, color=COLOURS["before"], label="filled", **look)


def _finish(figure: Figure, panels: Any, shown: int, forecast: Forecast, title: str, height: float) -> None:
    """Titles, the axis of time and one legend for all panels."""
    dates: Any = importlib.import_module("matplotlib.dates")  # its classes have no types
    for panel in panels[shown:]:
        panel.set_visible(False)
    columns = 1 if shown < 4 else 2
    for panel in panels[max(0, shown - columns) : shown]:  # the lowest one of each column
        panel.tick_params(labelbottom=True)
        if forecast.times is None:
            panel.set_xlabel("row", fontsize=8)
        else:
            locator = dates.AutoDateLocator(minticks=3, maxticks=8)
            panel.xaxis.set_major_locator(locator)
            panel.xaxis.set_major_formatter(
                dates.ConciseDateFormatter(locator, **TIME_FORMATS, show_offset=False)
            )
    total = len(forecast.channels)
    known, asked = len(forecast.actual), len(forecast.values)
    errors = ""
    if forecast.mse is not None:
        errors = f"MSE {forecast.mse:.4f}, MAE {forecast.mae:.4f}, standardised"
        errors += f", of the {known} moments that came" * (known < asked)
    part = f"the first {shown} of {total} channels" if shown < total else ""
    under = "; ".join(each for each in (errors, part) if each)
    figure.suptitle(_plain(f"{title}\n{under}" if under else title), fontsize=11)
    drawn = {line.get_label(): line for panel in panels[:shown] for line in panel.get_lines()}
    lines = {label: line for label, line in drawn.items() if not label.startswith("_")}
    look: dict[str, Any] = {"ncols": max(3, len(lines)), "fontsize": 9, "frameon": False}
    figure.legend(list(lines.values()), list(lines), loc="lower center", **look)
    figure.tight_layout(rect=(0, 0.35 / height, 1, 1))


def _plain(text: str) -> str:
    """A text of which no part is taken for mathematics."""
    return text.replace("$", r"\$")
