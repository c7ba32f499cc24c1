"""Parity of exported files, where a rounding stands on the edge and where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgeseq.export.golden import check_parity, load_steps, step_references
from edgeseq.gates import judge_parity, widened_warning
from edgeseq_device.errors import GateError
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.runtimes import load
from edgeseq_export import bundle, write_model
from edgeseq_export.choice import choose
from edgeseq_export.forms import DYNAMIC, Compute
from edgeseq_export.layers import GRU, Cell, Linear, Pool
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

FEATURES, HIDDEN = 3, 8


@dataclass
class OtherRuntime:
    """A runtime of another arithmetic: what it answers is up to `run`."""

    run: Callable[[np.ndarray], np.ndarray]
    version: str = "other 1.0"
    features_count: int = FEATURES

    def run_batch(self, batch: list[np.ndarray]) -> np.ndarray:
        return np.stack([self.run(each) for each in batch])


def gru(input_gain: float) -> SeqSpec:
    """With a large gain every state is exactly 1 or -1, where the int8 zero point is a tie."""
    rng = np.random.default_rng(1)
    weight_ih, bias = np.zeros((3 * HIDDEN, FEATURES), np.float32), np.zeros(3 * HIDDEN, np.float32)
    weight_ih[2 * HIDDEN :] = input_gain * np.sign(rng.standard_normal((HIDDEN, FEATURES)))
    bias[HIDDEN : 2 * HIDDEN] = -30
    weight_hh = 0.1 * rng.standard_normal((3 * HIDDEN, HIDDEN), np.float32)
    head = Linear("head", rng.standard_normal((2, HIDDEN), np.float32), np.zeros(2, np.float32))
    cell = Cell(weight_ih, weight_hh, bias, np.zeros(3 * HIDDEN, np.float32))
    return SeqSpec(FEATURES, ("no", "yes"), (GRU("gru0", cell), Pool("pool", "last"), head))


def checked(
    spec: SeqSpec, answer: Callable[[SeqSpec, np.ndarray, dict], np.ndarray], compute: Compute = "int8"
):
    """The parity of a runtime that answers by `answer`(quantized spec, features, rounding)."""
    quantized = quantize_spec(spec)
    models = {
        "tflite": write_model(quantized, "tflite", "unit", choose(quantized, "tflite", compute=compute))
    }
    rng = np.random.default_rng(2)
    signs = np.sign(rng.standard_normal((16, 6, FEATURES)))
    features = tuple((signs * (1 + rng.random((16, 6, FEATURES)))).astype(np.float32))
    rounding = models["tflite"].rounding
    golden = GoldenVectors(
        features=features,
        logits=np.stack([run_reference(spec, each) for each in features]),
        references={"tflite": np.stack([run_reference(quantized, each, rounding) for each in features])},
        labels=np.zeros(16, np.int64),
        names=tuple(f"golden {n}" for n in range(16)),
    )
    runtime = OtherRuntime(lambda each: answer(quantized, each, rounding))
    return check_parity({"tflite": runtime}, golden, spec, quantized, models)


def test_each_step_form_is_held_to_what_its_own_rounding_gives(tmp_path: Path) -> None:
    trained = gru(0.3)
    spec = quantize_spec(trained)
    sequence = tuple(
        replace(form, product=DYNAMIC if form.kind == "Linear" else form.product)
        for form in choose(spec, "onnx").sequence
    )
    models = {
        "onnx": write_model(spec, "onnx", "unit", replace(choose(spec, "onnx"), sequence=sequence)),
        "tflite": write_model(spec, "tflite", "unit"),
    }
    for model in models.values():
        for name, content in bundle.model_files(model).items():
            (tmp_path / name).write_bytes(content)
    rng = np.random.default_rng(4)
    features = tuple(rng.standard_normal((length, FEATURES), np.float32) for length in (1, 2, 40))
    golden = GoldenVectors(
        features=features,
        logits=np.stack([run_reference(trained, each) for each in features]),
        references={
            n: np.stack([run_reference(spec, f, m.rounding) for f in features]) for n, m in models.items()
        },
        labels=np.zeros(3, np.int64),
        names=("one", "two", "forty"),
        own_step_references=step_references(spec, features, models),
    )
    assert "onnx" in golden.own_step_references
    loaded = {name: load(tmp_path / f"model.{name}", name) for name in models}
    checks = check_parity(loaded, golden, trained, spec, models, load_steps(tmp_path, models))
    assert {each.subject: each.tolerance for each in checks} == {
        "reference fp32": 1e-5,
        "onnx": 1e-3,
        "tflite": 1e-5,
        "onnx step": 1e-5,
        "tflite step": 1e-5,
    }
    assert all(each.passed for each in checks), checks
    golden.step_reference("onnx")[2] += 0.5
    (wrong,) = [
        each
        for each in check_parity(loaded, golden, trained, spec, models, load_steps(tmp_path, models))
        if not each.passed
    ]
    assert (wrong.subject, wrong.worst) == ("onnx step", "forty")


def test_a_rounding_on_the_edge_widens_the_tolerance_and_is_said() -> None:
    noise = np.random.default_rng(5)
    torch, tflite = checked(gru(30), lambda spec, x, rounding: run_reference(spec, x, rounding, noise))
    assert torch.passed
    assert tflite.max_error > 1e-3
    assert tflite.passed
    assert 1e-3 < tflite.tolerance <= 0.05
    assert "parity was judged at" in str(widened_warning(tflite))


def test_a_form_that_computes_in_fp32_is_held_to_fp32_although_its_weights_are_int8() -> None:
    noise = np.random.default_rng(5)
    checks = [
        checked(
            gru(0.3), lambda spec, x, rounding: run_reference(spec, x, rounding) + np.float32(3e-5), "fp32"
        ),
        checked(
            gru(30), lambda spec, x, _rounding: run_reference(spec, x, {}, noise) + np.float32(0.01), "fp32"
        ),
    ]
    for _torch, tflite in checks:
        assert tflite.tolerance == 1e-5
        assert not tflite.passed


def test_a_file_that_takes_a_batch_is_also_checked_with_all_inputs_in_one(tmp_path: Path) -> None:
    trained = gru(0.3)
    spec = quantize_spec(trained)
    model = write_model(spec, "onnx", "unit", choose(spec, "onnx", batch=True))
    (tmp_path / "model.onnx").write_bytes(model.content)
    rng = np.random.default_rng(4)
    features = tuple(rng.standard_normal((length, FEATURES), np.float32) for length in (9, 2, 40))
    golden = GoldenVectors(
        features=features,
        logits=np.stack([run_reference(trained, each) for each in features]),
        references={"onnx": np.stack([run_reference(spec, each, model.rounding) for each in features])},
        labels=np.zeros(3, np.int64),
        names=("nine", "two", "forty"),
    )
    loaded = load(tmp_path / "model.onnx", "onnx")
    _torch, alone, batch = check_parity({"onnx": loaded}, golden, trained, spec, {"onnx": model})
    assert (alone.subject, batch.subject) == ("onnx", "onnx batch")
    assert alone.passed
    assert batch.passed

    class Padding(OtherRuntime):
        """Takes the padding of the shorter ones for frames."""

        def run_batch(self, batch: list[np.ndarray]) -> np.ndarray:
            longest = max(map(len, batch))
            return np.stack([self.run(np.pad(each, ((0, longest - len(each)), (0, 0)))) for each in batch])

    _torch, alone, batch = check_parity({"onnx": Padding(loaded.run)}, golden, trained, spec, {"onnx": model})
    assert alone.passed
    assert not batch.passed


def test_an_error_larger_than_any_rounding_makes_fails_there_too() -> None:
    checks = checked(gru(30), lambda spec, x, rounding: run_reference(spec, x, rounding) + np.float32(1))
    with pytest.raises(GateError):
        judge_parity(checks, lambda _name, _rows: None)


def test_away_from_the_edge_the_tolerance_stays_and_the_exporter_is_at_fault() -> None:
    checks = checked(gru(0.3), lambda spec, x, rounding: run_reference(spec, x, rounding) + np.float32(0.005))
    assert checks[1].tolerance == 1e-3
    assert [widened_warning(check) for check in checks] == [None, None]
    with pytest.raises(GateError, match="a fault of the exporter"):
        judge_parity(checks, lambda _name, _rows: None)
