"""The virtual boards answer as this host does: each family, sequences and steps, in both formats."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processors import saturates

import edgeseq_device
from edgeseq.devices.emulated import virtual
from edgeseq_device.runtimes import load, load_step
from edgeseq_export import ExportedModel, Plan, bundle, write_model
from edgeseq_export.choice import choose
from edgeseq_export.layers import GRU, LSTM, Attention, Cell, Linear, Norm, Pool, Residual
from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, parameters, quantize_spec

_MISSING = virtual.missing_packages()
pytestmark = [
    pytest.mark.virtual_board,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed here: {', '.join(_MISSING)}"),
]

FEATURES, LABELS = 10, ("a", "b", "c")
ANSWER = f"""
import json, sys
sys.path.insert(0, {str(Path(edgeseq_device.__file__).parents[1])!r})
import numpy as np
from types import SimpleNamespace
from edgeseq_device.runtimes import load, load_step
job = json.loads(sys.argv[1])
features = list(np.load(job["features"]).values())
answers = {{}}
for name, (path, step_path, model_format, states) in job["models"].items():
    states = [SimpleNamespace(**{{**each, "shape": tuple(each["shape"])}}) for each in states]
    model, step = load(path, model_format), load_step(step_path, model_format, states)
    answers[name] = [[model.run(each).tolist(), step.run(each).tolist()] for each in features]
print(json.dumps(answers))
"""
Draw = Callable[..., np.ndarray]


def moderate() -> Draw:
    rng = np.random.default_rng(4)
    return lambda *shape: (rng.uniform(-1.2, 1.2, shape) / np.sqrt(shape[-1])).astype(np.float32)


def extreme() -> Draw:
    """Every weight the largest of its row: 127 or -127 in int8, in runs of one sign."""
    rng = np.random.default_rng(5)

    def draw(*shape: int) -> np.ndarray:
        signs = np.repeat(rng.choice([-1, 1], shape[:-1]), shape[-1]).reshape(shape)
        return (signs * 0.4 / shape[-1]).astype(np.float32)

    return draw


def specs(draw: Draw) -> dict[str, SeqSpec]:
    """With 72 units, so that kernels have whole blocks and a rest."""
    width = 72

    def linear(name: str, rows: int, columns: int) -> Linear:
        return Linear(name, draw(rows, columns), draw(rows))

    def cell(gates: int) -> Cell:
        rows = gates * width
        return Cell(draw(rows, FEATURES), draw(rows, width), draw(rows), draw(rows))

    attention = Attention(
        *("attention0", 4, draw(3 * width, width), draw(3 * width), draw(width, width), draw(width)),
        rotary=False,
        window=16,
    )
    norm = Norm("norm0", np.ones(width, np.float32), np.zeros(width, np.float32))
    block = Residual("block0", (norm, attention))
    last, head = Pool("pool", "last"), linear("head", 3, width)
    return {
        "gru": SeqSpec(FEATURES, LABELS, (GRU("gru0", cell(3)), last, head)),
        "lstm": SeqSpec(FEATURES, LABELS, (LSTM("lstm0", cell(4)), last, head)),
        "transformer": SeqSpec(
            FEATURES, LABELS, (linear("embed", width, FEATURES), block, Pool("pool", "mean"), head)
        ),
    }


class Posed:
    """Models and inputs in a folder, and the answers of a Python to them."""

    def __init__(self, folder: Path, draw: Draw, sequences: list[np.ndarray]) -> None:
        self.specs = {name: quantize_spec(spec) for name, spec in specs(draw).items()}
        self.sequences = sequences
        self.models: dict[str, ExportedModel] = {}
        self.job: dict[str, Any] = {"features": str(folder / "features.npz"), "models": {}}
        np.savez(folder / "features.npz", *sequences)
        for name, spec in self.specs.items():
            for model_format in ("onnx", "tflite"):
                for compute in ("fp32", "int8"):
                    plan = choose(spec, model_format, "pi5", compute=compute)
                    self._add(folder / f"{name}-{model_format}-{compute}", spec, model_format, plan)

    def _add(self, folder: Path, spec: SeqSpec, model_format: Any, plan: Plan) -> None:
        model = write_model(spec, model_format, "unit", plan)
        assert model.step is not None
        folder.mkdir()
        for name, content in bundle.model_files(model).items():
            (folder / name).write_bytes(content)
        paths = [str(folder / bundle.model_file(model)), str(folder / bundle.step_file(model))]
        self.job["models"][folder.name] = [*paths, model_format, [asdict(each) for each in model.step.states]]
        self.models[folder.name] = model

    def here(self) -> dict[str, np.ndarray]:
        """Name -> [sequences, 2, C]: whole and stepped."""
        found = {}
        for name, (path, step_path, model_format, _states) in self.job["models"].items():
            step = self.models[name].step
            assert step is not None
            whole, stepped = load(path, model_format), load_step(step_path, model_format, step.states)
            found[name] = np.array([[whole.run(each), stepped.run(each)] for each in self.sequences])
        return found

    def on(self, board: str) -> dict[str, np.ndarray]:
        """The same on a virtual board."""
        link = virtual.prepare(board).link
        done = subprocess.run(
            [*link.python, "-c", ANSWER, json.dumps(self.job)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return {name: np.array(each) for name, each in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def posed(tmp_path_factory: pytest.TempPathFactory) -> Posed:
    rng = np.random.default_rng(6)
    sequences = [rng.standard_normal((T, FEATURES)).astype(np.float32) for T in (1, 9, 40)]
    return Posed(tmp_path_factory.mktemp("posed"), moderate(), sequences)


@pytest.fixture(scope="module")
def here(posed: Posed) -> dict[str, np.ndarray]:
    return posed.here()


@pytest.mark.parametrize("board", ["pi4", "pi5"])
def test_both_boards_answer_as_this_host(posed: Posed, here: dict[str, np.ndarray], board: str) -> None:
    """fp32 to the sixth digit; int8 but for a rounding that falls to the other side; every decision alike.

    An x86 without VNNI computes an int8 GRU's loop wrong itself, see docs/export.md.
    """
    found = posed.on(board)
    assert set(found) == set(here)
    if saturates():
        del found["gru-onnx-int8"]
    for name, answers in found.items():
        np.testing.assert_allclose(answers, here[name], atol=1e-3 if "int8" in name else 1e-5, err_msg=name)
        assert (answers.argmax(axis=2) == here[name].argmax(axis=2)).all(), name


def test_the_largest_weights_and_inputs_overflow_nothing_on_a_core_without_dotprod(tmp_path: Path) -> None:
    """The int8 kernels of the A72 add pairs of products in 16 bits: with a weight of -128 they would wrap."""
    ends = [np.full((5, FEATURES), sign, np.float32) for sign in (-3, 3)]
    mixed = np.where(np.arange(FEATURES) < FEATURES // 2, -3, 3) * np.ones((5, 1))
    posed = Posed(tmp_path, extreme(), [*ends, mixed.astype(np.float32)])
    matrices = [
        weight
        for spec in posed.specs.values()
        for weight in parameters(spec).values()
        if isinstance(weight, QuantizedTensor)
    ]
    assert all((np.abs(weight.values.astype(int)) == 127).all() for weight in matrices)
    for name, answers in posed.on("pi4").items():
        model, spec = posed.models[name], posed.specs[name.split("-")[0]]
        assert model.step is not None
        for features, (whole, stepped) in zip(posed.sequences, answers, strict=True):
            expected = run_reference(spec, features, model.rounding)
            np.testing.assert_allclose(whole, expected, atol=1e-4, err_msg=name)
            expected = run_reference(spec, features, model.step.rounding)
            np.testing.assert_allclose(stepped, expected, atol=1e-4, err_msg=name)
