"""`make bench` on its smallest subset: what it writes, not what it measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "bench" / "bench.py"
SMALLEST = ["--only=gru", "--hidden=8", "--frames=5", "--no-boards", "--rounds=2", "--launches=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run left."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, str(SCRIPT), str(folder), *SMALLEST]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # whether a bound is reached is the machine's business, so both verdicts are right here
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    """bench.json."""
    return dict(json.loads((folder / "bench.json").read_text("utf-8")))


def test_every_subject_is_timed_as_a_sequence_and_as_a_step(document: dict[str, Any]) -> None:
    names = {"edgeseq int8, LiteRT", "edgeseq int8, ORT", "edgeseq fp32, LiteRT", "edgeseq fp32, ORT"}
    names |= {"ORT fp32 of torch.onnx.export", "ORT quantize_dynamic of it"}
    names |= {"torch fp32", "torch quantize_dynamic"}
    for frames in (5, None):
        timed = {row["name"] for row in document["times"] if row["frames"] == frames}
        assert timed >= names


def test_ratios_are_to_the_operator_in_the_same_rounds(document: dict[str, Any]) -> None:
    for row in document["times"]:
        low, high = row["ratio_range"]
        assert low <= row["ratio"] <= high
        if row["role"] == "op":
            assert (low, row["ratio"], high) == (1, 1, 1)
        if row["role"] == "op bound":
            assert row["bound_ratio"] == 1


def test_the_operator_is_timed_through_a_binding_too_with_the_same_answer(document: dict[str, Any]) -> None:
    rows = [row for row in document["times"] if row["role"] in ("op", "op bound")]
    errors = {(row["frames"], row["role"]): row["error"] for row in rows}
    assert errors[5, "op bound"] == errors[5, "op"]
    assert errors[None, "op bound"] == errors[None, "op"]


def test_starting_a_runtime_up_is_told_apart_from_loading_a_model(document: dict[str, Any]) -> None:
    assert all(row["start_ms"] > 0 for row in document["footprints"])


def test_every_subject_answers_as_the_fp32_model_does(document: dict[str, Any]) -> None:
    for row in document["times"]:
        assert row["error"] < (1e-5 if "int8" not in (row["role"], row["compute"]) else 0.05), row["name"]


def test_int8_and_fp32_compute_are_told_apart(document: dict[str, Any]) -> None:
    computes = {row["form"]: row["compute"] for row in document["times"] if row["role"] == "int8"}
    assert computes
    for form, compute in computes.items():
        assert compute == ("int8" if form.endswith(("/hybrid", "/dynamic")) else "fp32")


def test_quantize_dynamic_is_found_to_leave_a_gru_as_it_is(document: dict[str, Any]) -> None:
    rows = [row for row in document["times"] if row["role"] == "op quantize_dynamic"]
    assert {row["compute"] for row in rows} == {"fp32"}


def test_files_are_weighed_in_processes_of_their_own(document: dict[str, Any]) -> None:
    assert {row["runtime"] for row in document["footprints"]} == {"onnx", "tflite"}
    assert all(row["load_ms"] > 0 and row["file_bytes"] > 0 for row in document["footprints"])


def test_the_result_says_what_it_was_made_on(document: dict[str, Any]) -> None:
    assert document["bench_version"] == 1
    assert document["options"]["hidden"] == [8]
    assert {"torch", "onnxruntime", "ai-edge-litert", "edgeseq"} <= document["versions"].keys()
    assert document["system"]


def test_bounds_are_data_with_a_verdict_and_a_reason(document: dict[str, Any]) -> None:
    (lowest,) = (each for each in document["bounds"] if each["what"] == "files with an int8 weight of -128")
    assert lowest["reached"]
    assert all(bool(each["reason"]) is not each["reached"] for each in document["bounds"])


def test_the_plot_is_written_in_both_formats(folder: Path) -> None:
    assert (folder / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "bench.svg").read_text("utf-8")


def test_the_printed_tables_name_every_group(folder: Path) -> None:
    printed = (folder / "printed.txt").read_text()
    for text in (
        "GRU, T=5: ratio",
        "GRU, step: ratio",
        "int8 compute",
        "fp32 compute, fp32 file",
        "bounds reached",
    ):
        assert text in printed
