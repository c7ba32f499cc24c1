"""What `--target armv7` may choose, on tflite-runtime 2.14.0 itself: every plan is right, also as a step."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_export import ExportedModel, write_model
from edgeseq_export.choice import choose, plans
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import (
    GRU,
    LSTM,
    Attention,
    Cell,
    Linear,
    Norm,
    Pool,
    Residual,
    SeqSpec,
    quantize_spec,
)

ROOT = Path(__file__).parents[2]
FEATURES, LABELS = 12, ("a", "b", "c")
SIZES = (7, 33, 64)
FRAMES = (1, 10, 37, 60)
ANSWER = """
import json, sys
import numpy as np
from types import SimpleNamespace
from edgeseq_device.errors import EdgeseqError
from edgeseq_device.runtimes import load, load_step
job = json.loads(sys.argv[1])
features = [each for each in np.load(job["features"]).values()]
answers = {}
for path, states in job["models"].items():
    states = [SimpleNamespace(**{**each, "shape": tuple(each["shape"])}) for each in states]
    try:
        model, step = load(path, "tflite"), load_step(path, "tflite", states)
        answers[path] = [[model.run(each).tolist(), step.run(each).tolist()] for each in features]
    except EdgeseqError as error:
        answers[path] = str(error)
print(json.dumps(answers))
"""


def drawing(seed: int) -> Callable[..., np.ndarray]:
    """Weights as large as those of a new torch layer: much larger ones amplify a rounding over the frames."""
    rng = np.random.default_rng(seed)
    return lambda *shape: (rng.uniform(-1.2, 1.2, shape) / np.sqrt(shape[-1])).astype(np.float32)


def recurrent(kind: type[GRU] | type[LSTM], hidden: int) -> SeqSpec:
    draw, rows = drawing(1), (3 if kind is GRU else 4) * hidden
    cell = Cell(draw(rows, FEATURES), draw(rows, hidden), draw(rows), draw(rows))
    head = Linear("head", draw(3, hidden), draw(3))
    return SeqSpec(FEATURES, LABELS, (kind("layer0", cell), Pool("pool", "last"), head))


def transformer(width: int) -> SeqSpec:
    """One head where the width is odd; a window, so that there is a step."""
    draw = drawing(2)
    attention = Attention(
        *("attention0", 1, draw(3 * width, width), draw(3 * width), draw(width, width), draw(width)), window=9
    )
    norm = Norm("norm0", 1 + draw(width), draw(width))
    feed_forward = (
        Linear("up0", draw(2 * width, width), draw(2 * width), "gelu"),
        Linear("down0", draw(width, 2 * width), draw(width)),
    )
    layers = (
        Linear("embed", draw(width, FEATURES), draw(width)),
        *(Residual("block0", (norm, attention)), Residual("block1", feed_forward)),
        *(Pool("pool", "mean"), Linear("head", draw(3, width), draw(3))),
    )
    return SeqSpec(FEATURES, LABELS, layers)


FAMILIES = {"gru": lambda size: recurrent(GRU, size), "lstm": lambda size: recurrent(LSTM, size)}
SPECS = {
    f"{family}-{size}": quantize_spec(make(size))
    for family, make in (FAMILIES | {"transformer": transformer}).items()
    for size in SIZES
}
CASES = [
    (name, number)
    for name, spec in SPECS.items()
    for number, _plan in enumerate(plans(spec, "tflite", "armv7"))
]


def ask(python: str, folder: Path, models: dict[str, ExportedModel]) -> dict[str, Any]:
    """Name -> for each sequence the logits of the whole and of the steps, or why the runtime refused it."""
    rng = np.random.default_rng(3)
    sequences = {str(T): rng.standard_normal((T, FEATURES)).astype(np.float32) for T in FRAMES}
    np.savez(folder / "features.npz", **sequences)
    job: dict[str, Any] = {"features": str(folder / "features.npz"), "models": {}}
    for name, model in models.items():
        path = folder / f"{name}.tflite"
        path.write_bytes(model.content)
        assert model.step is not None
        job["models"][str(path)] = [asdict(state) for state in model.step.states]
    done = subprocess.run(
        [python, "-B", "-c", ANSWER, json.dumps(job)],
        env={"PYTHONPATH": str(ROOT / "device"), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {Path(path).stem: answers for path, answers in json.loads(done.stdout).items()} | {
        "features": list(sequences.values())
    }


@pytest.fixture(scope="module")
def models() -> dict[str, ExportedModel]:
    return {
        f"{name}-{number}": write_model(spec, "tflite", "unit", plan)
        for name, spec in SPECS.items()
        for number, plan in enumerate(plans(spec, "tflite", "armv7"))
    }


@pytest.fixture(scope="module")
def answers(
    armv7_python: str, models: dict[str, ExportedModel], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return ask(armv7_python, tmp_path_factory.mktemp("models"), models)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_every_plan_is_right_in_sequence_and_step(
    answers: dict[str, Any], models: dict[str, ExportedModel], name: str, number: int
) -> None:
    found = answers[f"{name}-{number}"]
    assert isinstance(found, list), found
    rounding = models[f"{name}-{number}"].rounding
    for features, (whole, step) in zip(answers["features"], found, strict=True):
        expected = run_reference(SPECS[name], features, rounding)
        np.testing.assert_allclose(whole, expected, atol=1e-3)
        np.testing.assert_allclose(step, expected, atol=1e-3)


def test_per_channel_products_of_the_64_bit_targets_are_refused_or_garbage(
    armv7_python: str, tmp_path: Path
) -> None:
    """Why armv7 must never get them; the same file is right on LiteRT."""
    spec = SPECS["gru-33"]
    model = write_model(spec, "tflite", "unit", choose(spec, "tflite", "pi5", compute="int8"))
    found = ask(armv7_python, tmp_path, {"hybrid": model})
    if isinstance(found["hybrid"], list):
        expected = [run_reference(spec, each, model.rounding) for each in found["features"]]
        errors = [
            np.abs(whole - each).max() for (whole, _step), each in zip(found["hybrid"], expected, strict=True)
        ]
        assert max(errors) > 0.01
    else:
        assert "refused by tflite-runtime 2.14.0" in found["hybrid"]


@pytest.fixture(scope="module")
def command_line(armv7_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of edgeseq's command line, beside the environment and without numpy."""
    folder = tmp_path_factory.mktemp("command-line")
    install = [armv7_python, "-m", "pip", "install", "--quiet", "--target", str(folder)]
    done = subprocess.run([*install, "click", "rich", "platformdirs"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("pip cannot install click and rich for python3.11")
    return folder


def test_edgeseq_bench_works_there_without_torch(
    armv7_python: str, command_line: Path, pristine_artifact: Path, tmp_path: Path
) -> None:
    """The small artifact's TFLite file is widened: right on either runtime."""
    paths = (command_line, ROOT, ROOT / "export", ROOT / "device")
    arguments = ("--device", "local", "--quick", "--format", "tflite", "--json", str(tmp_path / "bench.json"))
    done = subprocess.run(
        [armv7_python, "-B", "-m", "edgeseq", "bench", str(pristine_artifact), *arguments],
        env={
            "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
            "PATH": os.defpath,
            "EDGESEQ_CACHE_DIR": str(tmp_path / "cache"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads((tmp_path / "bench.json").read_text())
    (model,) = result["models"]
    assert model["runtime"] == "tflite-runtime 2.14.0", done.stderr
    assert model["parity_ok"]
    assert model["step_parity_ok"]
    assert model["latency_p50_ms"] > 0
