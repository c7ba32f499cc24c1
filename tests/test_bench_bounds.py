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
    """Makes a timed row of edgeseq's on LiteRT."""

    def make(hidden: int, role: str, compute: str, ratio: float) -> Any:
        case = bench["subjects"].Case("gru", hidden, 100)
        subject = bench["subjects"].Subject(case, role, "tflite", compute, "nested-25/hybrid", "x86")
        return bench["results"].Row(subject, 100.0, 1.0, ratio, None, 0.0)

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


def test_a_form_that_nobody_wrote_is_not_reached(bench: Any, row: Any) -> None:
    (found,) = (
        each for what, each in judged(bench, row(256, "int8", "fp32", 1.0)).items() if what.startswith("time")
    )
    assert found.value is None
    assert not found.reached


def test_a_weight_of_minus_128_is_not_reached(bench: Any) -> None:
    results = bench["results"].Results(lowest_weights=["gru.tflite"])
    assert not bench["bounds"].evaluate(results)[-1].reached
