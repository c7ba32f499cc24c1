"""Nats per token and bits per character: the same cut of a text for torch and for a step form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from edgeseq.evaluate.tokens import (
    CHUNK_TOKENS,
    STREAMS,
    evaluate_language_module,
    evaluate_language_step,
    streams,
)
from edgeseq.models.embedding import TokenEmbedding
from edgeseq.models.model import LanguageModel, Leaf, State, array
from edgeseq_device.errors import DataError, EdgeseqError
from edgeseq_export import SeqSpec

VOCABULARY = 5
LONG = STREAMS * (CHUNK_TOKENS + 9) + 4  # more than one chunk, and some tokens left over


class Counting(LanguageModel):
    """Its logits depend on the token and on how many came before it, which is the state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(VOCABULARY, 2, 0.0)
        self.table = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (VOCABULARY, VOCABULARY)))

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        assert not self.training
        before = torch.zeros(len(ids)) if state is None else state[0]
        counts = before[:, None] + torch.arange(ids.shape[1])
        logits = self.table[ids[..., 0]] + torch.sin(counts)[..., None] * torch.arange(VOCABULARY)
        return logits.float(), (before + ids.shape[1],)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        raise NotImplementedError


class CountingStep:
    """The same, token by token."""

    def __init__(self) -> None:
        self.module, self.state = Counting().eval(), None

    def reset(self) -> None:
        self.state = None

    def step(self, token: np.ndarray) -> np.ndarray:
        assert token.dtype == np.int32
        logits, self.state = self.module(torch.from_numpy(token[None, None].astype(np.int64)), self.state)
        return logits[0, 0].numpy()


def text(length: int) -> np.ndarray:
    """Ids [N, 1]."""
    return np.random.default_rng(1).integers(0, VOCABULARY, (length, 1), np.int32)


def test_a_text_is_cut_into_parts_that_meet_and_the_few_left_over_are_left_out() -> None:
    rows = streams(np.arange(2 * STREAMS + 9), None)
    assert rows.shape == (STREAMS, 3)
    assert rows[0].tolist() == [0, 1, 2]
    assert rows[-1].tolist() == [2 * STREAMS - 2, 2 * STREAMS - 1, 2 * STREAMS]
    assert (rows[1:, 0] == rows[:-1, -1]).all()
    assert streams(np.arange(99), most=2)[:, 0].tolist() == [6 * part for part in range(STREAMS)]


def test_torch_and_a_step_form_are_judged_alike_on_the_same_tokens() -> None:
    ids, told = text(LONG), []
    module = Counting().train()
    torch_says = evaluate_language_module(module, ids, len(ids), progress=lambda *step: told.append(step))
    assert module.training
    assert torch_says.tokens == torch_says.characters == told[-1][0] == told[-1][1] == LONG // 16 * 16
    step_says = evaluate_language_step(
        CountingStep(), ids, len(ids), progress=lambda *step: told.append(step)
    )
    assert step_says.tokens == torch_says.tokens == told[-1][0]
    assert step_says.nats_per_token == pytest.approx(torch_says.nats_per_token, rel=1e-6)
    assert step_says.accuracy == torch_says.accuracy


def test_what_is_measured_is_the_cross_entropy_of_the_next_token() -> None:
    ids = text(STREAMS * 3 + 1)
    rows = torch.from_numpy(streams(ids))
    logits, _ = Counting().eval()(rows[:, :-1, None])
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()
    found = evaluate_language_module(Counting(), ids, 2 * len(ids))
    assert found.nats_per_token == pytest.approx(wanted, rel=1e-5)
    assert found.bits_per_character == pytest.approx(wanted / math.log(2) / 2, rel=1e-5)
    assert found.characters == 2 * found.tokens


def test_a_gate_reads_the_beginning_of_each_part_alone() -> None:
    ids = text(LONG)
    few = evaluate_language_module(Counting(), ids, len(ids), most=4)
    assert few.tokens == 4 * STREAMS
    assert few == evaluate_language_module(Counting(), ids, len(ids), most=4)
    assert few.nats_per_token != evaluate_language_module(Counting(), ids, len(ids)).nats_per_token


def test_a_text_of_too_few_tokens_is_refused() -> None:
    with pytest.raises(DataError, match=r"has 16 tokens; a language model is judged on 17 at least"):
        evaluate_language_module(Counting(), text(STREAMS), STREAMS)


def test_an_answer_that_is_no_number_is_a_fault() -> None:
    module = Counting()
    module.table[0] = math.nan
    with pytest.raises(EdgeseqError, match="NaN or infinity"):
        evaluate_language_module(module, text(100), 100)
