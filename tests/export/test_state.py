"""The states of a step form: which there are, and which models have none."""

import numpy as np
import pytest

from edgeseq_export.layers import Attention, CausalConv, ClassToken, Linear, Pool, Residual
from edgeseq_export.spec import SeqSpec
from edgeseq_export.state import LOWEST, StateTensor, states_of, why_no_step


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_states_are_named_by_layer_in_their_order(make_spec) -> None:
    spec = make_spec("lstm", layers=2, hidden=24, pooling="mean")
    assert [state.name for state in states_of(spec)] == [
        *("lstm0.h", "lstm0.c", "lstm1.h", "lstm1.c"),
        *("pool.sum", "pool.count"),
    ]
    assert states_of(spec)[0] == StateTensor("lstm0.h", (1, 24), 0.0)


def test_a_maximum_starts_below_every_number_and_the_last_row_needs_no_state(make_spec) -> None:
    assert states_of(make_spec(pooling="max"))[-1] == StateTensor("pool.max", (1, 24), LOWEST)
    assert [state.name for state in states_of(make_spec(pooling="last"))] == ["gru0.h"]


def test_a_convolution_inside_a_residual_keeps_the_frames_of_its_own_width() -> None:
    inner = (Linear("up", zeros(9, 6), zeros(9)), CausalConv("conv", zeros(6, 27), zeros(6), 3))
    spec = SeqSpec(6, tuple("abcdef"), (Residual("r", inner), Pool("p", "last")))
    assert states_of(spec) == (StateTensor("conv.frames", (2, 9)),)


def test_rotary_attention_keeps_its_turn_beside_its_window() -> None:
    weights = (zeros(24, 6), zeros(24), zeros(6, 8), zeros(6))
    for rotary in (False, True):
        attention = Attention("a", 2, *weights, rotary, window=5)
        spec = SeqSpec(6, tuple("abcdef"), (attention, Pool("p", "last")))
        shapes = {"a.keys": (5, 8), "a.values": (5, 8), "a.position": (1, 1)}
        shapes |= {"a.turn": (1, 4)} if rotary else {}
        assert {state.name: state.shape for state in states_of(spec)} == shapes


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_a_model_that_reads_ahead_has_no_step(pooling, make_spec) -> None:
    assert why_no_step(make_spec(bidirectional=True, pooling=pooling)) == "gru0 reads frames to come"
    assert why_no_step(make_spec(pooling=pooling)) is None


def test_a_place_in_a_whole_sequence_has_no_step() -> None:
    token = SeqSpec(6, tuple("abcdef"), (ClassToken("token", zeros(1, 6)), Pool("p", "first")))
    assert why_no_step(token) == "token (ClassToken) has a place in a whole sequence only"
