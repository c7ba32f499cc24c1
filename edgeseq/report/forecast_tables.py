"""What a forecaster reaches, beside the linear model that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from edgeseq.report.table import percent, table

ERRORS = "errors over every window and channel, in standard deviations of the training rows"
SPLITS = ("train", "validation", "test")


def reached_table(title: str, metrics: Mapping[str, Any]) -> Table:
    """A row for each split. metrics: as in run.json; the linear model has none of another to stand beside."""
    linear = metrics.get("linear")
    filled = any("true_cells" in metrics.get(split, {}) for split in SPLITS)
    columns = ["split", "windows", *["true cells"] * filled, "MSE", "MAE"]
    columns += ["linear MSE", "linear MAE"] * bool(linear)
    rows = [
        (
            split,
            f"{metrics[split]['windows']:,}",
            *([_true(metrics[split])] if filled else []),
            *_errors(metrics[split]),
            *(_errors(linear[split]) if linear else ()),
        )
        for split in SPLITS
        if split in metrics
    ]
    return table(title, columns, rows)


def _true(reached: Mapping[str, int]) -> str:
    """Which part of the cells to forecast the data has; the others were filled."""
    return percent(reached["true_cells"] / reached["cells"]) if "cells" in reached else percent(1)


def _errors(reached: Mapping[str, float]) -> tuple[str, str]:
    return f"{reached['mse']:.4f}", f"{reached['mae']:.4f}"
