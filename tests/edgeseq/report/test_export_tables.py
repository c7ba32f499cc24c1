"""The last line of an export: which of its files to take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseq.export.report import ExportReport
from edgeseq.report.export_tables import fastest_lines
from edgeseq_export import FORMATS, write_model
from edgeseq_export.spec import Linear, Pool, SeqSpec


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
