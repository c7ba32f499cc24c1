"""One frame at a time on both runtimes, against the reference interpreter on the whole sequence."""

from __future__ import annotations

import gc
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device import stepping
from edgeseq_device.artifact import open_artifact
from edgeseq_device.errors import DataError
from edgeseq_device.manifest import StateInfo
from edgeseq_device.runtimes import load, load_step
from edgeseq_device.stepping import LoadedStep, StepGraph
from edgeseq_device.tensors import SIGNATURE, STEP_SIGNATURE
from edgeseq_export import SeqSpec, bundle, write_model
from edgeseq_export.exported import ExportedModel
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Cell,
    Linear,
    Norm,
    Pool,
    PoolKind,
    Residual,
)
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import quantize_spec
from edgeseq_export.state import LOWEST

FORMATS = ("onnx", "tflite")
F, C = 5, 3


@dataclass(frozen=True)
class Saved:
    """An exported model with its files in `folder`."""

    spec: SeqSpec
    model: ExportedModel
    folder: Path

    def open(self) -> LoadedStep:
        assert self.model.step is not None
        path = self.folder / bundle.step_file(self.model)
        return load_step(path, self.model.format, self.model.step.states)

    def expected(self, features: np.ndarray) -> np.ndarray:
        assert self.model.step is not None
        return run_reference(self.spec, features, self.model.step.rounding)


def cell(rng: np.random.Generator, gates: int, width: int, hidden: int) -> Cell:
    def draw(*shape: int) -> Any:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)

    return Cell(
        draw(gates * hidden, width), draw(gates * hidden, hidden), draw(gates * hidden), draw(gates * hidden)
    )


def stacked(pooling: PoolKind = "last", hidden: int = 12, seed: int = 1) -> SeqSpec:
    """A GRU, an LSTM, a pooling and a head: three or more states."""
    rng = np.random.default_rng(seed)
    gru, lstm = cell(rng, 3, F, hidden), cell(rng, 4, hidden, hidden)
    head = Linear("head", rng.uniform(-1, 1, (C, hidden)).astype(np.float32), np.zeros(C, np.float32))
    layers = (GRU("gru0", gru), LSTM("lstm1", lstm), Pool("pool", pooling), head)
    return SeqSpec(F, ("a", "b", "c"), layers)


def windowed() -> SeqSpec:
    """A causal convolution, attention to the last frames and a feed-forward block: states of many rows."""
    rng, D = np.random.default_rng(2), 16

    def draw(*shape: int) -> Any:
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    attention = Attention(
        "attention0", 4, draw(3 * D, D), draw(3 * D), draw(D, D), draw(D), rotary=True, window=7
    )
    norm = Norm("norm0", 1 + draw(D), draw(D))
    layers = (
        CausalConv("conv0", draw(D, 3 * F), draw(D), 3, "relu"),
        Residual("block0", (norm, attention)),
        Residual(
            "block1",
            (Linear("up", draw(2 * D, D), draw(2 * D), "gelu"), Linear("down", draw(D, 2 * D), draw(D))),
        ),
        Pool("pool", "mean"),
        Linear("head", draw(C, D), draw(C)),
    )
    return SeqSpec(F, ("a", "b", "c"), layers)


def save(spec: SeqSpec, model_format: Any, folder: Path) -> Saved:
    quantized = quantize_spec(spec)
    model = write_model(quantized, model_format, "unit")
    folder.mkdir(exist_ok=True)
    for name, content in bundle.model_files(model).items():
        (folder / name).write_bytes(content)
    return Saved(quantized, model, folder)


def frames(count: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, F)).astype(np.float32)


@pytest.fixture(params=FORMATS)
def model_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def saved(model_format: str, tmp_path: Path) -> Saved:
    return save(stacked(), model_format, tmp_path)


@pytest.mark.parametrize(
    "spec",
    [stacked("last"), stacked("mean"), stacked("max"), windowed()],
    ids=["last", "mean", "max", "windowed"],
)
def test_after_every_frame_the_answer_is_that_of_the_sequence_so_far(
    model_format: str, tmp_path: Path, spec: SeqSpec
) -> None:
    saved = save(spec, model_format, tmp_path)
    loaded, features = saved.open(), frames(500)
    answers = [loaded.step(frame) for frame in features]
    for count in (1, 2, 37, 500):
        expected = saved.expected(features[:count])
        np.testing.assert_allclose(answers[count - 1], expected, atol=1e-3)
    assert {each.dtype for each in answers} == {np.dtype(np.float32)}
    assert {each.shape for each in answers} == {(C,)}
    assert loaded.features_count == F


def test_after_a_reset_nothing_is_left_of_the_frames_before(saved: Saved) -> None:
    loaded, features = saved.open(), frames(20)
    first = [loaded.step(frame) for frame in features]
    loaded.reset()
    np.testing.assert_array_equal([loaded.step(frame) for frame in features], first)
    np.testing.assert_array_equal(loaded.run(features), first[-1])


def test_an_answer_belongs_to_the_caller(saved: Saved) -> None:
    loaded, features = saved.open(), frames(30)
    first = loaded.step(features[0])
    kept = first.copy()
    for frame in features:
        loaded.step(frame)
    np.testing.assert_array_equal(first, kept)


def test_a_saved_state_goes_on_in_another_process_of_the_same_model(saved: Saved) -> None:
    features = frames(40)
    whole = saved.open()
    expected = [whole.step(frame) for frame in features]
    one, other = saved.open(), saved.open()
    for frame in features[:25]:
        one.step(frame)
    state = one.state
    one.step(features[0])  # what is saved is a copy
    other.state = state
    np.testing.assert_array_equal([other.step(frame) for frame in features[25:]], expected[25:])


def test_the_state_before_the_first_frame_is_the_initial_one(model_format: str, tmp_path: Path) -> None:
    loaded = save(stacked("max"), model_format, tmp_path).open()
    state = loaded.state
    assert {name: values.shape for name, values in state.items()} == {
        "gru0.h": (1, 12),
        "lstm1.h": (1, 12),
        "lstm1.c": (1, 12),
        "pool.max": (1, 12),
    }
    assert (state["pool.max"] == np.float32(LOWEST)).all()
    assert not state["lstm1.c"].any()


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("gru0.h"),
        lambda state: state.update(more=np.zeros(1, np.float32)),
        lambda state: state.update({"gru0.h": np.zeros((1, 1), np.float32)}),
        lambda state: state.update({"gru0.h": 0.0}),
    ],
)
def test_a_state_of_another_model_is_refused(
    saved: Saved, change: Callable[[dict[str, Any]], object]
) -> None:
    loaded = saved.open()
    before = loaded.state
    state: dict[str, Any] = {name: values + 1 for name, values in before.items()}
    change(state)
    with pytest.raises(DataError, match=r"model\..*: a state of .* does not fit"):
        loaded.state = state
    for name, values in loaded.state.items():
        np.testing.assert_array_equal(values, before[name])


def test_thousands_of_steps_of_two_models_side_by_side_do_not_touch_each_other(
    model_format: str, tmp_path: Path
) -> None:
    """The views into the runtime's memory stay where it is, whatever is loaded, run and freed meanwhile."""
    small = save(stacked(), model_format, tmp_path / "small")
    large = save(stacked("mean", hidden=40, seed=9), model_format, tmp_path / "large")
    features = frames(3000)
    alone = [small.open().run(features), large.open().run(features)]
    one, other = small.open(), large.open()
    for index, frame in enumerate(features):
        answers = [one.step(frame), other.step(frame)]
        if index % 500 == 0:
            whole = load(large.folder / bundle.model_file(large.model), model_format)
            whole.run(features[: index + 1])
            whole.run(features[:3])
            del whole
            gc.collect()
    np.testing.assert_array_equal(answers[0], alone[0])
    np.testing.assert_array_equal(answers[1], alone[1])


def test_a_step_that_outlives_what_it_came_from_still_answers(saved: Saved) -> None:
    features = frames(50)
    expected = saved.open().run(features)
    step = saved.open().step
    gc.collect()
    answers = [step(frame) for frame in features]
    np.testing.assert_array_equal(answers[-1], expected)


@pytest.mark.parametrize(
    "of_frame",
    [
        lambda frame: frame.astype(np.float64),
        lambda frame: frame.astype(">f4"),
        lambda frame: np.stack([frame, frame], axis=1)[:, 0],
        lambda frame: np.broadcast_to(frame, frame.shape),
        lambda frame: frame.tolist(),
    ],
    ids=["float64", "big-endian", "strided", "read-only", "list"],
)
def test_other_real_numbers_are_converted(saved: Saved, of_frame: Callable[[np.ndarray], Any]) -> None:
    loaded, features = saved.open(), frames(5)
    expected = loaded.run(features)
    loaded.reset()
    answers = [loaded.step(of_frame(frame)) for frame in features]
    np.testing.assert_array_equal(answers[-1], expected)


def test_whole_numbers_are_converted(saved: Saved) -> None:
    loaded, counts = saved.open(), np.arange(F)
    answer = loaded.step(counts)  # type: ignore[arg-type]
    loaded.reset()
    np.testing.assert_array_equal(loaded.step(counts.astype(np.float32)), answer)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros(F + 1, np.float32),
        np.zeros(F - 1, np.float32),
        np.zeros(1, np.float32),
        np.zeros((1, F), np.float32),
        np.zeros(0, np.float32),
        np.float32(1),
        np.zeros(F, np.complex64),
        np.zeros(F, bool),
        np.array(["1"] * F),
        np.array([None] * F),
        np.zeros(F, "datetime64[s]"),
        b"12345",
        None,
    ],
    ids=repr,
)
def test_what_is_no_frame_is_refused_and_leaves_the_state_alone(saved: Saved, frame: Any) -> None:
    loaded, features = saved.open(), frames(2)
    expected = loaded.run(features)
    loaded.reset()
    loaded.step(features[0])
    with pytest.raises(DataError, match=rf"model\..*: a step takes one frame, float32 \[{F}\], not "):
        loaded.step(frame)
    np.testing.assert_array_equal(loaded.step(features[1]), expected)


def test_a_sequence_without_frames_has_no_answer(saved: Saved) -> None:
    with pytest.raises(DataError, match=r"takes features \[T >= 1, 5\], not \[0, 5\]"):
        saved.open().run(np.zeros((0, F), np.float32))


def test_a_sequence_that_holds_what_is_no_number_has_no_answer(saved: Saved) -> None:
    features = frames(5)
    features[3, 0] = np.nan
    with pytest.raises(DataError, match="features hold NaN or infinity in frame 3"):
        saved.open().run(features)


def test_states_that_are_not_the_models_are_refused(saved: Saved) -> None:
    path = saved.folder / bundle.step_file(saved.model)
    for states in ([], [StateInfo("gru0.h", (1, 12), 0.0)], [StateInfo("gru0.h", (1, 13), 0.0)]):
        with pytest.raises(DataError, match=r"model\..*: tensors .* are not a step form's with states"):
            load_step(path, saved.model.format, states)


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_file_that_the_runtime_refuses_is_named(tmp_path: Path, model_format: str, content: bytes) -> None:
    path = tmp_path / f"model.{model_format}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"model\.{model_format}: refused by ") as refusal:
        load_step(path, model_format, [])
    assert "\n" not in str(refusal.value)


def test_an_onnx_sequence_form_is_not_taken_for_a_step_form(pristine_artifact: Path) -> None:
    with pytest.raises(DataError, match=r"model\.onnx: tensors .* are not a step form's"):
        load_step(pristine_artifact / "model.onnx", "onnx", [StateInfo("gru0.h", (1, 8), 0.0)])


def test_a_tflite_file_without_a_step_form_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    both_ways = GRU("gru0", cell(rng, 3, F, 8), cell(rng, 3, F, 8))
    head = Linear("head", rng.standard_normal((C, 16), np.float32), np.zeros(C, np.float32))
    saved = save(SeqSpec(F, ("a", "b", "c"), (both_ways, Pool("pool", "last"), head)), "tflite", tmp_path)
    with pytest.raises(DataError, match=r"model\.tflite: has no signature 'step'"):
        load_step(saved.folder / "model.tflite", "tflite", [])


def test_a_file_with_two_signatures_still_answers_whole_sequences(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    saved = save(stacked(), "tflite", tmp_path)
    path, features = tmp_path / "model.tflite", frames(30)
    assert set(Interpreter(model_path=str(path)).get_signature_list()) == {SIGNATURE, STEP_SIGNATURE}
    model = load(path, "tflite")
    step = saved.open()
    for count in (30, 4, 17):
        expected = run_reference(saved.spec, features[:count], saved.model.rounding)
        np.testing.assert_allclose(model.run(features[:count]), expected, atol=1e-3)
        step.step(features[count - 1])


def test_a_runtime_with_another_inside_is_asked_the_public_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = save(stacked("mean"), "tflite", tmp_path)
    features = frames(40)
    expected = saved.open().run(features)

    def changed(*_arguments: object) -> None:
        raise AttributeError("'InterpreterWrapper' object has no attribute 'tensor'")

    monkeypatch.setattr(stepping, "_through_views", changed)
    loaded = saved.open()
    np.testing.assert_array_equal(loaded.run(features), expected)
    np.testing.assert_array_equal(loaded.run(features), expected)
    with pytest.raises(DataError, match="a step takes one frame"):
        loaded.step(np.zeros(F + 1, np.float32))


def test_the_step_form_of_an_artifact_is_loaded_as_its_manifest_says(
    pristine_artifact: Path, model_format: str
) -> None:
    artifact = open_artifact(pristine_artifact)
    golden, step = artifact.golden(), artifact.model(model_format).step
    assert step is not None
    loaded = load_step(step.path, model_format, step.states)
    answers = np.stack([loaded.run(features) for features in golden.features])
    np.testing.assert_allclose(answers, golden.step_reference(model_format), atol=1e-4)
    whole = load(artifact.model(model_format).path, model_format)
    assert (loaded.version, loaded.settings) == (whole.version, whole.settings)


def test_a_fault_of_the_runtime_is_told_in_one_line_and_leaves_the_state_alone() -> None:
    def fail(_argument: object) -> None:
        raise RuntimeError("XNNPack: out of memory\nat node 7")

    state = StateInfo("h", (1, 2), 0.5)
    before, after = np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32)
    graph = StepGraph(np.zeros(F, np.float32), np.zeros(C, np.float32), (before,), (after,), fail, None)
    loaded = LoadedStep("model.tflite", "litert 9", {}, [state], graph)
    with pytest.raises(DataError, match=r"^model\.tflite: refused by litert 9: XNNPack: out of memory$"):
        loaded.step(np.zeros(F, np.float32))
    assert (loaded.state["h"] == 0.5).all()


def test_the_example_in_the_docs_runs_as_it_stands(pristine_artifact: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/bench.md").read_text("utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (example,) = (each for each in examples if "load_step" in each)
    shutil.copytree(pristine_artifact, tmp_path / "artifacts/short-int8-generic")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    golden = open_artifact(pristine_artifact).golden()
    assert (
        done.stdout.strip()
        == open_artifact(pristine_artifact).labels[golden.references["tflite"][0].argmax()]
    )
