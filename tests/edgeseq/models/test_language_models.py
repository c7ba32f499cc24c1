"""Language models: chunk by chunk as in one go, tied tables, and the description computes the same."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from edgeseq import models
from edgeseq.models.config import Inputs
from edgeseq.models.embedding import PADDING
from edgeseq.models.model import LanguageModel
from edgeseq.models.shapes import model_config
from edgeseq_device.errors import UsageError
from edgeseq_export.check import check_spec
from edgeseq_export.reference import run_reference

TOKENS = 11
WINDOW = 5
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "gru": ("gru", {"embedding": 4}),
    "two layers": ("gru", {"embedding": 4, "layers": 2}),
    "lstm": ("lstm", {"embedding": 4}),
    "transformer": ("transformer", {"embedding": 4, "heads": 2, "layers": 2, "window": WINDOW}),
    "tied gru": ("gru", {"tied": True}),
    "tied lstm": ("lstm", {"tied": True, "layers": 2}),
    "tied transformer": ("transformer", {"tied": True, "heads": 2, "layers": 1, "window": WINDOW}),
}


def model_of(shape: str) -> LanguageModel:
    """With weights that are large enough for each of them to matter."""
    family, given = SHAPES[shape]
    torch.manual_seed(0)
    config = model_config(family, {"hidden": 8, **given}, "text", task="lm")
    module = models.build(config, Inputs(1, TOKENS), tuple(map(str, range(TOKENS))))
    assert isinstance(module, LanguageModel)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.4)
    with torch.no_grad():
        module.embedding.table.weight[PADDING] = 0
    return module.eval()


def drawn_ids(tokens: int, streams: int = 3) -> torch.Tensor:
    return torch.randint(2, TOKENS, (streams, tokens, 1), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_chunk_by_chunk_a_stream_gets_the_answers_it_gets_as_a_whole(shape: str) -> None:
    model, ids = model_of(shape), drawn_ids(24)
    whole, _ = model(ids)
    state, parts = None, []
    for start, end in itertools.pairwise((0, 1, 2, 9, 10, 24)):
        logits, state = model(ids[:, start:end], state)
        parts.append(logits)
    assert whole.shape == (3, 24, TOKENS)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_the_description_computes_what_torch_computes(shape: str) -> None:
    model, ids = model_of(shape), drawn_ids(13)
    spec = model.to_spec()
    check_spec(spec)
    whole, _ = model(ids)
    for tokens in (1, 4, 13):
        found = run_reference(spec, ids[0, :tokens].numpy().astype(np.int32))
        np.testing.assert_allclose(found, whole[0, tokens - 1].numpy(), atol=1e-5)


@torch.no_grad()
def test_a_transformer_sees_its_window_in_each_layer_and_nothing_before() -> None:
    model, ids = model_of("transformer"), drawn_ids(20)
    reach = 2 * (WINDOW - 1)  # layers times the tokens before its own
    other = ids.clone()
    other[:, : 19 - reach] = 2
    changed = ids.clone()
    changed[:, 19 - reach] = (ids[:, 19 - reach] - 1) % (TOKENS - 2) + 2
    logits = [model(each)[0][:, -1] for each in (ids, other, changed)]
    torch.testing.assert_close(logits[0], logits[1], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(logits[0], logits[2], atol=1e-6)


@pytest.mark.parametrize("shape", ["tied gru", "tied transformer"])
def test_a_tied_table_is_one_parameter_whose_padding_stays_zero(shape: str) -> None:
    model, ids = model_of(shape), drawn_ids(9)
    spec = model.to_spec()
    assert np.array_equal(spec.layers[0].weight, spec.layers[-1].weight)  # type: ignore[union-attr]
    assert "head.weight" not in model.state_dict()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    before = model.embedding.table.weight.detach().clone()
    logits, _ = model(ids[:, :-1])
    functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
    optimizer.step()
    after = model.embedding.table.weight.detach()
    assert not after[PADDING].any()
    assert (after[1:] != before[1:]).all()


def test_what_a_language_model_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="bidirectional is no setting of a gru of the task lm"):
        model_config("gru", {"bidirectional": True}, "text", task="lm")
    with pytest.raises(UsageError, match="bag is no model of the task lm"):
        model_config("bag", {}, "text", task="lm")
    with pytest.raises(UsageError, match="tied tables have one width"):
        model_config("gru", {"tied": True, "embedding": 3}, "text", task="lm")
