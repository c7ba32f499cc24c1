"""What a finished result is failed for, the gravest first."""

from __future__ import annotations

from typing import Any

from edgeseq_device.errors import BudgetError, DeviceError
from edgeseq_device.measuring.keys import RUNNERS
from edgeseq_device.measuring.verdict import FIGURES, judge


def result(**known: Any) -> dict[str, Any]:
    parity = {f"{form}parity_{name}": None for form in ("", "step_") for name in FIGURES}
    model = {
        "file": "model.onnx",
        "runner": "python",
        "step_file": None,
        "fits_ram": None,
        "ram_limit_bytes": None,
        **parity,
    }
    return {"emulated": False, "invalid_because": [], "models": [{**model, **known}]}


def test_a_model_that_does_not_fit_is_over_its_budget() -> None:
    fault = judge(result(fits_ram=False, ram_limit_bytes=64_000_000), "pi4")
    assert isinstance(fault, BudgetError)
    assert str(fault).startswith("pi4: model.onnx does not fit into 64 MB of RAM; take a smaller model")
    assert judge(result(fits_ram=True, ram_limit_bytes=64_000_000)) is None


def test_of_two_runners_it_is_told_whose_process_did_not_fit() -> None:
    python, native = ({"fits_ram": False, "ram_limit_bytes": 16_000_000, "runner": each} for each in RUNNERS)
    fitting = {**native, "fits_ram": True}
    for known, said in (
        ((python, fitting), "model.onnx by Python does not fit into 16 MB"),
        (({**python, "fits_ram": True}, native), "model.onnx by the native runner does not fit into 16 MB"),
    ):
        told = {**result(), "models": [each for one in known for each in result(**one)["models"]]}
        assert str(judge(told)).startswith(said)


def test_a_result_that_is_not_valid_is_told_before_what_it_says_of_ram() -> None:
    told = {**result(fits_ram=False, ram_limit_bytes=64_000_000), "invalid_because": ["throttled"]}
    assert isinstance(judge(told), DeviceError)
