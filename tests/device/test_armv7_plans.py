"""What `--target armv7` may choose, on tflite-runtime 2.14.0 itself: every plan is right, also as a step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_export import ExportedModel, write_model
from edgeseq_export.choice import choose, plans
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Cell,
    Embedding,
    Linear,
    Norm,
    Pool,
    Residual,
)
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

ROOT = Path(__file__).parents[2]
FEATURES, LABELS = 12, ("a", "b", "c")
SIZES = (7, 33, 64)
FRAMES = (1, 10, 37, 60)
ROWS = 300
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
        model = load(path, "tflite")
        step = load_step(path, "tflite", states) if states else model
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


def text(size: int, kind: type[GRU] | type[LSTM] | None) -> SeqSpec:
    """Tokens of three ids; a recurrent layer, or none, behind a table of rows of very different scales."""
    draw, rng = drawing(4), np.random.default_rng(5)
    table = draw(ROWS, size) * np.exp(rng.uniform(-3, 2, (ROWS, 1))).astype(np.float32)
    table[0] = 0
    gates = 3 if kind is GRU else 4
    weights = (draw(gates * size, size), draw(gates * size, size), draw(gates * size), draw(gates * size))
    behind = () if kind is None else (kind("layer0", Cell(*weights)),)
    layers = (*behind, Pool("pool", "mean"), Linear("head", draw(3, size), draw(3)))
    return SeqSpec(3, LABELS, (Embedding("words", table), *layers))


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


def readings(T: int) -> np.ndarray:
    return np.random.default_rng(T).standard_normal((T, FEATURES)).astype(np.float32)


def ids(T: int) -> np.ndarray:
    return np.random.default_rng(T).integers(0, ROWS, (T, 3)).astype(np.int32)


def ask(
    python: str,
    folder: Path,
    models: dict[str, ExportedModel],
    draw: Callable[[int], np.ndarray] = readings,
) -> dict[str, Any]:
    """Name -> for each sequence the logits of the whole and of the steps, or why the runtime refused it.

    The sequences get longer. A model without states answers whole twice.
    """
    sequences = {str(T): draw(T) for T in FRAMES}
    np.savez(folder / "features.npz", **sequences)
    job: dict[str, Any] = {"features": str(folder / "features.npz"), "models": {}}
    for name, model in models.items():
        path = folder / f"{name}.tflite"
        path.write_bytes(model.content)
        states = () if model.step is None else model.step.states
        job["models"][str(path)] = [asdict(state) for state in states]
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


def test_models_of_text_are_right_in_sequence_and_step(armv7_python: str, tmp_path: Path) -> None:
    specs = {
        f"{kind}-{size}": quantize_spec(text(size, kind)) for kind in (GRU, LSTM, None) for size in (7, 64)
    }
    written = {
        f"{name} {number}": (spec, write_model(spec, "tflite", "token id", plan))
        for name, spec in specs.items()
        for number, plan in enumerate(plans(spec, "tflite", "armv7"))
    }
    found = ask(armv7_python, tmp_path, {name: model for name, (_spec, model) in written.items()}, ids)
    for name, (spec, model) in written.items():
        assert isinstance(found[name], list), found[name]
        for features, (whole, step) in zip(found["features"], found[name], strict=True):
            expected = run_reference(spec, features, model.rounding)
            np.testing.assert_allclose(whole, expected, atol=1e-3, err_msg=name)
            np.testing.assert_allclose(step, expected, atol=1e-3, err_msg=name)


def mixed(kind: str) -> SeqSpec:
    """Layers that take all rows at once beside loops over time."""
    draw, D = drawing(6), 16

    def cells(count: int) -> list[Cell]:
        return [Cell(draw(36, D), draw(36, 12), draw(36), draw(36)) for _ in range(count)]

    attention = Attention("attention", 2, draw(3 * D, D), draw(3 * D), draw(D, D), draw(D))
    embed = Linear("embed", draw(D, FEATURES), draw(D), "relu")
    layers = {
        "conv": (CausalConv("conv", draw(D, 3 * FEATURES), draw(D), 3, "relu"), GRU("gru", *cells(2))),
        "norm": (embed, Norm("norm", 1 + draw(D), draw(D)), GRU("gru", *cells(2))),
        "attention": (embed, attention, GRU("gru", *cells(1))),
    }[kind]
    width = 12 if kind == "attention" else 24
    return SeqSpec(FEATURES, LABELS, (*layers, Pool("pool", "mean"), Linear("head", draw(3, width), draw(3))))


@pytest.mark.parametrize("kind", ["conv", "norm", "attention"])
def test_layers_on_all_rows_beside_a_loop_survive_a_longer_sequence(
    kind: str, armv7_python: str, tmp_path: Path
) -> None:
    """With int8 compute, or with nested loops, this runtime crashes."""
    spec = quantize_spec(mixed(kind))
    tried = [*plans(spec, "tflite", "armv7"), choose(spec, "tflite", "armv7", compute="int8")]
    written = {f"{number}": write_model(spec, "tflite", "unit", plan) for number, plan in enumerate(tried)}
    found = ask(armv7_python, tmp_path, written)
    for number in written:
        for features, (whole, _step) in zip(found["features"], found[number], strict=True):
            np.testing.assert_allclose(whole, run_reference(spec, features), atol=1e-4)


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
def command_line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of edgeseq's command line, beside the environment and without numpy."""
    folder = tmp_path_factory.mktemp("command-line")
    wheels = ("--python-version", "3.11", "--only-binary", ":all:", "--no-compile")
    install = [sys.executable, "-m", "pip", "install", "--quiet", *wheels, "--target", str(folder)]
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
