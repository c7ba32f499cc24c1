"""The verdicts of `make bench`, on results that are made up."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parent / "bench"


@pytest.fixture(scope="module")
def bench() -> Any:
    """The script's modules, which import each other by their bare names as scripts do."""
    sys.path.insert(0, str(BENCH))
    try:
        yield {name: importlib.import_module(name) for name in ("bounds", "results", "subjects")}
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture
def row(bench: Any) -> Any:
    """Makes a timed row, of edgeseq's on LiteRT or of the role "op"."""

    def make(hidden: int, role: str, compute: str, ratio: float, error: float = 0.0, us: float = 1e3) -> Any:
        case = bench["subjects"].Case("gru", hidden, 100)
        runtime = "onnx" if role == "op" else "tflite"
        subject = bench["subjects"].Subject(case, role, runtime, compute, "nested-25/hybrid", "x86")
        around = (ratio - 0.01, ratio + 0.01)
        return bench["results"].Row(subject, us, 1.0, ratio, around, 2 * ratio, error)

    return make


def judged(bench: Any, *rows: Any) -> dict[str, Any]:
    results = bench["results"].Results(rows=list(rows))
    return {each.what: each for each in bench["bounds"].evaluate(results)}


def test_a_figure_above_its_bound_is_not_reached_and_says_why(bench: Any, row: Any) -> None:
    found = judged(bench, row(128, "int8", "int8", 0.76))[
        "time over ORT's fp32 op, gru 128, T=100, int8 compute"
    ]
    assert not found.reached
    assert found.reason
    found = judged(bench, row(128, "int8", "int8", 0.75))[
        "time over ORT's fp32 op, gru 128, T=100, int8 compute"
    ]
    assert found.reached
    assert found.reason == ""


def test_fp32_compute_does_not_count_where_int8_compute_is_asked_for(bench: Any, row: Any) -> None:
    rows = row(128, "int8", "fp32", 0.1), row(128, "int8 compute", "int8", 0.9)
    (found,) = (each for what, each in judged(bench, *rows).items() if what.startswith("time"))
    assert found.value == 0.9


def test_the_chosen_form_counts_at_64_with_the_int8_forms_figure_beside_it(bench: Any, row: Any) -> None:
    rows = row(64, "int8", "fp32", 1.01), row(64, "int8 compute", "int8", 1.4)
    (found,) = (each for what, each in judged(bench, *rows).items() if what.startswith("time"))
    assert found.value == 1.01
    assert found.reached
    assert "1.40" in found.note


def test_a_verdict_comes_with_the_runtime_the_range_of_the_rounds_and_the_op_through_a_binding(
    bench: Any, row: Any
) -> None:
    (found,) = (
        each for what, each in judged(bench, row(512, "int8", "int8", 0.3)).items() if what.startswith("time")
    )
    assert found.range == (0.29, 0.31)
    assert found.note == "on LiteRT, over the op through IOBinding: 0.60"


def test_a_miss_is_explained_only_by_rates_that_the_run_shows(bench: Any, row: Any) -> None:
    """512 units and 40 features over 100 frames are 84.8 million int8 weights; at 128 the bound is no lower
    than a quarter, so that reading them asks for no more than the operator does."""
    op, missed = row(512, "op", "fp32", 1.0, us=5000.0), row(512, "int8", "int8", 0.3)
    found = judged(bench, op, missed)["time over ORT's fp32 op, gru 512, T=100, int8 compute"]
    assert found.reason == "the bound asks for weights at 113 GB/s, the op itself reads at 68"
    op, missed = row(128, "op", "fp32", 1.0, us=400.0), row(128, "int8", "int8", 0.76)
    found = judged(bench, op, missed)["time over ORT's fp32 op, gru 128, T=100, int8 compute"]
    assert found.reason == "the reason is not found yet"


@pytest.mark.parametrize(
    ("role", "compute", "error"), [("fp32", "fp32", 2e-5), ("int8", "fp32", 0.011), ("int8", "int8", 0.021)]
)
def test_an_answer_far_from_the_fp32_models_is_not_reached(
    bench: Any, row: Any, role: str, compute: str, error: float
) -> None:
    what = "answers too far from the fp32 model's"
    for wrong in (error, float("nan"), float("inf")):
        found = judged(bench, row(64, role, compute, 0.5, wrong))[what]
        assert not found.reached
        assert role in found.note
    assert judged(bench, row(64, role, compute, 0.5, error / 3))[what].reached


def test_a_form_that_nobody_wrote_is_not_reached(bench: Any, row: Any) -> None:
    (found,) = (
        each for what, each in judged(bench, row(256, "int8", "fp32", 1.0)).items() if what.startswith("time")
    )
    assert found.value is None
    assert not found.reached


def test_a_weight_of_minus_128_is_not_reached(bench: Any) -> None:
    results = bench["results"].Results(lowest_weights=["gru.tflite"])
    assert not bench["bounds"].evaluate(results)[-1].reached
