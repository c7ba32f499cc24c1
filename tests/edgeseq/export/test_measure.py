from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeseq.export.measure import _worse_than_linear
from edgeseq.export.report import ExportReport


@pytest.mark.parametrize(("trained", "told"), [(0.37, True), (0.375, True), (0.4, False)])
def test_a_forecaster_whose_run_has_told_of_a_better_linear_model_is_not_told_of_twice(
    trained: float, told: bool
) -> None:
    subject: Any = SimpleNamespace(splits=("validation", "test"), loaded={"onnx": None, "tflite": None})
    better = {"fp32": 0.1, "onnx": 0.1, "tflite": 0.1, "linear": 0.375}
    errors = {"fp32": trained, "onnx": 0.37, "tflite": 0.4, "linear": 0.375}
    report = ExportReport("int8", Path("artifacts/plant"), accuracy={"validation": better, "test": errors})
    found = _worse_than_linear(subject, report)
    assert (found is not None) == told
    assert not told or "on the test split: MSE 0.3750 against tflite 0.4000;" in str(found)
