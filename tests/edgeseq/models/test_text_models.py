"""Models of text: every family reads ids, with the same answers in torch and in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edgeseq import models
from edgeseq.batches import padded
from edgeseq.models.config import Inputs, ModelConfig, inputs_of
from edgeseq.models.model import SequenceModel
from edgeseq.models.shapes import model_config
from edgeseq_device.errors import UsageError
from edgeseq_device.frontend import Standardise
from edgeseq_export.check import check_spec
from edgeseq_export.layers import Embedding
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import parameters, quantized_layers

LABELS = ("a", "b", "c")
IDS, COLUMNS = 40, 3
SHAPES: list[dict[str, Any]] = [
    {"family": "gru", "bidirectional": True, "pooling": "max"},
    {"family": "gru", "conv_kernel": 2},
    {"family": "lstm", "layers": 2, "pooling": "mean"},
    {"family": "transformer", "pooling": "mean", "heads": 2},
    {"family": "transformer", "pooling": "cls", "positions": "learned", "heads": 2, "conv_kernel": 2},
    {"family": "bag", "pooling": "mean"},
    {"family": "bag", "pooling": "max"},
]
NAMES = ["-".join(map(str, shape.values())) for shape in SHAPES]


def new_model(**shape: Any) -> SequenceModel:
    torch.manual_seed(5)
    model = models.build(ModelConfig(hidden=8, embedding=6, **shape), Inputs(COLUMNS, IDS), LABELS)
    model.eval()
    return model


def texts() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, IDS, (tokens, COLUMNS)).astype(np.int32) for tokens in (1, 9, 3, 17)]


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_padding_never_changes_an_answer(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    ids, lengths = padded(texts())
    garbage = torch.full((4, 25, COLUMNS), IDS - 1)
    for row, source, length in zip(garbage, ids, lengths, strict=True):
        row[:length] = source[:length]
    with torch.inference_mode():
        alone = torch.cat([model(*padded([text])) for text in texts()])
        torch.testing.assert_close(model(ids, lengths), alone, atol=1e-6, rtol=0)
        torch.testing.assert_close(model(garbage, lengths), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_the_spec_gives_the_modules_answers(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    spec = model.to_spec()
    check_spec(spec)
    assert isinstance(spec.layers[0], Embedding)
    for text in texts():
        with torch.inference_mode():
            expected = model(*padded([text])).numpy()[0]
        np.testing.assert_allclose(run_reference(spec, text), expected, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_a_spec_can_hold_the_live_parameters(shape: dict[str, Any]) -> None:
    model = new_model(**shape)
    live: Any = parameters(model.to_spec(leaf=lambda parameter: parameter))
    assert {id(leaf) for leaf in live.values()} == {id(parameter) for parameter in model.parameters()}


def test_a_token_is_the_sum_of_its_rows_and_padding_adds_nothing_even_after_training() -> None:
    model = new_model(family="gru").train()
    assert model.embedding is not None
    table = model.embedding.table.weight
    rows = model.embedding(torch.tensor([[[3, 0, 7]]]))[0, 0]
    torch.testing.assert_close(rows, table[3] + table[7])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(*padded(texts())).sum().backward()
    optimizer.step()
    assert not table[0].any()


def test_a_bags_layers_have_names_that_keep_fp32_takes() -> None:
    spec = new_model(family="bag", pooling="max").to_spec()
    assert [layer.name for layer in spec.layers] == ["embedding", "pool", "hidden", "head"]
    assert quantized_layers(spec) == ("embedding", "hidden", "head")


def test_an_embedding_s_dropout_is_its_own() -> None:
    model = new_model(family="bag", pooling="mean", embedding_dropout=0.5, dropout=0.0).train()
    answers = [model(*padded(texts())) for _ in range(2)]
    assert not torch.equal(*answers)
    model = new_model(family="bag", pooling="mean", embedding_dropout=0.0, dropout=0.0).train()
    assert torch.equal(*[model(*padded(texts())) for _ in range(2)])


def test_readings_have_no_ids() -> None:
    assert inputs_of(Standardise(4)) == Inputs(4, 0)


@pytest.mark.parametrize(
    ("family", "given", "kind", "message"),
    [
        ("gru", {"embedding": 8}, "audio", "--embedding is a setting for text; leave it out"),
        ("transformer", {"embedding_dropout": 0.1}, "series", "--embedding-dropout is a setting for text"),
        ("bag", {}, "audio", "a bag is a model of text; take gru, lstm or transformer"),
        ("gru", {"embedding": 0}, "text", "a model of text has an embedding"),
        ("bag", {"conv_kernel": 3}, "text", "a bag of tokens has no --conv-kernel"),
        ("bag", {"layers": 2}, "text", "a bag of tokens has no --layers"),
        ("bag", {"bidirectional": True}, "text", "a bag of tokens has no --bidirectional"),
        ("bag", {"heads": 2}, "text", "--heads is a setting of a transformer; a bag has none"),
        ("bag", {"pooling": "last"}, "text", "give --pooling mean or max"),
        ("bag", {"pooling": "cls"}, "text", "pooling cls is a transformer's"),
        ("gru", {"embedding": -1}, "text", "embedding is -1"),
        ("gru", {"embedding_dropout": 1.0}, "text", "--embedding-dropout is 1.0"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused_by_name(
    family: str, given: dict[str, Any], kind: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        model_config(family, given, kind)


def test_a_model_is_not_built_for_other_inputs_than_its_shape_says() -> None:
    with pytest.raises(UsageError, match="a model of text has an embedding"):
        models.build(ModelConfig(), Inputs(COLUMNS, IDS), LABELS)
    with pytest.raises(UsageError, match="embedding is a setting for text"):
        models.build(ModelConfig(embedding=6), Inputs(4), LABELS)


def test_a_size_sets_what_nothing_else_says() -> None:
    base = model_config("transformer", {}, "text", "base")
    assert (base.hidden, base.layers, base.heads, base.embedding) == (192, 3, 6, 128)
    assert model_config("transformer", {"layers": 2}, "text", "base").layers == 2
    assert model_config("gru", {}, "audio", "base").hidden == 128
    assert model_config("gru", {}, "audio", "base").embedding == 0
    for family in models.config.FAMILIES["classify"]:
        widths = [model_config(family, {}, "text", size).hidden for size in ("tiny", "small", "base")]
        assert widths == sorted(widths)
    with pytest.raises(UsageError, match='unknown size "bse"; did you mean "base"'):
        model_config("gru", {}, "text", "bse")


def test_what_suits_text_is_not_what_suits_sounds() -> None:
    text, audio = model_config("gru", {}, "text"), model_config("gru", {}, "audio")
    assert (text.bidirectional, text.pooling, text.title) == (True, "max", "gru 64+1x128 bidirectional")
    assert audio == ModelConfig()
    assert not model_config("gru", {"bidirectional": False}, "text").bidirectional
    assert model_config("bag", {}, "text").title == "bag 128+256"
