"""What a forecaster reaches, beside the linear model that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from edgeseq.report.table import table

ERRORS = "errors over every window and channel, in standard deviations of the training rows"


def reached_table(title: str, metrics: Mapping[str, Any]) -> Table:
    """A row for each split. metrics: as in run.json; the linear model has none of another to stand beside."""
    linear = metrics.get("linear")
    columns = ["split", "windows", "MSE", "MAE", *["linear MSE", "linear MAE"] * bool(linear)]
    rows = [
        (
            split,
            f"{metrics[split]['windows']:,}",
            *_errors(metrics[split]),
            *(_errors(linear[split]) if linear else ()),
        )
        for split in ("train", "validation", "test")
        if split in metrics
    ]
    return table(title, columns, rows)


def _errors(reached: Mapping[str, float]) -> tuple[str, str]:
    return f"{reached['mse']:.4f}", f"{reached['mae']:.4f}"
