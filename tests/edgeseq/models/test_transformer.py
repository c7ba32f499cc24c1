"""Transformer classifiers: the same answers with and without padding, in torch and in numpy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from edgeseq import models
from edgeseq.batches import padded
from edgeseq.models.classify.transformer import TransformerClassifier
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.shapes import model_config
from edgeseq.settings import settings_from_dict
from edgeseq_device.errors import UsageError
from edgeseq_device.tasks import Task
from edgeseq_export.check import check_spec
from edgeseq_export.layers import Attention, Linear
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, parameters, quantized_layers, walk
from edgeseq_export.state import why_no_step

LABELS = ("a", "b", "c")
SEEING_ALL: list[dict[str, Any]] = [
    {"pooling": pooling, "positions": positions}
    for pooling, positions in itertools.product(("last", "mean", "max", "cls"), ("rotary", "learned"))
]
CAUSAL: list[dict[str, Any]] = [
    {"pooling": pooling, "causal": True, "window": window}
    for pooling, window in itertools.product(("last", "mean", "max"), (1, 5, 64))
]
SHAPES = [*SEEING_ALL, *CAUSAL, {"pooling": "mean", "conv_kernel": 3}]
NAMES = ["-".join(map(str, shape.values())) for shape in SHAPES]


def new_model(**shape: Any) -> TransformerClassifier:
    torch.manual_seed(5)
    config = ModelConfig(family="transformer", **{"hidden": 12, "layers": 2, "heads": 2, **shape})
    model = models.build(config, Inputs(4), LABELS)
    assert isinstance(model, TransformerClassifier)
    with torch.no_grad():  # away from zero biases and unit gains, so that each of them counts
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.eval()
    return model


def recordings() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.standard_normal((frames, 4)).astype(np.float32) for frames in (1, 9, 3, 37)]


def answer(model: TransformerClassifier, recording: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.array(model(*padded([recording])).numpy()[0])


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_padding_never_changes_an_answer(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    features, lengths = padded(recordings())
    garbage = torch.full((4, 50, 4), torch.nan)
    for row, source, length in zip(garbage, features, lengths, strict=True):
        row[:length] = source[:length]
    alone = np.stack([answer(model, recording) for recording in recordings()])
    with torch.inference_mode():
        np.testing.assert_allclose(model(features, lengths), alone, atol=2e-6)
        np.testing.assert_allclose(model(garbage, lengths), alone, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_the_spec_gives_the_modules_answers(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    spec = model.to_spec()
    check_spec(spec)
    for recording in recordings():
        np.testing.assert_allclose(run_reference(spec, recording), answer(model, recording), atol=1e-5)


def test_positions_matter() -> None:
    for positions in ("rotary", "learned"):
        model = new_model(positions=positions)
        recording = recordings()[1]
        assert np.abs(answer(model, recording) - answer(model, recording[::-1].copy())).max() > 1e-3


def test_a_causal_model_never_reads_ahead_and_can_step() -> None:
    spec = new_model(causal=True, window=5, pooling="mean").to_spec()
    assert why_no_step(spec) is None
    assert {layer.window for layer in walk(spec.layers) if isinstance(layer, Attention)} == {5}
    assert "reads frames to come" in str(why_no_step(new_model().to_spec()))


@pytest.mark.parametrize("shape", [{}, {"pooling": "cls", "positions": "learned"}, {"causal": True}])
def test_a_trace_holds_what_the_answer_was_computed_from(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    features, lengths = padded(recordings())
    with torch.inference_mode():
        trace = model.trace(features, lengths)
        rows = features.shape[1] + (model.config.pooling == "cls")
        assert torch.equal(trace.logits, model(features, lengths))
        assert [tuple(each.shape) for each in trace.hidden] == [(4, rows, 12)] * 3
        for part in (trace.queries, trace.keys, trace.values):
            assert part.shape == (4, 2, rows, 6)
        assert trace.inside.sum(dim=1).tolist() == [int(each) + rows - 37 for each in lengths]
        last = model.norm(trace.hidden[-1])
        if model.config.pooling == "cls":
            torch.testing.assert_close(model.head(last[:, 0]), trace.logits)


def test_a_trace_s_last_heads_give_the_last_block_s_rows() -> None:
    model = new_model()
    block: Any = model.blocks[-1]
    with torch.inference_mode():
        trace = model.trace(*padded(recordings()[3:]))
        weights = (trace.queries @ trace.keys.transpose(2, 3) / 6**0.5).softmax(dim=3)
        rows = trace.hidden[-2] + block.out((weights @ trace.values).transpose(1, 2).flatten(2))
        middle = torch.nn.functional.gelu(block.widen(block.feedforward_norm(rows)))
        torch.testing.assert_close(rows + block.narrow(middle), trace.hidden[-1], atol=1e-5, rtol=1e-5)


def test_the_specs_layers_have_names_that_keep_fp32_takes() -> None:
    model = new_model(layers=1, pooling="cls", positions="learned")
    names = [layer.name for layer in walk(model.to_spec().layers)]
    attention = ["attention_block0", "attention_norm0", "attention0"]
    feedforward = ["feedforward_block0", "feedforward_norm0", "widen0", "narrow0"]
    assert names == ["input", "token", "positions", *attention, *feedforward, "norm", "pool", "head"]
    assert quantized_layers(model.to_spec()) == ("input", "attention0", "widen0", "narrow0", "head")


def test_a_spec_keeps_its_weights_while_training_goes_on() -> None:
    model = new_model()
    head = model.to_spec().layers[-1]
    assert isinstance(head, Linear)
    before = np.array(head.weight)
    with torch.no_grad():
        model.head.weight.add_(1.0)
    np.testing.assert_array_equal(np.asarray(head.weight), before)


@pytest.mark.parametrize("shape", [{"pooling": "cls", "positions": "learned"}, {"conv_kernel": 2}])
def test_a_spec_can_hold_the_live_parameters(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    live: Any = parameters(model.to_spec(leaf=lambda parameter: parameter))
    assert {id(leaf) for leaf in live.values()} == {id(parameter) for parameter in model.parameters()}


def test_more_frames_than_learned_positions_are_refused() -> None:
    for pooling, wanted in (("mean", 10), ("cls", 11)):
        model = new_model(positions="learned", max_frames=9, pooling=pooling)
        answer(model, np.zeros((9, 4), np.float32))
        with pytest.raises(UsageError, match=f"needs {wanted} positions, {wanted - 1} are learned"):
            answer(model, np.zeros((10, 4), np.float32))


@pytest.mark.parametrize(
    ("family", "given", "message"),
    [
        ("gru", {"heads": 2}, "--heads is a setting of a transformer; a gru has none"),
        ("gru", {"heads": 4}, "heads is a setting of a transformer"),
        ("lstm", {"max_frames": 9}, "--max-frames is a setting of a transformer; a lstm has none"),
        ("gru", {"causal": True}, "causal is a setting"),
        ("gru", {"pooling": "cls"}, "pooling cls is a transformer's"),
        ("gru", {"pooling": "best"}, "pooling 'best' is not one of last, mean, max, cls"),
        ("gru", {"conv_kernel": -1}, "--conv-kernel is -1"),
        ("transformer", {"bidirectional": True}, "leave --bidirectional out"),
        ("transformer", {"hidden": 30, "heads": 4}, "--hidden 30 does not divide by --heads 4"),
        ("transformer", {"hidden": 12, "heads": 4}, "even width; --hidden 12 over 4 heads is 3"),
        ("transformer", {"heads": 0}, "heads is 0; give at least 1"),
        ("transformer", {"positions": "sine"}, "positions 'sine' is not rotary or learned"),
        ("transformer", {"max_frames": 90}, "leave --max-frames out"),
        ("transformer", {"window": 9}, "--window is a causal transformer's"),
        ("transformer", {"causal": True, "window": 0}, "window is 0; give at least 1"),
        ("transformer", {"causal": True, "positions": "learned"}, "needs --positions rotary"),
        ("transformer", {"causal": True, "pooling": "cls"}, "leave --pooling cls out"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused_by_name(
    family: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        model_config(family, given)


@pytest.mark.parametrize(
    ("task", "hidden", "size", "heads"),
    [
        ("classify", 64, None, 4),
        ("classify", 192, "base", 6),
        ("classify", 30, None, 3),
        ("lm", 192, None, 6),
        ("lm", 16, None, 2),
        ("lm", 48, None, 6),
        ("lm", 64, "tiny", 4),
        ("lm", 4, None, 1),
        ("forecast", 32, None, 2),
        ("forecast", 30, None, 3),
    ],
)
def test_heads_that_nobody_gave_divide_hidden(task: Task, hidden: int, size: str | None, heads: int) -> None:
    config = model_config("transformer", {"hidden": hidden}, size=size, task=task)
    assert (config.hidden, config.heads) == (hidden, heads)


def test_a_family_has_its_own_defaults_and_what_is_given_wins() -> None:
    assert (model_config("gru", {}).layers, model_config("gru", {}).pooling) == (1, "last")
    assert (model_config("transformer", {}).layers, model_config("transformer", {}).pooling) == (2, "mean")
    assert model_config("transformer", {"layers": 1, "pooling": "max"}).layers == 1
    assert model_config("transformer", {"causal": True, "window": 9}).title == "transformer 2x64 causal 9"


def test_a_recipe_from_before_the_transformer_still_opens() -> None:
    old = {"family": "gru", "hidden": 8, "layers": 2, "bidirectional": True, "pooling": "max", "dropout": 0.2}
    config = settings_from_dict(ModelConfig, old, "recipe.json")
    assert (config.hidden, config.conv_kernel, config.title) == (8, 0, "gru 2x8 bidirectional")
    assert isinstance(models.build(config, Inputs(4), LABELS).to_spec(), SeqSpec)
