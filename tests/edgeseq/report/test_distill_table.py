"""The table of a distillation: a row for each form, what is int8 is said."""

from __future__ import annotations

import io

from rich.console import Console

from edgeseq.distill.comparison import Row
from edgeseq.distill.held_out import Figures
from edgeseq.report.distill_table import distill_table


def cells_of(rows: list[Row]) -> list[list[str]]:
    written = io.StringIO()
    Console(file=written, width=160).print(distill_table(rows))
    lines = written.getvalue().splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]


def test_each_form_is_a_row_with_its_figures() -> None:
    rows = [
        Row("teacher", "big", "torch", "fp32", 1234567, 4938268, 4938268, Figures(0.95, 0.94, None), 12.5),
        Row("distilled", "small", "tflite", "int8", 2000, 4100, 2500, Figures(0.93, 0.92, None), 0.0421),
    ]
    assert cells_of(rows) == [
        ["teacher", "big", "torch", "95.00 %", "94.00 %", "1,234,567", "4,938,268", "12.500"],
        ["student distilled int8", "small", "tflite", "93.00 %", "92.00 %", "2,000", "4,100", "0.042"],
    ]


def test_where_there_is_an_out_of_scope_its_recall_is_a_column() -> None:
    rows = [
        Row("teacher", "big", "onnx", "fp32", 1, 5, 4, Figures(0.95, 0.94, 0.8512), 1.0),
        Row("distilled", "small", "onnx", "int8", 1, 5, 4, Figures(0.95, 0.94, None), 1.0),
    ]
    assert [row[5] for row in cells_of(rows)] == ["85.12 %", ""]
