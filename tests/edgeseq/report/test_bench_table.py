from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from edgeseq.report.bench_figures import milliseconds, size
from edgeseq.report.bench_notes import bench_notes
from edgeseq.report.bench_table import NOT_ASKED, Row, bench_tables, bench_title, profile_tables
from edgeseq.report.table import table
from edgeseq_device.measuring.keys import KEYS, measured_keys
from edgeseq_device.measuring.profile import REST


def model(model_format: str, **known: Any) -> dict[str, Any]:
    """A model entry in which only `known` was measured; the rest is missing for the reason "no reason"."""
    names = [name.partition(".")[2] for name, key in KEYS.items() if key.measured]
    entry: dict[str, Any] = {
        "format": model_format,
        "task": "classify",
        "threads": 1,
        "runner": "python",
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


def rows_of(shown: dict[str, Any], width: int = 100) -> list[Row]:
    ((_title, _heads, rows),) = bench_tables(shown, width)
    return rows


def printed(tables: list[tuple[str, Row, list[Row]]], width: int) -> list[str]:
    stream = io.StringIO()
    for title, heads, rows in tables:
        Console(file=stream, width=width).print(table(title, heads, rows))
    return stream.getvalue().splitlines()


def row(shown: dict[str, Any], label: str) -> Row:
    return next(each for each in rows_of(shown) if each[0] == label)


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
    assert bench_tables(shown)[0][1] == ("", "onnx", "tflite")
    assert row(shown, "latency p50") == ("latency p50", "0.412 ms", "not measured")
    assert row(shown, "p50 interval")[1] == "0.41 to 0.415 ms"
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
    assert row(shown, "step p50")[1:] == ("0.0061 ms", "not measured")
    assert row(shown, "step p50 interval")[1] == "0.006 to 0.0062 ms"
    assert row(shown, "step p99")[1] == "0.0093 ms"
    assert row(shown, "step instructions")[1] == "23 k"
    assert row(shown, "step parity")[1] == "ok, 1.0e-07 (1e-03)"
    assert any(note.startswith("step: one frame") for note in bench_notes(shown))
    shown["models"][1]["not_measured"]["step_latency_p50_ms"] = "no step form: gru0 reads frames to come"
    assert any("(tflite): step p50: no step form: gru0 reads" in note for note in bench_notes(shown))


def test_a_step_form_in_the_same_file_says_so() -> None:
    tflite = model("tflite", **{**STEP, "step_file": "model.tflite"})
    assert "step file" not in [each[0] for each in rows_of(result(tflite))]
    assert row(result(model("onnx", **STEP), tflite), "step file")[2] == "in the same file"


def test_without_any_step_form_nothing_is_said_of_steps() -> None:
    shown = result(model("onnx"), model("tflite"))
    for each in shown["models"]:
        each["not_measured"] |= dict.fromkeys(measured_keys("realtime"), NOT_ASKED)
    assert not [each[0] for each in rows_of(shown) if "step" in each[0]]
    assert not [note for note in bench_notes(shown) if "step" in note]


def test_the_headline_is_never_the_minimum() -> None:
    assert not any("min" in each[0] for each in rows_of(result(model("onnx", **LATENCY))))


def test_accuracy_names_split_and_n() -> None:
    shown = result(model("onnx"))
    assert row(shown, "accuracy validation")[1] == "99.26 %, fp32 99.63"
    shown["models"][0]["accuracy"]["validation"] |= {"fp32": 1.0, "exported": 1.0}
    assert row(shown, "accuracy validation")[1] == "100 %, fp32 100"
    assert "; validation n 270" in " ".join(bench_notes(shown))


def test_every_line_of_an_emulated_result_says_so() -> None:
    shown = emulated(model("onnx", instructions=135_432, instructions_n=11, instructions_spread_percent=0.1))
    shown["warnings"] = ["a long warning " * 20]
    assert "emulated" in bench_title(shown)
    assert all("pi4 emulated" in each[-1] for each in rows_of(shown))
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


COMPLETE: dict[str, Any] = {
    **dict.fromkeys(measured_keys("ram"), 123_456_789),
    "parity_ok": True,
    "parity_error": 2.5e-2,
    "parity_tolerance": 1e-3,
    "parity_n": 16,
    "parity_decisions_changed": 0,
    "host_error": 1e-7,
    "fits_ram": False,
    "ram_limit_bytes": 64_000_000,
    "ram_limit_peak_bytes": 65_100_000,
    "device_accuracy": 0.9967,
    "device_accuracy_n": 1300,
    "device_accuracy_split": "test",
}
EMULATED: dict[str, Any] = {
    **COMPLETE,
    **{name: value for name, value in STEP.items() if "latency" not in name},
    "instructions": 123_456_789,
    "instructions_n": 11,
    "instructions_spread_percent": 0.02,
}
SUSTAINED = {
    "sustained_first_p50_ms": 0.01234,
    "sustained_last_p50_ms": 0.01345,
    "sustained_slowdown_percent": 9.0,
    "sustained_s": 300.0,
    "sustained_n": 99,
}
REAL = {**COMPLETE, **LATENCY, **STEP, **SUSTAINED, "latency_p99_ms": 123.0, "latency_spread_percent": 12.0}


@pytest.mark.parametrize("width", [80, 100])
def test_tables_of_two_formats_fit_into_a_terminal_without_a_broken_line(width: int) -> None:
    for shown in (
        emulated(*(model(each, **EMULATED) for each in ("onnx", "tflite"))),
        result(*(model(each, **REAL) for each in ("onnx", "tflite"))),
    ):
        assert len(bench_title(shown)) <= width
        (only,) = bench_tables(shown, width)
        lines = printed([only], width)
        assert len(lines) == len(only[2]) + 5  # title, heads, three lines
        assert max(map(len, lines)) <= width
        assert all(len(note) <= width for note in bench_notes(shown, width))


def test_in_a_narrow_terminal_the_mark_of_an_emulated_row_is_short_and_there() -> None:
    shown = emulated(model("onnx", **EMULATED), model("tflite", **EMULATED))
    assert {each[-1] for each in rows_of(shown, 100)} == {"pi4 emulated"}
    assert {each[-1] for each in rows_of(shown, 80)} == {"emulated"}


def test_numbers_of_threads_that_do_not_fit_side_by_side_are_tables_by_format() -> None:
    models = [model(each, **{**REAL, "threads": count}) for each in ("onnx", "tflite") for count in (1, 2)]
    shown = result(*models, threads=[1, 2])
    tables = bench_tables(shown, 100)
    assert [heads for _title, heads, _rows in tables] == [
        ("", "onnx", "onnx, 2 threads"),
        ("", "tflite", "tflite, 2 threads"),
    ]
    assert max(map(len, printed(tables, 100))) <= 100


def test_names_with_commas_are_told_apart() -> None:
    models = [model("tflite", threads=count) for count in (1, 2, 4)]
    for each in models[1:]:
        each["not_measured"] |= {"ram_peak_bytes": "killed", "ram_pss_bytes": "killed"}
    notes = " ".join(bench_notes(result(*models, threads=[1, 2, 4])))
    assert (
        "not measured (tflite, 2 threads; tflite, 4 threads): RAM, peak; RAM, proportional: killed" in notes
    )


def test_one_launch_is_not_launches() -> None:
    assert row(result(model("onnx", **{**LATENCY, "latency_launches": 1})), "latency samples")[1] == (
        "3000 in 1 launch"
    )


def test_a_limit_that_is_too_tight_stands_out_and_its_peak_above_it_is_explained() -> None:
    shown = result(model("onnx", **COMPLETE))
    assert row(shown, "RAM limit")[1] == "DOES NOT FIT 64 MB"
    assert row(shown, "RAM limit, peak")[1] == "65.1 MB"
    assert "Its peak may lie above the limit" in " ".join(bench_notes(shown))


@pytest.mark.parametrize(
    ("key", "kind", "label"),
    [
        ("profile", "profile", "operators"),
        ("realtime_p50_ms", "realtime", "paced step p50"),
        ("sustained_first_p50_ms", "sustained", "sustained p50"),
    ],
)
def test_a_wish_that_gave_nothing_has_one_line_and_others_have_none(key: str, kind: str, label: str) -> None:
    shown = result(model("onnx"))
    reasons = shown["models"][0]["not_measured"]
    reasons |= {
        name: NOT_ASKED for each in ("profile", "realtime", "sustained") for name in measured_keys(each)
    }
    assert label not in " ".join(bench_notes(shown))
    reasons |= dict.fromkeys(measured_keys(kind), "emulated: no time")
    assert key in reasons
    assert f"not measured: {label}: emulated: no time" in bench_notes(shown)


def profiled(*rows: tuple[str, int | None, float | None]) -> dict[str, Any]:
    names = ("op", "calls", "us", "percent")
    told = [dict(zip(names, (*each, each[2]), strict=True)) for each in rows]
    return result(model("tflite", **LATENCY, profile=told, profile_n=75))


def test_a_profile_that_slows_the_runtime_down_says_by_how_much() -> None:
    slow = profiled(("SLICE", 2, 1500.0), ("ADD", 2, 520.2), ("TANH", 9, None))
    notes = bench_notes(slow)
    assert (
        "operators of tflite: a profiled inference takes 4.9 times the plain one; use the shares only"
        in notes
    )
    assert any(each.startswith("operators: - is too short") for each in notes)
    even = " ".join(bench_notes(profiled(("GRU", 1, 300.0), (REST, None, 900.0))))
    assert "shares" not in even
    assert profile_tables(slow)[0][2][2] == ("TANH", "9", "-", "-")


def test_sustained_and_paced_figures_say_what_they_compare() -> None:
    paced = {"realtime_n": 1000, "realtime_factor": 0.2, "realtime_misses": 0}
    sustained = {"sustained_n": 9, "sustained_s": 100.0, "sustained_first_p50_ms": 1.0}
    known = {**paced, **sustained, "sustained_last_p50_ms": 1.0, "sustained_slowdown_percent": 0.0}
    notes = " ".join(bench_notes(result(model("onnx", **known))))
    assert row(result(model("onnx", **SUSTAINED)), "sustained slowdown")[1] == "+9.0 %"
    assert "p50 of the first 20 s -> of the last 20 s, of 100 s" in notes
    assert "caches are cold" in notes
    assert "above 1 the board falls behind" in notes


def test_options_and_other_words_with_hyphens_are_not_broken() -> None:
    shown = result(model("onnx"), warnings=["a reason of words " * 5 + "--no-step"])
    assert any(note.endswith("--no-step") for note in bench_notes(shown, 97))


def test_a_broken_connection_is_told_once() -> None:
    lost = "pi9: the connection broke; check its power"
    shown = result(model("onnx"), invalid_because=[f"onnx: ram: {lost}"])
    shown["models"][0]["not_measured"]["ram_peak_bytes"] = lost
    assert " ".join(bench_notes(shown)).count("the connection broke") == 1


@pytest.mark.parametrize(
    ("count", "text"), [(999, "1.0 KB"), (31_234, "31.2 KB"), (999_999, "1000.0 KB"), (4_100_000, "4.10 MB")]
)
def test_sizes_are_decimal(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("value", "text"), [(0.0217, "0.0217"), (1.5, "1.5"), (1234.5, "1234")])
def test_milliseconds_have_three_digits(value: float, text: str) -> None:
    assert milliseconds(value) == text


PREFILL = {**LATENCY, "instructions": 6_400_000, "prefill_tokens_per_second": 64_000 / 0.4123, "frames": 64}
LANGUAGE_MODEL: dict[str, Any] = {
    **STEP,
    **PREFILL,
    "task": "lm",
    "tokens_per_second": 1000 / 0.0061,
    "states_bytes": 1_050_000,
    "window": 256,
    "accuracy": {"validation": {"n": 65_536, "fp32": 1.5012, "exported": 1.50345}},
}


def test_a_language_model_has_prefill_and_tokens_apart() -> None:
    shown = result(model("tflite", **LANGUAGE_MODEL))
    assert row(shown, "prefill p50")[1] == "0.412 ms"
    assert row(shown, "prefill p50 interval")[1] == "0.41 to 0.415 ms"
    assert row(shown, "prefill tokens/s")[1] == "155,227 (0.00644 ms each)"
    assert row(shown, "token p50")[1] == "0.0061 ms"
    assert row(shown, "tokens/s")[1] == "163,934"
    assert row(shown, "prefill instructions")[1] == "6,400 k (100 k a token)"
    assert row(shown, "token instructions")[1] == "23 k"
    assert row(shown, "state, RAM")[1] == "1.05 MB"
    assert row(shown, "window")[1] == "256 tokens"
    assert row(shown, "nats per token validation")[1] == "1.5034, fp32 1.5012"
    labels = " ".join(each[0] for each in rows_of(shown))
    assert not re.search("latency|inference|forecast", labels)
    notes = " ".join(bench_notes(shown))
    assert "prefill: one run of the sequence form over 64 tokens" in notes
    assert "token: one step of the step form" in notes


def test_a_recurrent_language_model_has_no_window() -> None:
    shown = result(model("tflite", **{**LANGUAGE_MODEL, "states_bytes": 2048, "window": None}))
    assert row(shown, "state, RAM")[1] == "2.0 KB"
    assert "window" not in [each[0] for each in rows_of(shown)]


def test_tokens_per_second_of_an_emulated_processor_are_not_measured() -> None:
    timed = [name for kind in ("latency", "step_latency") for name in measured_keys(kind, task="lm")]
    shown = emulated(model("tflite", **{**LANGUAGE_MODEL, **dict.fromkeys(timed)}))
    for label in ("prefill p50", "prefill tokens/s", "token p50", "tokens/s"):
        assert row(shown, label)[1] == "not measured"
    assert row(shown, "token instructions")[1] == "23 k"


def test_a_forecaster_has_its_reach_and_no_decisions() -> None:
    known = {**LATENCY, "task": "forecast", "context": 336, "horizon": 96, "forecasts_per_second": 2425.4}
    known["accuracy"] = {"test": {"n": 2785, "fp32": 0.37, "exported": 0.3706}}
    entry = model("tflite", **known)
    shown = result(entry)
    assert row(shown, "context")[1] == "336 moments"
    assert row(shown, "horizon")[1] == "96 moments"
    assert row(shown, "forecast p50")[1] == "0.412 ms"
    assert row(shown, "forecasts/s")[1] == "2,425"
    assert row(shown, "MSE test")[1] == "0.3706, fp32 0.3700"
    labels = " ".join(each[0] for each in rows_of(shown))
    assert not re.search("latency|inference|decision|token|^step", labels)
    assert any("one forecast of 96 moments from 336" in note for note in bench_notes(shown))
