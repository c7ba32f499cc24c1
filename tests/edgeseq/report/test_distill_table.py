"""The table of a distillation: a row for each form, what is int8 is said, nothing is cut off."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from edgeseq.distill.comparison import Row
from edgeseq.distill.held_out import Figures
from edgeseq.report.distill_table import distill_table
from edgeseq_device.tasks import Task


def lines_of(rows: list[Row], width: int = 80, task: Task = "classify") -> list[str]:
    written = io.StringIO()
    Console(file=written, width=width).print(distill_table(rows, task))
    return written.getvalue().splitlines()


def cells_of(rows: list[Row], width: int = 80, task: Task = "classify") -> list[list[str]]:
    lines = lines_of(rows, width, task)
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]


def test_each_form_is_a_row_with_its_figures() -> None:
    rows = [
        Row("teacher", "big", "torch", "fp32", 1234567, 4938268, 4938268, Figures(0.95, 0.94, None), 12.5),
        Row("distilled", "small", "tflite", "int8", 2000, 4100, 2500, Figures(0.93, 0.92, None), 0.0421),
    ]
    assert cells_of(rows) == [
        ["teacher", "torch", "95.00", "94.00", "4.94 MB", "12.5"],
        ["distilled", "tflite int8", "93.00", "92.00", "4.1 KB", "0.042"],
    ]
    assert lines_of(rows)[:2] == ["teacher: big, 1,234,567 parameters", "distilled: small, 2,000 parameters"]


def test_where_there_is_an_out_of_scope_what_is_rejected_and_what_it_costs_are_columns() -> None:
    rows = [
        Row("teacher", "big", "onnx", "fp32", 1, 5, 4, Figures(0.95, 0.94, 0.8512, 0.9011), 1.0),
        Row("distilled", "small", "onnx", "int8", 1, 5, 4, Figures(0.95, 0.94, None), 1.0),
    ]
    assert [row[4:6] for row in cells_of(rows)] == [["85.12", "90.11"], ["", ""]]
    told = " ".join(" ".join(lines_of(rows)[-3:]).split())
    assert "rejected, at the threshold that validation gives" in told
    assert "right and not rejected" in told


@pytest.mark.parametrize("width", [80, 100, 120])
def test_six_teachers_fit_with_a_line_for_each_form(width: int) -> None:
    figures = Figures(1.0, 1.0, 1.0, 1.0)
    rows = [
        Row(
            "teacher",
            f"teacher-with-a-long-name-{number}",
            form,
            "fp32",
            10**7,
            438_000_000,
            5,
            figures,
            1234.5,
        )
        for number in range(6)
        for form in ("onnx", "tflite")
    ]
    rows += [
        Row(role, "student", form, "int8", 1, 999_949, 4, figures, 0.99)
        for role in ("ensemble", "scratch", "distilled")
        for form in ("onnx", "tflite")
    ]
    cells = cells_of(rows, width)
    assert len(cells) == len(rows)
    assert [row[0] for row in cells[::2]] == [
        *(f"teacher {number}" for number in range(1, 7)),
        *("teachers", "scratch", "distilled"),
    ]
    assert cells[0][1:] == ["onnx", "100.0", "100.0", "100.0", "100.0", "438.00 MB", "1234"]
    assert cells[-1][1:] == ["tflite int8", *["100.0"] * 4, "999.9 KB", "0.990"]


def test_a_language_model_s_row_has_nats_and_bits_of_the_splits_that_there_are() -> None:
    reached = {"tokens": 65536, "nats_per_token": 1.5043, "bits_per_character": 2.1702}
    row = Row("distilled", "small", "tflite", "int8", 2000, 4100, 2500, {"validation": reached}, 0.0421)
    assert cells_of([row], task="lm") == [["distilled", "tflite int8", "1.504", "2.170", "4.1 KB", "0.042"]]
    assert lines_of([row], task="lm")[-1] == "judged on: validation 65,536 tokens"
    both = replace(row, figures={"validation": reached, "test": reached})
    assert cells_of([both], task="lm")[0][2:6] == ["1.504", "2.170", "1.504", "2.170"]


def test_a_forecaster_s_row_has_both_errors_beside_the_linear_baseline() -> None:
    reached = {"windows": 2785, "mse": 0.36012, "mae": 0.3974}
    figures = {"validation": reached, "test": reached}
    rows = [
        Row("teacher", "big", "tflite", "int8", 9, 438_000_000, 5, figures, 1234.5),
        Row("teacher", "other", "tflite", "int8", 9, 438_000_000, 5, figures, 1234.5),
        Row("linear", "the linear baseline", "onnx", "fp32", 64704, 260_000, 5, figures, 0.0421),
    ]
    cells = cells_of(rows, task="forecast")
    errors = ["0.360", "0.397"] * 2
    assert cells[0] == ["teacher 1", "tflite int8", *errors, "438.00 MB", "1234"]
    assert cells[2] == ["linear", "onnx", *errors, "260.0 KB", "0.042"]
    assert "linear: the linear baseline, 64,704 parameters" in lines_of(rows, task="forecast")
