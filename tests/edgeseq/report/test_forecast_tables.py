"""The table of a forecaster."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from edgeseq.report.forecast_tables import reached_table


def shown(metrics: dict[str, Any]) -> str:
    stream = io.StringIO()
    Console(file=stream, width=79).print(reached_table("a run", metrics))
    return stream.getvalue()


def test_each_split_has_a_row_with_the_linear_baseline_beside_it() -> None:
    errors = {"windows": 2785, "mse": 0.35, "mae": 0.4}
    text = shown({"validation": errors, "test": errors, "linear": {"validation": errors, "test": errors}})
    assert "linear MSE" in text
    assert text.count("2,785") == 2
    assert text.count("0.3500") == 4
    assert "train" not in text


def test_where_cells_were_filled_each_split_says_how_much_of_it_is_true() -> None:
    errors = {"windows": 5, "mse": 0.35, "mae": 0.4}
    text = shown({"validation": errors, "test": {**errors, "cells": 600, "true_cells": 2}})
    assert "true cells" in text
    assert [line.split("│")[3].strip() for line in text.splitlines() if "│" in line] == ["100.00 %", "0.33 %"]
    assert "true cells" not in shown({"validation": errors, "test": errors})


def test_a_linear_run_stands_alone() -> None:
    assert "linear" not in shown({"test": {"windows": 5, "mse": 0.35, "mae": 0.4}})
