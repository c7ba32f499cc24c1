"""What a native runner says of one measurement is read strictly."""

from __future__ import annotations

import pytest

from edgeseq_device.measuring.keys import measured_keys
from edgeseq_device.measuring.outcome import read_outcome


def test_an_outcome_has_the_form_of_a_worker_of_pythons(outcomes: dict[str, str]) -> None:
    found = {kind: read_outcome(text.encode(), kind) or {} for kind, text in outcomes.items()}
    ram, latency = found["ram"], found["latency"]
    assert ram["values"]["ram_peak_bytes"] == 1_000_005
    assert set(ram["values"]) | set(ram["not_measured"]) == set(measured_keys("ram"))
    assert ram["not_measured"]["ram_numpy_bytes"] == "the native runner has no numpy"
    assert (ram["runtime"], ram["runtime_settings"]) == ("ai-edge-litert 2.3.0", {"threads": 1})
    assert ram["frames"] == 11
    assert latency["phases"]["first_answer_ms"] == 4.5
    assert latency["not_measured"] == {"numpy_ms": "the native runner has no numpy"}
    assert latency["warmup"] == {"runs": 20, "seconds": 0.51, "settled": True}
    assert latency["samples_ns"] == [1200, 1300, 1250]
    assert found["step_latency"]["phases"] == {"load_ms": 0.75}
    assert found["parity"]["values"]["logits"] == [[0.5, 1, -2]]
    assert not any("error" in each for each in found.values())


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("ram", "edgeseq-outcome 1", "edgeseq-outcome 2", "begins with 'edgeseq-outcome 2'"),
        ("ram", "end\n", "", "it ended early"),
        ("ram", "end\n", "end", "it ended early"),
        ("ram", "end\n", "end\nmore\n", "it ended early"),
        ("ram", "frames 11", "frame 11", "line 4: unknown item 'frame'"),
        ("ram", "frames 11", "frames 1_1", "'1_1' is no whole number"),
        ("ram", "frames 11", "frames 11\nframes 12", "frames is there twice"),
        ("ram", "setting threads 1", "setting threads", "'threads' is there twice or has no value"),
        ("ram", "setting threads 1", "setting threads one", "Expecting value"),
        ("ram", "runtime ai-edge-litert 2.3.0\n", "", "it names no runtime"),
        ("ram", "runtime ai-edge-litert 2.3.0\n", "runtime \n", "a text is empty"),
        ("ram", "1000005", "NaN", "NaN is no JSON"),
        ("ram", "1000005", "null", "a value is null without a reason"),
        ("ram", "1000005", "-5", "ram_peak_bytes is -5, which it cannot be"),
        ("ram", "1000005", "true", "ram_peak_bytes is True, not a int"),
        ("ram", "1000005", "1000005\nvalue ram_peak_bytes 2", "'ram_peak_bytes' is there twice"),
        ("ram", "value ram_peak_bytes 1000005\n", "", "ram: ram_peak_bytes is missing"),
        ("ram", "end\n", "missing ram_peak_bytes why\nend\n", "ram_peak_bytes is measured and yet missing"),
        ("ram", "end\n", "value ram_bytes 1\nend\n", 'ram: unknown key "ram_bytes"'),
        ("ram", "end\n", "value x {DEEP}\nend\n", "the native runner's outcome"),
        ("ram", "end\n", "samples 1 5\nend\n", "ram with samples_ns"),
        ("latency", "samples 3 1200 1300 1250\n", "", "latency with phases, warmup"),
        ("latency", "samples 3", "samples 4", "3 samples, not 4"),
        ("latency", "samples 3 1200 1300 1250", "samples 0", "0 samples, not 0"),
        ("latency", "true", "yes", "'yes' is neither true nor false"),
        ("latency", "warmup 20 0.51 true", "warmup 20 true", "not enough values"),
        ("latency", "phase load_ms 2.5", 'phase load_ms "2.5"', "is no number"),
        ("latency", "phase load_ms 2.5\n", "", "latency: load_ms is missing"),
        ("parity", "value logits [[0.5, 1, -2]]\n", "", "parity: logits is missing"),
        ("step_parity", "value parity_ok true", "value parity_ok 1", "parity_ok is 1, not a bool"),
        ("instructions", "end\n", "value instructions 5\nend\n", "instructions: unknown key"),
    ],
)
def test_an_outcome_that_is_not_as_it_must_be_is_an_error(
    outcomes: dict[str, str], kind: str, old: str, new: str, said: str
) -> None:
    assert old in outcomes[kind]
    damaged = outcomes[kind].replace(old, new).replace("{DEEP}", "[" * 100_000)
    found = read_outcome(damaged.encode(), kind)
    assert found is not None
    assert found["error"].startswith("the native runner's outcome is not understood: ")
    assert said in found["error"]
    assert set(found) == {"error"}


def test_an_error_has_its_exit_code_and_nothing_else_counts() -> None:
    told = "edgeseq-outcome 1\nerror 6 /a/model.tflite: sha256 differs: 1, not 2\nend\n"
    expected = {"error": "/a/model.tflite: sha256 differs: 1, not 2", "exit_code": 6}
    assert read_outcome(told.encode(), "ram") == expected
    assert read_outcome(told.replace("end\n", "frames 3\nend\n").encode(), "ram") == expected


def test_an_outcome_that_is_no_text_is_an_error_and_none_at_all_is_none() -> None:
    assert "utf-8" in str(read_outcome(b"\xff\n", "ram"))
    assert read_outcome(b"", "ram") is None
