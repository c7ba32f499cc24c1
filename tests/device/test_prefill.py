"""Whole sequences that leave a state behind, and models that take no other number of frames than theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device.errors import DataError
from edgeseq_device.runtimes import LoadedModel, load, load_step
from edgeseq_device.stepping import LoadedStep
from edgeseq_export import bundle, write_model
from edgeseq_export.layers import GRU, Attention, Cell, Embedding, Linear, PerChannel, Pool
from edgeseq_export.spec import SeqSpec

TOKENS, D, H = 7, 4, 5


def draw(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).uniform(-0.5, 0.5, shape).astype(np.float32)


def language_model() -> SeqSpec:
    table = draw(TOKENS, D)
    table[0] = 0
    attention = Attention("heads", 2, draw(3 * D, D), draw(3 * D), draw(D, D), draw(D), rotary=True, window=3)
    gru = GRU("gru", Cell(draw(3 * H, D), draw(3 * H, H), draw(3 * H), draw(3 * H)))
    layers = (
        Embedding("embedding", table),
        attention,
        gru,
        Pool("pool", "last"),
        Linear("head", draw(TOKENS, H), draw(TOKENS)),
    )
    return SeqSpec(1, tuple("abcdefg"), layers, carries=True)


def forecaster() -> SeqSpec:
    """Two channels, eight moments in, three out."""
    linear = Linear("linear", draw(3, 8), draw(3))
    channels = PerChannel("channels", (Pool("whole", "all"), linear))
    return SeqSpec(2, ("a", "b"), (channels,), frames=8, horizon=3)


@pytest.fixture(params=("onnx", "tflite"))
def model_format(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def opened(tmp_path: Path, model_format: Any) -> tuple[LoadedModel, LoadedStep]:
    model = write_model(language_model(), model_format, "id")
    for name, content in bundle.model_files(model).items():
        (tmp_path / name).write_bytes(content)
    assert model.step is not None
    step = load_step(tmp_path / bundle.step_file(model), model_format, model.step.states)
    return load(tmp_path / bundle.model_file(model), model_format), step


def ids(count: int) -> Any:
    return np.arange(1, count + 1, dtype=np.int32)[:, None] % (TOKENS - 1) + 1


def test_a_prefill_answers_as_a_run_and_leaves_a_state_that_the_step_takes(opened: Any) -> None:
    model, step = opened
    for count in (4, 1, 9):
        logits, state = model.prefill(ids(count))
        np.testing.assert_array_equal(logits, model.run(ids(count)))
        assert {name: values.shape for name, values in state.items()} == {
            name: values.shape for name, values in step.state.items()
        }
        assert {values.dtype for values in state.values()} == {np.dtype(np.float32)}
        step.state = state
        np.testing.assert_allclose(
            step.step([6]), model.run(np.append(ids(count), [[6]], 0).astype(np.int32)), atol=1e-5
        )


def test_what_a_prefill_gave_belongs_to_the_caller(opened: Any) -> None:
    model, step = opened
    logits, state = model.prefill(ids(3))
    kept = {name: values.copy() for name, values in state.items()}
    answer = logits.copy()
    step.state = state
    step.step([2])
    model.prefill(ids(6))
    np.testing.assert_array_equal(logits, answer)
    for name, values in state.items():
        np.testing.assert_array_equal(values, kept[name])


def test_what_is_no_text_is_refused_as_by_a_run(opened: Any) -> None:
    model, _ = opened
    with pytest.raises(DataError, match=r"features hold the id -1"):
        model.prefill(np.array([[-1]], np.int32))
    with pytest.raises(DataError, match=r"takes features \[T >= 1, 1\]"):
        model.prefill(ids(0))


def test_a_model_without_states_says_that_it_gives_none(pristine_artifact: Path, model_format: Any) -> None:
    model = load(pristine_artifact / f"model.{model_format}", model_format)
    features = np.zeros((3, model.features_count), np.float32)
    with pytest.raises(DataError, match=rf"model\.{model_format}: gives no states to go on from"):
        model.prefill(features)
    assert model.frames is None


def test_a_forecaster_takes_its_context_and_no_other_number_of_moments(
    tmp_path: Path, model_format: Any
) -> None:
    model = write_model(forecaster(), model_format, "unit")
    path = tmp_path / f"model.{model_format}"
    path.write_bytes(model.content)
    loaded, context = load(path, model_format), draw(8, 2)
    assert loaded.frames == 8
    assert loaded.run(context).shape == (6,)
    for count in (7, 9):
        with pytest.raises(DataError, match=rf"takes exactly 8 frames, not {count}; give it as many"):
            loaded.run(np.resize(context, (count, 2)))
    np.testing.assert_array_equal(loaded.run(context), loaded.run_batch([context, context])[1])
