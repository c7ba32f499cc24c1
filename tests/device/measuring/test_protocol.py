from __future__ import annotations

import json
from typing import Any

import pytest

from edgeseq_device.errors import DataError
from edgeseq_device.measuring.keys import KEYS, LATENCIES, MODEL, RATES, TIMED, measured_keys
from edgeseq_device.measuring.protocol import validate_result
from edgeseq_device.tasks import TASKS

WINDOW = {"s": 1.0, "p50_ms": 0.5, "temperature_c": None, "frequency_hz": None}


def emulated(result: dict[str, Any]) -> dict[str, Any]:
    """The same result as an emulated processor may have it."""
    result["emulated"] = result["device"]["emulated"] = True
    result["emulated_because"] = "a test"
    for model in result["models"]:
        for name in (name for kind in TIMED for name in measured_keys(kind, task=model["task"])):
            model[name], model["not_measured"][name] = None, "emulated"
    return result


def of_task(result: dict[str, Any], task: str) -> dict[str, Any]:
    """The same result as that of models for another task, none of whose own figures was taken."""
    keys = {name[len(MODEL) :]: key for name, key in KEYS.items() if name.startswith(MODEL)}
    for model in result["models"]:
        model["task"] = task
        for name, key in keys.items():
            if task not in key.tasks:
                model.pop(name, None)
                model["not_measured"].pop(name, None)
            elif name not in model and key.added_by == "agent":
                model[name] = None if key.measured or key.nullable else 7
                model["not_measured"].update({name: "a test"} if key.measured else {})
    return result


@pytest.mark.parametrize("task", TASKS)
def test_a_result_has_the_keys_of_its_task_alone(result: dict[str, Any], task: str) -> None:
    validate_result(of_task(result, task), complete=False)
    others = [name[len(MODEL) :] for name, key in KEYS.items() if task not in key.tasks]
    assert others
    for name in others:
        result["models"][0][name] = 1
        with pytest.raises(DataError, match=f'unknown key "{name}"'):
            validate_result(result, complete=False)
        del result["models"][0][name]


@pytest.mark.parametrize("task", ["rank", None, ["lm"]])
def test_another_task_is_refused(result: dict[str, Any], task: object) -> None:
    result["models"][0]["task"] = task
    with pytest.raises(DataError, match="onnx: task"):
        validate_result(result, complete=False)


@pytest.mark.parametrize("name", RATES)
def test_a_rate_is_that_of_its_latency(result: dict[str, Any], name: str) -> None:
    model = of_task(result, KEYS[f"{MODEL}{name}"].tasks[0])["models"][0]
    frames = model["frames"] if name == "prefill_tokens_per_second" else 1
    model[name] = 1000 / model[RATES[name]] * frames
    del model["not_measured"][name]
    validate_result(result, complete=False)
    model[name] *= 1.01
    with pytest.raises(DataError, match=f"{name} is .* by {RATES[name]} it is"):
        validate_result(result, complete=False)


def test_a_result_of_the_agent_holds_and_survives_json(result: dict[str, Any]) -> None:
    validate_result(json.loads(json.dumps(result, allow_nan=False)), complete=False)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 6, "5", None, True])
def test_an_unknown_schema_version_is_refused(result: dict[str, Any], version: object) -> None:
    result["schema_version"] = version
    with pytest.raises(DataError, match=r"schema version .* is not known"):
        validate_result(result, complete=False)


@pytest.mark.parametrize("other", [None, [], {}, {"schema": "pyperf"}])
def test_something_else_is_no_result(other: object) -> None:
    with pytest.raises(DataError, match="not a result of `edgeseq bench`"):
        validate_result(other, complete=False)


def test_an_unknown_key_is_refused_with_the_nearest_known_one(result: dict[str, Any]) -> None:
    result["models"][0]["latency_p50_sm"] = 1.0
    with pytest.raises(DataError, match='onnx: unknown key "latency_p50_sm"; did you mean "latency_p50_ms"'):
        validate_result(result, complete=False)


def test_each_key_must_be_there(result: dict[str, Any]) -> None:
    for name in [*result["models"][0]]:
        value = result["models"][0].pop(name)
        with pytest.raises(DataError, match=f"{name} is missing"):
            validate_result(result, complete=False)
        result["models"][0][name] = value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latency_p50_ms", -1.0),
        ("latency_p50_ms", "fast"),
        ("latency_p50_ms", float("nan")),
        ("latency_n", 1.5),
        ("latency_n", True),
        ("ram_peak_bytes", 0),
        ("ram_peak_bytes", 1e6),
        ("parity_ok", 1),
        ("sha256", "abc"),
        ("failures", [""]),
        ("format", None),
        ("sustained_windows", [[1.0, 0.5, None, None]]),
        ("sustained_windows", [{**WINDOW, "c": 40.0}]),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(result: dict[str, Any], name: str, value: object) -> None:
    result["models"][1][name] = value
    with pytest.raises(DataError, match=f"tflite: {name} " if name != "format" else "format"):
        validate_result(result, complete=False)


@pytest.mark.parametrize("name", [name.partition(".")[2] for name, key in KEYS.items() if key.kind in TIMED])
def test_no_figure_of_time_can_be_written_down_for_an_emulated_processor(
    result: dict[str, Any], name: str
) -> None:
    of_task(result, KEYS[f"{MODEL}{name}"].tasks[0])
    original = result["models"][0][name]
    emulated(result)
    validate_result(result, complete=False)
    result["models"][0][name] = original if original is not None else 1.0
    if KEYS[f"models.{name}"].types in ((int,), (list,)) and original is None:
        result["models"][0][name] = 1 if KEYS[f"models.{name}"].types == (int,) else [1]
    if name == "sustained_windows":
        result["models"][0][name] = [WINDOW]
    result["models"][0]["not_measured"].pop(name)
    with pytest.raises(DataError, match=f"{name} was taken on an emulated processor"):
        validate_result(result, complete=False)


def test_every_key_in_units_of_time_is_one_of_latency() -> None:
    timed = {name for name, key in KEYS.items() if key.unit in ("ms", "s", "us", "ns")}
    assert timed
    assert timed <= {f"models.{name}" for kind in TIMED for name in measured_keys(kind)}


def test_an_emulated_device_cannot_be_passed_off_as_a_real_one(result: dict[str, Any]) -> None:
    result["device"]["emulated"] = True
    with pytest.raises(DataError, match="contradicts what the device says of itself"):
        validate_result(result, complete=False)


def test_a_figure_is_either_there_or_explained(result: dict[str, Any]) -> None:
    model = result["models"][0]
    model["ram_peak_bytes"] = None
    with pytest.raises(DataError, match="ram_peak_bytes is null without a reason"):
        validate_result(result, complete=False)
    model["not_measured"]["ram_peak_bytes"] = "no such figure"
    validate_result(result, complete=False)
    model["ram_peak_bytes"] = 1
    with pytest.raises(DataError, match="ram_peak_bytes is measured and yet in not_measured"):
        validate_result(result, complete=False)


@pytest.mark.parametrize("kind", LATENCIES)
def test_p99_from_too_few_samples_is_refused(result: dict[str, Any], kind: str) -> None:
    model = result["models"][0]
    model[f"{kind}_n"], model[f"{kind}_p99_ms"] = 499, model[f"{kind}_p90_ms"] + 1
    model["not_measured"].pop(f"{kind}_p99_ms", None)
    with pytest.raises(DataError, match=rf"onnx: {kind}_p99_ms from 499 samples, fewer than 500"):
        validate_result(result, complete=False)


@pytest.mark.parametrize("kind", LATENCIES)
def test_percentiles_out_of_order_are_refused(result: dict[str, Any], kind: str) -> None:
    result["models"][0][f"{kind}_p50_ms"] = 1e9
    with pytest.raises(DataError, match=f"onnx: {kind} percentiles are out of order"):
        validate_result(result, complete=False)


def test_a_missing_percentile_is_no_disorder(result: dict[str, Any]) -> None:
    model = result["models"][0]
    model["latency_p90_ms"], model["not_measured"]["latency_p90_ms"] = None, "a test"
    validate_result(result, complete=False)


def test_a_valid_result_has_no_broken_guard(result: dict[str, Any]) -> None:
    result["invalid_because"] = ["throttled"]
    result["valid"] = True
    with pytest.raises(DataError, match="`valid` contradicts"):
        validate_result(result, complete=False)


def test_a_complete_result_needs_what_the_host_adds(result: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="board is missing"):
        validate_result(result, complete=True)
