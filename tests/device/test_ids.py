"""Models of text on the device side: int32 ids wherever a model is asked, checked, stored and measured."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq.export.golden import step_references
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.errors import DataError
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.measuring.agent import bench
from edgeseq_device.measuring.request import Limits, Request
from edgeseq_device.runtimes import load, load_step
from edgeseq_device.stepping import LoadedStep
from edgeseq_export import bundle, write_model
from edgeseq_export.layers import GRU, Cell, Embedding, Linear, Pool
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

FORMATS = ("onnx", "tflite")
R, D, K, H, LABELS = 50, 6, 2, 8, ("a", "b", "c")
Rewrite = Callable[[Path, Callable[[dict[str, Any]], object]], None]


def spec() -> SeqSpec:
    rng = np.random.default_rng(4)

    def draw(*shape: int) -> Any:
        return rng.uniform(-0.8, 0.8, shape).astype(np.float32)

    table = draw(R, D)
    table[0] = 0
    cell = Cell(draw(3 * H, D), draw(3 * H, H), draw(3 * H), draw(3 * H))
    head = Linear("head", draw(3, H), draw(3))
    return SeqSpec(K, LABELS, (Embedding("words", table), GRU("gru", cell), Pool("pool", "last"), head))


@pytest.fixture(scope="module")
def pristine_text_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An int8 GRU-8 of text in both formats; never to be changed."""
    trained = spec()
    quantized = quantize_spec(trained)
    models = {each: write_model(quantized, each, "token id") for each in FORMATS}
    folder = tmp_path_factory.mktemp("artifact") / "text-gru-int8-generic"
    folder.mkdir()
    for model in models.values():
        for name, content in bundle.model_files(model).items():
            (folder / name).write_bytes(content)
    rng = np.random.default_rng(5)
    texts = tuple(rng.integers(1, R, (T, K)).astype(np.int32) for T in (1, 2, 7, 28))
    logits = np.stack([run_reference(trained, each) for each in texts])
    references = {
        name: np.stack([run_reference(quantized, each, model.rounding) for each in texts])
        for name, model in models.items()
    }
    steps = step_references(quantized, texts, models)
    names, labels = tuple(f"text {index}" for index in range(4)), logits.argmax(axis=1)
    bundle.write_golden(folder, GoldenVectors(texts, logits, references, labels, names, steps))
    manifest = {
        "name": folder.name,
        "labels": list(LABELS),
        "features": {"count": K, "unit": "token id", "front_end": {}},
        "golden": {"file": bundle.GOLDEN_FILE, "count": len(texts)},
        "parity": {"tolerance": 1e-3},
    }
    bundle.seal(folder, manifest, [bundle.model_entry(each, 1) for each in models.values()])
    return folder


@pytest.fixture
def text_folder(pristine_text_artifact: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(pristine_text_artifact, tmp_path / pristine_text_artifact.name))


@pytest.fixture
def artifact(pristine_text_artifact: Path) -> Artifact:
    return open_artifact(pristine_text_artifact)


@pytest.fixture(params=FORMATS)
def model_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_step(artifact: Artifact, model_format: str) -> LoadedStep:
    step = artifact.model(model_format).step
    assert step is not None
    return load_step(step.path, model_format, step.states)


def test_an_artifact_says_that_its_features_are_ids(artifact: Artifact) -> None:
    assert artifact.features_dtype == "int32"
    assert {each.dtype for each in artifact.golden().features} == {np.dtype(np.int32)}


def test_the_golden_texts_get_their_answers_one_by_one_in_a_batch_and_in_steps(
    artifact: Artifact, model_format: str
) -> None:
    golden, model = artifact.golden(), load(artifact.model(model_format).path, model_format)
    step, expected = open_step(artifact, model_format), golden.references[model_format]
    np.testing.assert_allclose([model.run(each) for each in golden.features], expected, atol=1e-4)
    np.testing.assert_allclose(model.run_batch(golden.features), expected, atol=1e-4)
    answers = [step.run(each) for each in golden.features]
    np.testing.assert_allclose(answers, golden.step_reference(model_format), atol=1e-4)


@pytest.mark.parametrize(
    ("features", "cause"),
    [
        (np.ones((3, K), np.float32), "takes ids of tokens, int32, not float32"),
        (np.ones((3, K), np.int64), "takes ids of tokens, int32, not int64"),
        (np.ones((3, K), np.bool_), "takes ids of tokens, int32, not bool"),
        (np.ones((3, K + 1), np.int32), rf"takes features \[T >= 1, {K}\], not \[3, {K + 1}\]"),
        (np.ones((0, K), np.int32), r"takes features \[T >= 1"),
        (np.array([[4, 5], [6, -7]], np.int32), "features hold the id -7; ids of tokens are 0 or above"),
        (np.array([[4, 5], [6, R]], np.int32), "refused by .*(idx=50|Got 50|out of bounds)"),
    ],
)
def test_what_are_no_ids_of_the_model_is_refused_and_leaves_no_trace(
    artifact: Artifact, model_format: str, features: Any, cause: str
) -> None:
    text, model = artifact.golden().features[2], load(artifact.model(model_format).path, model_format)
    step, expected = open_step(artifact, model_format), model.run(text)
    for ask in (model.run, step.run, lambda each: model.run_batch([text, each])):
        with pytest.raises(DataError, match=rf"model\.(step\.)?{model_format}: {cause}"):
            ask(features)
    np.testing.assert_array_equal(model.run(text), expected)
    np.testing.assert_allclose(step.run(text), expected, atol=1e-4)


def test_a_step_takes_any_integers_and_nothing_else(artifact: Artifact, model_format: str) -> None:
    text, step = artifact.golden().features[2], open_step(artifact, model_format)
    expected = step.run(text)
    step.reset()
    for frame in text.astype(np.int64):
        answer = step.step(frame)  # type: ignore[arg-type]
    np.testing.assert_array_equal(answer, expected)
    before = step.state
    for wrong, cause in (
        (np.ones(K, np.float32), rf"takes one frame, int32 \[{K}\], not float32 \[{K}\]"),
        (np.ones(K + 1, np.int32), rf"takes one frame, int32 \[{K}\], not int32 \[{K + 1}\]"),
        (np.array([1, -1], np.int32), "features hold the id -1"),
        (np.array([1, 2**32 + 3]), r"ids 1 \.\. 4294967299 are beyond"),
    ):
        with pytest.raises(DataError, match=cause):
            step.step(wrong)
        np.testing.assert_array_equal(step.state["gru.h"], before["gru.h"])


def test_a_model_of_readings_refuses_ids(pristine_artifact: Path, model_format: str) -> None:
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    with pytest.raises(DataError, match="takes readings, float32, not int32"):
        model.run(np.ones((3, 5), np.int32))


@pytest.mark.parametrize(
    ("dtypes", "cause"),
    [
        (("float32", None), "inputs: features are float32, int32, must all be float32 or int32"),
        (("int64", "int64"), "inputs: features are int64, must all be"),
        ((3, None), "dtype is int, not str"),
    ],
)
def test_a_manifest_that_lies_about_the_type_of_features_is_refused(
    text_folder: Path, rewrite_manifest: Rewrite, dtypes: tuple[Any, Any], cause: str
) -> None:
    def lie(manifest: dict[str, Any]) -> None:
        for model, dtype in zip(manifest["models"], dtypes, strict=True):
            for form in (model, model["step"]):
                form["inputs"][0]["dtype"] = dtype or form["inputs"][0]["dtype"]

    rewrite_manifest(text_folder, lie)
    with pytest.raises(DataError, match=cause):
        open_artifact(text_folder)


def test_a_lie_that_all_forms_agree_on_meets_the_golden_vectors(
    text_folder: Path, rewrite_manifest: Rewrite
) -> None:
    def lie(manifest: dict[str, Any]) -> None:
        for model in manifest["models"]:
            for form in (model, model["step"]):
                form["inputs"][0]["dtype"] = "float32"

    rewrite_manifest(text_folder, lie)
    with pytest.raises(DataError, match=r"golden\.npz: features_00 is int32 \[1, 2\], expected float32"):
        open_artifact(text_folder).golden()


def test_the_agent_measures_a_model_of_text(pristine_text_artifact: Path, fast_limits: Limits) -> None:
    kinds = ("ram", "parity", "step_parity", "latency", "step_latency")
    request = Request(str(pristine_text_artifact), FORMATS, kinds, limits=fast_limits)
    result = bench(request, lambda _event: None)
    assert result["valid"], result["invalid_because"]
    for model in result["models"]:
        assert (model["frames"], model["parity_n"]) == (2, 4)
        assert model["parity_ok"]
        assert model["step_parity_ok"]
        assert model["ram_loaded_bytes"] > 0
