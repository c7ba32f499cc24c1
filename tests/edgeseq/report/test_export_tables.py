"""The tables of an export by task, and its last line: which of its files to take."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edgeseq.export.report import ExportReport
from edgeseq.gates import AccuracyDrop
from edgeseq.report.export_tables import fastest_lines, gate_table
from edgeseq_export import FORMATS, write_model
from edgeseq_export.layers import Linear, Pool
from edgeseq_export.parity import compare
from edgeseq_export.spec import SeqSpec


@pytest.fixture
def report() -> ExportReport:
    """With a model in both formats."""
    report = ExportReport("int8", Path("artifacts/gestures"), target="pi5")
    head = Linear("head", np.ones((2, 3), np.float32), np.zeros(2, np.float32))
    spec = SeqSpec(3, ("up", "down"), (Pool("pool", "mean"), head))
    report.models += [write_model(spec, each, "m/s2") for each in FORMATS]
    return report


def test_the_fastest_format_of_sequences_and_of_steps_is_said(report: ExportReport) -> None:
    report.fastest |= {"sequence": "onnx", "step": "tflite"}
    (line,) = fastest_lines(report)
    assert "whole sequences onnx (by the table in docs/export.md), frame by frame tflite" in line


def test_what_is_not_known_is_said(report: ExportReport) -> None:
    unknown = "fastest on pi5: whole sequences not known, edgeseq bench measures them"
    report.fastest |= {"sequence": None, "step": "tflite"}
    assert fastest_lines(report) == [f"{unknown}, frame by frame tflite"]
    report.fastest |= {"sequence": None, "step": None}
    assert fastest_lines(report) == [unknown]
    del report.models[1]
    report.fastest |= {"sequence": "onnx", "step": None}
    assert fastest_lines(report) == []


@pytest.mark.parametrize(
    ("task", "words"), [("lm", "prompts onnx (by the table"), ("forecast", "forecasts onnx (by the table")]
)
def test_what_is_fast_has_the_words_of_the_task(report: ExportReport, task: str, words: str) -> None:
    report.task = task
    report.fastest |= {"sequence": "onnx", "step": "tflite" if task == "lm" else None}
    (line,) = fastest_lines(report)
    assert words in line
    assert ("token by token tflite" in line) is (task == "lm")


def shown(name: str, rows: list) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(gate_table(name, rows))
    return console.file.getvalue()


def test_a_drop_is_shown_in_the_unit_of_the_task() -> None:
    accuracy = shown("accuracy", [AccuracyDrop("onnx", "validation", 90, 0.9, 0.89, 1, 1.0)])
    assert "90.00 %" in accuracy
    assert "drop (points)" in accuracy
    assert "net flips" in accuracy
    nats = shown("accuracy", [AccuracyDrop("onnx", "validation", 65536, 1.5, 1.5042, None, 0.01, "lm")])
    for words in ("Nats per token on the validation split", "65,536", "1.5042", "rise (nats)", "0.0042"):
        assert words in nats
    mse = shown("accuracy", [AccuracyDrop("onnx", "validation", 9, 0.4, 0.402, None, 1.0, "forecast")])
    assert "rise (%)" in mse
    assert "0.50" in mse
    assert "flips" not in mse


def test_a_forecasts_parity_has_no_column_of_decisions() -> None:
    answers = np.ones((2, 3), np.float32)
    for decides in (True, False):
        check = compare("onnx", answers, "reference", answers, ("a", "b"), 1e-5, decides=decides)
        assert ("decisions" in shown("parity", [check])) is decides


def test_what_was_reached_is_shown_by_form_and_split() -> None:
    entry = {"n": 97, "metric": "mse", "unit": "standardised squared error", "fp32": 0.37, "onnx": 0.371}
    mae = {"fp32": 0.4, "onnx": 0.41, "linear": 0.42}
    table = shown("measured", [("test", {**entry, "linear": 0.38, "mae": mae})])
    for words in ("windows", "MSE", "MAE", "trained fp32", "linear baseline", "0.3710", "0.4100"):
        assert words in table
    nats = {"n": 640, "metric": "nats_per_token", "fp32": 1.5, "bits_per_character": {"fp32": 2.164}}
    assert "bits per character" in shown("measured", [("validation", nats)])
