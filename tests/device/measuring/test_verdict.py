"""What a finished result is failed for, the gravest first."""

from __future__ import annotations

from typing import Any

from edgeseq_device.errors import BudgetError, DeviceError
from edgeseq_device.measuring.keys import INTERRUPTED, NOT_ASKED, RUNNERS
from edgeseq_device.measuring.verdict import FIGURES, InterruptedBenchError, judge


def result(**known: Any) -> dict[str, Any]:
    parity = {f"{form}parity_{name}": None for form in ("", "step_") for name in FIGURES}
    model = {
        "file": "model.onnx",
        "runner": "python",
        "step_file": None,
        "fits_ram": None,
        "ram_limit_bytes": None,
        "threads": 1,
        "not_measured": {},
        **parity,
    }
    return {"emulated": False, "invalid_because": [], "threads": [1], "models": [{**model, **known}]}


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


def test_whether_it_fits_is_not_passed_over_in_silence_where_nobody_could_find_out() -> None:
    asked = result(not_measured={"fits_ram": "no control group; measure as root"})
    fault = judge(asked, "local")
    assert isinstance(fault, DeviceError)
    assert str(fault) == (
        "local: whether model.onnx fits into the RAM of --max-ram could not be measured: "
        "no control group; measure as root"
    )
    assert judge(result(not_measured={"fits_ram": NOT_ASKED})) is None
    with_two = (
        result(fits_ram=True)["models"]
        + result(threads=2, not_measured={"fits_ram": "taken with 1 thread only"})["models"]
    )
    assert judge({**result(), "threads": [1, 2], "models": with_two}) is None


def test_what_does_not_fit_is_told_before_what_could_not_be_asked() -> None:
    models = [
        *result(not_measured={"fits_ram": "no"})["models"],
        *result(fits_ram=False, ram_limit_bytes=1)["models"],
    ]
    assert isinstance(judge({**result(), "models": models}), BudgetError)


def test_an_interrupted_result_says_nothing_else() -> None:
    told = {**result(parity_ok=False), "invalid_because": [INTERRUPTED, "throttled"]}
    fault = judge(told, "pi4")
    assert isinstance(fault, InterruptedBenchError)
    assert (str(fault), fault.exit_code) == (f"pi4: {INTERRUPTED}", 130)
