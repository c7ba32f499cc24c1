"""The gates judged on their own, and the size gate on a model of real size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeseq.gates import (
    AccuracyDrop,
    few_warning,
    judge_accuracy,
    judge_parity,
    judge_size,
    worse_than_linear_warning,
)
from edgeseq_device.errors import BudgetError, GateError
from edgeseq_export import FORMATS, write_model
from edgeseq_export.budget import SizeCheck
from edgeseq_export.layers import GRU, Cell, Embedding, Linear, Pool
from edgeseq_export.parity import compare
from edgeseq_export.spec import SeqSpec, quantize_spec

BUDGET_BYTES = 100_000_000


class Watched:
    def __init__(self) -> None:
        self.tables: dict[str, Sequence[Any]] = {}

    def __call__(self, name: str, rows: Sequence[Any]) -> None:
        self.tables[name] = rows


def gru(features: int, hidden: int) -> SeqSpec:
    rng = np.random.default_rng(0)
    draw = rng.standard_normal
    cell = Cell(
        draw((3 * hidden, features), np.float32),
        draw((3 * hidden, hidden), np.float32),
        np.zeros(3 * hidden, np.float32),
        np.zeros(3 * hidden, np.float32),
    )
    head = Linear("head", draw((2, hidden), np.float32), np.zeros(2, np.float32))
    return SeqSpec(features, ("no", "yes"), (GRU("gru0", cell), Pool("pool", "last"), head))


def sizes(spec: SeqSpec) -> list[SizeCheck]:
    return [
        SizeCheck(f, {f"model.{f}": len(write_model(spec, f, "").content)}, BUDGET_BYTES) for f in FORMATS
    ]


def test_a_gru_2800_is_refused_as_fp32_under_100_mb_and_passes_as_int8() -> None:
    spec, watched = gru(features=192, hidden=2800), Watched()
    with pytest.raises(
        BudgetError,
        match=r"of 100,000,000 bytes: onnx takes 10.*, tflite takes 10.*--int8, .*smaller --hidden or",
    ):
        judge_size(spec, sizes(spec), watched)
    assert watched.tables["tensors"][0].name == "gru0.forward.weight_hh"
    assert watched.tables["tensors"][0].bytes == 3 * 2800 * 2800 * 4
    quantized = quantize_spec(spec)
    judge_size(quantized, sizes(quantized), watched)
    assert all(26_000_000 > size.bytes > 3 * 2800 * 2992 for size in watched.tables["size"])


@pytest.mark.parametrize(("rows", "widths"), [(4000, "--buckets or --embedding"), (4, "--hidden")])
def test_what_is_over_budget_is_to_be_smaller_where_its_bytes_are(rows: int, widths: str) -> None:
    table = Embedding("embedding", np.zeros((rows, 8), np.float32))
    rest = gru(features=8, hidden=16)
    spec = quantize_spec(replace(rest, layers=(table, *rest.layers)))
    size = SizeCheck("onnx", {"model.onnx": 40_000}, 20_000)
    with pytest.raises(BudgetError, match=f"; train with a smaller {widths} or with --fit 20000, or raise"):
        judge_size(spec, [size], Watched())


@pytest.mark.parametrize(
    ("n", "right_before", "right_after", "passes"),
    [
        (300, 298, 296, True),
        (300, 298, 294, False),
        (40, 40, 39, True),
        (40, 40, 38, False),
        (90, 50, 60, True),
    ],
)
def test_a_drop_fails_over_the_limit_by_two_recordings_or_more(n, right_before, right_after, passes) -> None:
    drop = AccuracyDrop(
        "onnx", "validation", n, right_before / n, right_after / n, right_before - right_after, 1.0
    )
    if passes:
        judge_accuracy([drop], Watched())
    else:
        with pytest.raises(GateError, match=r"onnx: accuracy drops .*train --from RUN --qat.*--sensitivity"):
            judge_accuracy([drop], Watched())
    assert drop.passed is passes


@pytest.mark.parametrize(
    ("task", "fp32", "exported", "limit", "drop", "passes"),
    [
        ("lm", 1.5, 1.5099, 0.01, 0.0099, True),
        ("lm", 1.5, 1.5101, 0.01, 0.0101, False),
        ("lm", 1.5, 1.4, 0.01, -0.1, True),
        ("forecast", 0.4, 0.4039, 1.0, 0.975, True),
        ("forecast", 0.4, 0.4042, 1.0, 1.05, False),
    ],
)
def test_errors_rise_by_nats_or_percent(task, fp32, exported, limit, drop, passes) -> None:
    found = AccuracyDrop("onnx", "validation", 5000, fp32, exported, None, limit, task)
    assert found.drop == pytest.approx(drop)
    assert found.passed is passes
    if passes:
        judge_accuracy([found], Watched())
    else:
        words = {
            "lm": r"nats per token rise by 0\.0101 nats on 5,000 validation tokens, over --max-drop 0\.01;",
            "forecast": r"the MSE rises by 1\.05 % on 5,000 validation windows, over --max-drop 1; spare",
        }
        with pytest.raises(GateError, match=words[task]):
            judge_accuracy([found], Watched())


def test_a_forecaster_that_a_linear_model_beats_is_told_by_file() -> None:
    files, both = {"fp32": 0.37, "onnx": 0.37, "tflite": 0.38}, ("onnx", "tflite")
    better, worse = {**files, "linear": 0.39}, {**files, "linear": 0.375}
    assert worse_than_linear_warning({"validation": worse, "test": better}, both) is None
    assert worse_than_linear_warning({"validation": worse}, ("onnx",)) is None
    assert worse_than_linear_warning({"validation": files}, both) is None
    assert worse_than_linear_warning({}, both) is None
    told = worse_than_linear_warning({"validation": better, "test": worse}, both)
    assert "on the test split: MSE 0.3750 against tflite 0.3800; export it instead" in str(told)
    assert "on the validation split" in str(worse_than_linear_warning({"validation": worse}, both))


@pytest.mark.parametrize(("exported", "drop"), [(0.0, 0.0), (1e-9, None)])
def test_an_error_where_the_trained_model_made_none_is_over_every_limit(exported, drop) -> None:
    found = AccuracyDrop("onnx", "validation", 300, 0.0, exported, None, 1e6, "forecast")
    assert found.passed is (drop == 0)
    assert found.to_dict()["drop"] == drop


@pytest.mark.parametrize(("task", "widths"), [("lm", "--embedding"), ("forecast", "--context")])
def test_what_has_no_fit_is_not_told_to_fit(task: str, widths: str) -> None:
    spec = quantize_spec(gru(features=8, hidden=16))
    spec = replace(spec, carries=True) if task == "lm" else replace(spec, frames=9)
    size = SizeCheck("onnx", {"model.onnx": 40_000}, 20_000)
    with pytest.raises(BudgetError, match=f"smaller --hidden or {widths}, or raise --max-size"):
        judge_size(spec, [size], Watched())


def test_a_forecast_out_of_parity_has_no_decisions() -> None:
    expected = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    check = compare("tflite", expected[::-1], "reference", expected, ("a", "b"), 1e-3, decides=False)
    assert check.flips is None
    with pytest.raises(GateError, match=r"error 1\.0e\+00 \(tolerance 1e-03\) at a; this is a fault"):
        judge_parity([check], Watched())


def test_few_validation_recordings_are_said() -> None:
    assert few_warning("classify", 200) is None
    assert "1.0 points" in str(few_warning("classify", 100))
    assert str(few_warning("lm", 64)).endswith("on 64 validation tokens, fewer than 1000")
    assert str(few_warning("forecast", 20)).endswith("on 20 validation windows, fewer than 200")


def test_answers_out_of_parity_are_refused_with_the_input_named() -> None:
    expected = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    wrong = expected + np.array([[0], [0.01]], np.float32)
    check = compare("tflite", wrong, "reference", expected, ("a", "b"), 1e-3)
    with pytest.raises(GateError, match=r"tflite is out of parity .* error 1\.0e-02 .* at b, .* a fault"):
        judge_parity([check], Watched())


def test_a_model_that_amplifies_rounding_is_not_called_a_fault_of_the_exporter() -> None:
    expected = np.array([[0.0, 1.0]], np.float32)
    check = compare("tflite", expected + np.float32(0.1), "reference", expected, ("a",), 0.05)
    with pytest.raises(GateError, match=r"amplifies every rounding .* by 2e-01.*--weight-decay"):
        judge_parity([replace(check, noise_error=0.2)], Watched())
