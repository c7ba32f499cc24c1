"""A benchmark of a language model and of a forecaster: what it calls things, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.artifact import open_artifact
from edgeseq_device.measuring.agent import bench
from edgeseq_device.measuring.assemble import Taken, about
from edgeseq_device.measuring.keys import LATENCIES
from edgeseq_device.measuring.plain_table import note_lines, table_lines
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.measuring.request import Limits, Request
from edgeseq_device.measuring.verdict import judge
from edgeseq_device.measuring.words import worded

Golden = Callable[[str], Path]
KINDS = ("parity", "step_parity", *LATENCIES)


@pytest.fixture(scope="module")
def measured(golden_artifact: Golden, fast_limits: Limits) -> Callable[[str], dict[str, Any]]:
    """By task the result of a benchmark."""
    results: dict[str, dict[str, Any]] = {}

    def of(task: str) -> dict[str, Any]:
        if task not in results:
            limits = replace(fast_limits, launches=1)
            request = Request(str(golden_artifact(task)), ("tflite",), KINDS, limits=limits)
            results[task] = bench(request, lambda _event: None)
        return results[task]

    return of


def test_a_language_models_prefill_and_tokens_have_their_rates(
    measured: Callable[[str], dict[str, Any]],
) -> None:
    (model,) = measured("lm")["models"]
    assert (model["task"], model["frames"], model["window"]) == ("lm", 64, 5)
    assert model["states_bytes"] == 4 * (5 * 8 + 5 * 8 + 1 + 4)  # keys, values, position, turn
    assert model["tokens_per_second"] == pytest.approx(1000 / model["step_latency_p50_ms"])
    assert model["prefill_tokens_per_second"] == pytest.approx(64_000 / model["latency_p50_ms"])
    assert (model["parity_ok"], model["step_parity_ok"]) == (True, True)
    assert (model["parity_decisions_changed"], model["parity_n"]) == (0, 3)
    assert "forecasts_per_second" not in model


def test_a_forecaster_has_forecasts_a_second_and_decides_nothing(
    measured: Callable[[str], dict[str, Any]],
) -> None:
    (model,) = measured("forecast")["models"]
    assert (model["task"], model["context"], model["horizon"]) == ("forecast", 6, 4)
    assert model["states_bytes"] is None
    assert model["forecasts_per_second"] == pytest.approx(1000 / model["latency_p50_ms"])
    assert model["parity_ok"]
    assert np.array(model["logits"]).shape == (3, 8)
    assert not {"parity_decisions_changed", "tokens_per_second", "window"} & set(model)


@pytest.mark.parametrize(
    ("task", "there", "absent"),
    [
        ("lm", ("states", "window", "prefill p50", "token p50", "tokens per second"), ("context", "latency")),
        ("forecast", ("context", "horizon", "forecast p50", "forecasts per second"), ("states", "token")),
    ],
)
def test_the_table_at_the_board_has_the_words_of_the_task(
    task: str, there: tuple[str, ...], absent: tuple[str, ...], measured: Callable[[str], dict[str, Any]]
) -> None:
    labels = [line.split("  ")[0] for line in table_lines(measured(task))]
    assert set(there) <= set(labels)
    assert not any(label.startswith(absent) for label in labels)
    assert note_lines(measured(task))


def test_a_classifiers_words_are_as_they_were() -> None:
    for label in ("latency p50", "step p50", "same decision", "first inference"):
        assert worded(label, "classify") == label
    assert worded("step parity error", "lm") == "step parity error"


@pytest.mark.parametrize("task", ["lm", "forecast"])
def test_an_emulated_processor_has_no_rate(task: str, golden_artifact: Golden, fast_limits: Limits) -> None:
    artifact = open_artifact(golden_artifact(task))
    began = {
        "started_utc": "now",
        "device": {"emulated": True, "emulated_because": "a test", "warnings": []},
        "guards": {},
        "affinity": {"1": None},
        "runners": {"tflite": ["python"]},
        "native": {"because": None, "runner_sha256": None, "library_sha256": None},
    }
    request = Request(str(artifact.path), ("tflite",), LATENCIES, limits=fast_limits)
    taken = Taken(request, [artifact.model("tflite")], began, {}, {}, about=about(artifact))
    result = taken.result()
    validate_result(result, complete=False)
    (model,) = result["models"]
    rates = [name for name in model if name.endswith("_per_second")]
    assert rates
    for name in rates:
        assert model[name] is None
        assert "emulated" in model["not_measured"][name]


def test_a_forecast_out_of_parity_speaks_of_no_decision(measured: Callable[[str], dict[str, Any]]) -> None:
    result = {**measured("forecast")}
    result["models"] = [{**result["models"][0], "parity_ok": False, "parity_error": 0.5}]
    assert "error 5.0e-01 of 1.0e-03 over 3 forecasts; do not use" in str(judge(result))
