"""What a result says of the native runner: beside Python, and alone."""

from __future__ import annotations

from typing import Any

from edgeseq.report.bench_notes import bench_notes
from edgeseq.report.bench_table import bench_tables
from edgeseq_device.measuring.keys import KEYS

NO_NUMPY = "the native runner has no numpy"


def model(runner: str, **known: Any) -> dict[str, Any]:
    """An entry in which only `known` was measured."""
    names = [name.partition(".")[2] for name, key in KEYS.items() if key.measured]
    entry: dict[str, Any] = {
        "format": "tflite",
        "task": "classify",
        "runner": runner,
        "threads": 1,
        "runtime": "ai-edge-litert 2.3.0",
        "file": "model.tflite",
        "model_bytes": 31_200,
        "step_file": "model.tflite",
        "step_bytes": 31_200,
        "frames": 45,
        "failures": [],
        "warnings": [],
        "accuracy": {},
        **dict.fromkeys(names),
        **known,
    }
    entry["not_measured"] = {
        name: NO_NUMPY if runner == "native" and "numpy" in name else "no reason"
        for name in names
        if entry[name] is None
    }
    return entry


def result(*models: dict[str, Any]) -> dict[str, Any]:
    return {
        "artifact": {"name": "digits"},
        "board": "local",
        "board_description": "a machine",
        "threads": [1],
        "emulated": False,
        "warnings": [],
        "invalid_because": [],
        "models": list(models),
    }


PYTHON = {
    "step_latency_p50_ms": 0.01,
    "step_latency_p50_low_ms": 0.01,
    "step_latency_p50_high_ms": 0.01,
    "step_latency_n": 1000,
    "first_answer_ms": 400.0,
    "numpy_ms": 60.0,
    "ram_start_bytes": 12_000_000,
    "ram_numpy_bytes": 25_000_000,
    "ram_steady_bytes": 39_000_000,
    "ram_peak_bytes": 40_000_000,
    "logits": [[1.0, -2.0]],
}
NATIVE = {
    **PYTHON,
    "step_latency_p50_ms": 0.008,
    "first_answer_ms": 20.0,
    "numpy_ms": None,
    "ram_numpy_bytes": None,
    "ram_start_bytes": 1_200_000,
    "ram_steady_bytes": 8_000_000,
    "ram_peak_bytes": 9_000_000,
}


def rows_of(shown: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    ((_title, heads, rows),) = bench_tables(shown)
    return {"": heads[1:], **{row[0]: row[1:] for row in rows}}


def line(shown: dict[str, Any], beginning: str) -> str:
    return next(each for each in bench_notes(shown, 300) if each.startswith(beginning))


def test_the_native_runner_has_a_column_beside_python() -> None:
    rows = rows_of(result(model("python", **PYTHON), model("native", **NATIVE)))
    assert rows[""] == ("tflite", "tflite native")
    assert rows["step p50"] == ("0.01 ms", "0.008 ms")
    assert rows["RAM, start"] == ("12.0 MB", "1.2 MB")


def test_the_two_runners_stay_side_by_side_where_there_is_no_room_for_all() -> None:
    onnx = {**model("python", **PYTHON), "format": "onnx"}
    shown = result(onnx, model("python", **PYTHON), model("native", **NATIVE))
    assert [heads for _title, heads, _rows in bench_tables(shown, 80)] == [
        ("", "onnx"),
        ("", "tflite", "tflite native"),
    ]
    assert [heads[1:] for _title, heads, _rows in bench_tables(shown, 10)] == [
        ("onnx",),
        ("tflite",),
        ("tflite native",),
    ]


def test_a_numpy_that_is_not_there_is_no_gap() -> None:
    shown = result(model("python", **PYTHON), model("native", **NATIVE))
    rows = rows_of(shown)
    assert rows["numpy, input"] == ("60 ms", "no numpy")
    assert rows["RAM, + numpy, input"] == ("25.0 MB", "no numpy")
    assert not [each for each in bench_notes(shown, 300) if NO_NUMPY in each]
    alone = rows_of(result(model("native", **NATIVE)))
    assert not [each for each in alone if "numpy" in each]


def test_the_native_figures_are_told_as_shares_of_pythons() -> None:
    shown = result(model("python", **PYTHON), model("native", **NATIVE))
    assert line(shown, "tflite native") == (
        "tflite native against tflite: step p50 0.8x, all to first answer 0.05x, peak RAM 0.23x, "
        "the same answers to the bit"
    )
    shown["models"][1].update(logits=[[1.0, -2.5]], ram_peak_bytes=None, first_answer_ms=None)
    assert line(shown, "tflite native").endswith("step p50 0.8x, steady RAM 0.21x, answers 2.5e-01 apart")


def test_a_runner_that_is_alone_is_compared_with_nothing() -> None:
    two = {**model("python", **PYTHON), "threads": 2}
    for shown in (result(model("native", **NATIVE)), result(two, model("native", **NATIVE))):
        assert not [each for each in bench_notes(shown, 300) if "against" in each]


def test_notes_say_what_is_inside_a_process_and_who_calls() -> None:
    both = result(model("python", **PYTHON), model("native", **NATIVE))
    assert "Python and numpy included; the native runner has neither" in line(both, "RAM:")
    assert line(both, "step:").endswith("from Python, or from C by the native runner")
    alone = result(model("native", **NATIVE))
    assert "Python" not in line(alone, "RAM:")
    assert line(alone, "step:").endswith("from C")


def test_a_native_runner_that_nobody_chose_is_told_once() -> None:
    two = {**model("native", **NATIVE), "threads": 2}
    shown = result({**model("python", **PYTHON), "format": "onnx"}, model("native", **NATIVE), two)
    told = [each for each in bench_notes(shown, 300, runner_chosen=False) if "set up there" in each]
    assert told == [
        "tflite is measured by the native runner, which was set up there; --runner python measures Python's"
    ]
    assert not [each for each in bench_notes(shown, 300) if "set up there" in each]
    python = result(model("python", **PYTHON))
    assert bench_notes(python, 300, runner_chosen=False) == bench_notes(python, 300)
