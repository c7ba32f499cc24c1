from __future__ import annotations

from typing import Any

import pytest

from edgeseq.report.bench_figures import milliseconds, size
from edgeseq.report.bench_table import (
    NOTE_WIDTH,
    bench_columns,
    bench_notes,
    bench_rows,
    bench_title,
)
from edgeseq_device.measuring.keys import KEYS, measured_keys


def model(model_format: str, **known: Any) -> dict[str, Any]:
    """A model entry in which only `known` was measured; the rest is missing for the reason "no reason"."""
    names = [name.partition(".")[2] for name, key in KEYS.items() if key.measured]
    entry: dict[str, Any] = {
        "format": model_format,
        "threads": 1,
        "runtime": "onnxruntime 1.31.1",
        "file": f"model.{model_format}",
        "model_bytes": 31_200,
        "step_file": None,
        "step_bytes": None,
        "frames": 45,
        "failures": [],
        "warnings": [],
        "accuracy": {"validation": {"n": 270, "fp32": 0.9963, "exported": 0.9926}},
        **dict.fromkeys(names),
        **known,
    }
    entry["not_measured"] = dict.fromkeys((name for name in names if entry[name] is None), "no reason")
    return entry


def result(*models: dict[str, Any], **known: Any) -> dict[str, Any]:
    return {
        "artifact": {"name": "fsdd-gru-int8-generic"},
        "board": "local",
        "board_description": "a machine",
        "threads": [1],
        "emulated": False,
        "warnings": [],
        "invalid_because": [],
        "models": list(models),
        **known,
    }


def emulated(*models: dict[str, Any]) -> dict[str, Any]:
    board = "virtual Raspberry Pi 4, emulated by qemu-user"
    return result(*models, board="pi4", board_description=board, emulated=True)


def row(shown: dict[str, Any], label: str) -> tuple[str, ...]:
    return next(each for each in bench_rows(shown) if each[0] == label)


LATENCY = {
    "latency_p50_ms": 0.4123,
    "latency_p50_low_ms": 0.4101,
    "latency_p50_high_ms": 0.4149,
    "latency_p90_ms": 0.5,
    "latency_n": 3000,
    "latency_launches": 3,
}


def test_formats_stand_side_by_side() -> None:
    shown = result(model("onnx", **LATENCY), model("tflite"))
    assert bench_columns(shown) == ("", "onnx", "tflite")
    assert row(shown, "latency p50") == ("latency p50", "0.412 ms [0.41, 0.415]", "not measured")
    assert row(shown, "model file")[1] == "31.2 KB"


def test_a_launch_is_shown_by_its_phases_and_their_sum() -> None:
    phases = {"start_ms": 20.0, "numpy_ms": 60.0, "import_ms": 90.0, "first_answer_ms": 175.0}
    shown = result(model("onnx", **LATENCY, **phases))
    assert row(shown, "numpy, input")[1] == "60 ms"
    assert row(shown, "all to first answer")[1] == "175 ms"


STEP = {
    "step_file": "model.step.onnx",
    "step_bytes": 25_000,
    "step_latency_p50_ms": 0.0061,
    "step_latency_p50_low_ms": 0.006,
    "step_latency_p50_high_ms": 0.0062,
    "step_latency_p99_ms": 0.0093,
    "step_instructions": 22_936,
    "step_parity_ok": True,
    "step_parity_error": 1e-7,
    "step_parity_tolerance": 1e-3,
}


def test_steps_have_rows_where_some_model_has_a_step_form() -> None:
    shown = result(model("onnx", **STEP), model("tflite"))
    assert row(shown, "step file")[1:] == ("25.0 KB", "none")
    assert row(shown, "step p50")[1:] == ("0.0061 ms [0.006, 0.0062]", "not measured")
    assert row(shown, "step p99")[1] == "0.0093 ms"
    assert row(shown, "step instructions")[1] == "23 k"
    assert row(shown, "step parity")[1] == "ok, 1.0e-07 (1e-03)"
    assert any(note.startswith("step: one frame") for note in bench_notes(shown))
    shown["models"][1]["not_measured"]["step_latency_p50_ms"] = "no step form: gru0 reads frames to come"
    assert any("(tflite): step p50: no step form: gru0 reads" in note for note in bench_notes(shown))


def test_a_step_form_in_the_same_file_says_so() -> None:
    tflite = model("tflite", **{**STEP, "step_file": "model.tflite"})
    assert "step file" not in [each[0] for each in bench_rows(result(tflite))]
    assert row(result(model("onnx", **STEP), tflite), "step file")[2] == "in the same file"


def test_without_any_step_form_nothing_is_said_of_steps() -> None:
    shown = result(model("onnx"), model("tflite"))
    assert not [each[0] for each in bench_rows(shown) if "step" in each[0]]
    assert not [note for note in bench_notes(shown) if "step" in note]


def test_the_headline_is_never_the_minimum() -> None:
    assert not any("min" in each[0] for each in bench_rows(result(model("onnx", **LATENCY))))


def test_accuracy_names_split_and_n() -> None:
    assert row(result(model("onnx")), "accuracy validation, n 270")[1] == "99.26 % (fp32 99.63)"


def test_every_line_of_an_emulated_result_says_so() -> None:
    shown = emulated(model("onnx", instructions=135_432, instructions_n=11, instructions_spread_percent=0.1))
    shown["warnings"] = ["a long warning " * 20]
    assert "emulated" in bench_title(shown)
    assert all("pi4 emulated" in each[-1] for each in bench_rows(shown))
    assert all(note.startswith("pi4 emulated: ") for note in bench_notes(shown))
    assert row(shown, "latency p50")[1] == "not measured"
    assert row(shown, "instructions")[1] == "135 k"


def test_a_gap_is_explained_once_for_each_reason() -> None:
    first, second = model("onnx", **LATENCY), model("tflite")
    second["not_measured"]["parity_error"] = "the worker was killed by SIGSEGV"
    text = " ".join(bench_notes(result(first, second)))
    assert text.count("no reason") == 1
    assert "not measured (tflite): parity: the worker was killed by SIGSEGV" in text


def test_doubts_are_printed() -> None:
    shown = result(model("onnx"), warnings=["busy"], invalid_because=["throttled"])
    shown["models"][0]["warnings"] = ["did not settle"]
    notes = bench_notes(shown)
    assert "warning: busy" in notes
    assert "warning: onnx: did not settle" in notes
    assert "INVALID: throttled" in notes


def test_failed_parity_stands_out() -> None:
    failed = model("onnx", parity_ok=False, parity_error=0.5, parity_tolerance=1e-3)
    assert row(result(failed), "parity")[1] == "FAILED, 5.0e-01 (1e-03)"


def test_a_table_of_two_formats_fits_into_100_columns() -> None:
    known: dict[str, Any] = dict.fromkeys(measured_keys("ram"), 123_456_789)
    known |= {"parity_ok": False, "parity_error": 2.5e-2, "parity_tolerance": 1e-3}
    known |= {"parity_n": 16, "parity_decisions_changed": 0, "host_error": 1e-7}
    known |= {"instructions": 123_456_789, "instructions_n": 11, "instructions_spread_percent": 0.02}
    known |= {name: value for name, value in STEP.items() if "latency" not in name}
    real = {**known, **LATENCY, **STEP, "latency_p99_ms": 123.0, "latency_spread_percent": 12.0}
    for shown in (
        emulated(model("onnx", **known), model("tflite", **known)),
        result(model("onnx", **real), model("tflite", **real)),
    ):
        table = [bench_columns(shown), *bench_rows(shown)]
        widths = [max(len(each[column]) for each in table) for column in range(len(table[0]))]
        assert len(bench_title(shown)) <= 100
        assert sum(widths) + 3 * len(widths) + 1 <= 100
        assert all(len(note) <= NOTE_WIDTH for note in bench_notes(shown))


@pytest.mark.parametrize(
    ("count", "text"), [(999, "1.0 KB"), (31_234, "31.2 KB"), (999_999, "1000.0 KB"), (4_100_000, "4.10 MB")]
)
def test_sizes_are_decimal(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("value", "text"), [(0.0217, "0.0217"), (1.5, "1.5"), (1234.5, "1234")])
def test_milliseconds_have_three_digits(value: float, text: str) -> None:
    assert milliseconds(value) == text
