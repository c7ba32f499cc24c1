"""The device side with tflite-runtime 2.14.0 and numpy 1, all there is for a 32-bit Raspberry Pi OS."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from edgeseq.export.golden import step_references
from edgeseq_device.artifact import open_artifact
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.measuring.request import Limits, Request, request_to_dict
from edgeseq_export import ExportedModel, Plan, bundle, write_model
from edgeseq_export.choice import choose
from edgeseq_export.forms import NO_PRODUCT, ROW_SCALE, WIDENED, LayerForm, Product
from edgeseq_export.layers import GRU, LSTM, Attention, Cell, Embedding, Linear, Pool
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

DEVICE = Path(__file__).parents[2] / "device"
F, H, C = 5, 12, 3


def with_product(forms: tuple[LayerForm, ...], product: Product) -> tuple[LayerForm, ...]:
    return tuple(each if each.product is NO_PRODUCT else replace(each, product=product) for each in forms)


def spec() -> SeqSpec:
    rng = np.random.default_rng(5)

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)

    gru = Cell(draw(3 * H, F), draw(3 * H, H), draw(3 * H), draw(3 * H))
    lstm = Cell(draw(4 * H, H), draw(4 * H, H), draw(4 * H), draw(4 * H))
    layers = (
        GRU("gru0", gru),
        LSTM("lstm1", lstm),
        Pool("pool", "mean"),
        Linear("head", draw(C, H), draw(C)),
    )
    return SeqSpec(F, ("a", "b", "c"), layers)


@pytest.fixture(scope="module", params=[ROW_SCALE, WIDENED], ids=["row_scale", "widened"])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = spec()
    quantized = quantize_spec(trained)
    plan = choose(quantized, "tflite")
    assert plan.step is not None
    plan = Plan(with_product(plan.sequence, request.param), with_product(plan.step, request.param))
    model = write_model(quantized, "tflite", "unit", plan)
    folder = tmp_path_factory.mktemp("artifact") / "armv7"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(model.content)
    golden = golden_of(trained, quantized, model)
    bundle.write_golden(folder, golden)
    manifest = {
        "name": "armv7",
        "labels": list(trained.labels),
        "features": {"count": F},
        "golden": {"file": bundle.GOLDEN_FILE, "count": len(golden.features)},
        "parity": {"tolerance": 1e-3},
    }
    bundle.seal(folder, manifest, [bundle.model_entry(model, 1)])
    return folder


def golden_of(trained: SeqSpec, quantized: SeqSpec, model: ExportedModel) -> GoldenVectors:
    rng = np.random.default_rng(6)
    features = tuple(rng.standard_normal((T, F)).astype(np.float32) for T in (1, 2, 9, 10, 11, 37, 150))
    return GoldenVectors(
        features=features,
        logits=np.stack([run_reference(trained, each) for each in features]),
        references={
            "tflite": np.stack([run_reference(quantized, each, model.rounding) for each in features])
        },
        labels=np.zeros(len(features), np.int64),
        names=tuple(f"{len(each)} frames" for each in features),
        own_step_references=step_references(quantized, features, {"tflite": model}),
    )


def test_every_way_to_ask_a_model_is_right_there(artifact: Path, armv7_python: str) -> None:
    code = (
        "import sys, numpy as np\n"
        f"sys.path.insert(0, {str(DEVICE)!r})\n"
        "from edgeseq_device.artifact import open_artifact\n"
        "from edgeseq_device.runtimes import load, load_step\n"
        "artifact = open_artifact(sys.argv[1])\n"
        "golden, model = artifact.golden(), artifact.model('tflite')\n"
        "whole = load(model.path, 'tflite')\n"
        "step = load_step(model.path, 'tflite', model.step.states)\n"
        "np.savez(sys.argv[2], version=whole.version, batch=whole.run_batch(golden.features),\n"
        "         run=[whole.run(each) for each in golden.features],\n"
        "         step=[step.run(each) for each in golden.features])\n"
    )
    answers = artifact.with_name("answers.npz")
    subprocess.run([armv7_python, "-B", "-c", code, str(artifact), str(answers)], check=True)
    golden = open_artifact(artifact).golden()
    with np.load(answers) as found:
        assert str(found["version"]) == "tflite-runtime 2.14.0"
        np.testing.assert_allclose(found["run"], golden.references["tflite"], atol=1e-3)
        np.testing.assert_allclose(found["batch"], golden.references["tflite"], atol=1e-3)
        np.testing.assert_allclose(found["step"], golden.step_reference("tflite"), atol=1e-3)


def test_the_agent_measures_there(artifact: Path, armv7_python: str, fast_limits: Limits) -> None:
    request = Request(str(artifact), ("tflite",), ("ram", "parity", "step_parity"), limits=fast_limits)
    environment = {"PYTHONPATH": str(DEVICE), "PATH": "/usr/bin:/bin"}
    code = (
        "import json, sys; import edgeseq_device.measuring.agent as agent; "
        "from edgeseq_device.measuring.request import parse_request; "
        "agent.read_guards = dict; "  # as in conftest.py: what else this machine does is no matter here
        "print(json.dumps(agent.bench(parse_request(json.loads(sys.argv[1])), lambda _event: None)))"
    )
    done = subprocess.run(
        [armv7_python, "-B", "-c", code, json.dumps(request_to_dict(request))],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    result = json.loads(done.stdout)
    (model,) = result["models"]
    assert result["valid"], result["invalid_because"]
    assert model["runtime"] == "tflite-runtime 2.14.0"
    assert model["parity_ok"]
    assert model["step_parity_ok"]
    assert model["ram_loaded_bytes"] > model["ram_runtime_bytes"]


@pytest.mark.parametrize("kind", ["gru", "attention"])
def test_steps_go_on_from_a_whole_text_there(kind: str, armv7_python: str, tmp_path: Path) -> None:
    model = write_model(language_model(kind), "tflite", "id", choose(language_model(kind), "tflite", "armv7"))
    assert model.step is not None
    path, states = tmp_path / "model.tflite", [asdict(each) for each in model.step.states]
    path.write_bytes(model.content)
    code = (
        "import json, sys, numpy as np\n"
        f"sys.path.insert(0, {str(DEVICE)!r})\n"
        "from edgeseq_device.manifest import StateInfo\n"
        "from edgeseq_device.runtimes import load, load_step\n"
        "states = [StateInfo(each['name'], tuple(each['shape']), each['initial'])\n"
        "          for each in json.loads(sys.argv[2])]\n"
        "whole, step = load(sys.argv[1], 'tflite'), load_step(sys.argv[1], 'tflite', states)\n"
        "ids = np.arange(14, dtype=np.int32)[:, None] % 6 + 1\n"
        "for count in (1, 3, 11):\n"
        "    step.reset()\n"
        "    stepped = [step.step(each) for each in ids]\n"
        "    logits, step.state = whole.prefill(ids[:count])\n"
        "    found = [logits, *(step.step(each) for each in ids[count:])]\n"
        "    np.testing.assert_allclose(found, stepped[count - 1 :], atol=1e-4)\n"
    )
    subprocess.run([armv7_python, "-B", "-c", code, str(path), json.dumps(states)], check=True)


def language_model(kind: str) -> SeqSpec:
    rng, D, tokens = np.random.default_rng(5), 8, 7

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)

    table = draw(tokens, D)
    table[0] = 0
    weights = (draw(3 * D, D), draw(3 * D), draw(D, D), draw(D))
    middle = {
        "gru": GRU("gru", Cell(draw(3 * D, D), draw(3 * D, D), draw(3 * D), draw(3 * D))),
        "attention": Attention("attention", 2, *weights, rotary=True, window=4),
    }[kind]
    layers = (Embedding("embedding", table), middle, Pool("pool", "last"))
    head = Linear("head", draw(tokens, D), draw(tokens))
    return quantize_spec(SeqSpec(1, tuple("abcdefg"), (*layers, head), carries=True))
