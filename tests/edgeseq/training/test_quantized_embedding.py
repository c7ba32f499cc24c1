"""A quantized table in training: the reference's forward, and gradients to the rows that ids name alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseq.training.quantized import quantized_logits
from edgeseq_export.layers import GRU, Cell, Embedding, Layer, Linear, Pool
from edgeseq_export.quantize import ActivationQuantization
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

R, D, H, LABELS = 40, 6, 8, ("a", "b", "c")
LENGTHS = (9, 1, 4)


def draw(*shape: int) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).standard_normal(shape) * 0.5).astype(np.float32)


def table() -> np.ndarray:
    """Rows of very different scales, the first of them zero."""
    weight = draw(R, D) * np.logspace(-3, 1, R, dtype=np.float32)[:, None]
    weight[0] = 0
    return weight


def texts(ids: int) -> tuple[list[np.ndarray], torch.Tensor, torch.Tensor]:
    """Ids [T, K] each; the same padded with 0, [B, T, K] int64; lengths [B]."""
    rng = np.random.default_rng(ids)
    each = [rng.integers(1, R - 8, (T, ids)).astype(np.int32) for T in LENGTHS]
    padded = torch.zeros(len(each), max(LENGTHS), ids, dtype=torch.int64)
    for row, text in zip(padded, each, strict=True):
        row[: len(text)] = torch.from_numpy(text)
    return each, padded, torch.tensor(LENGTHS)


STACKS: dict[str, tuple[Layer, ...]] = {
    "bag": (Pool("pool", "mean"), Linear("head", draw(3, D), draw(3))),
    "gru": (
        GRU("gru", Cell(draw(3 * H, D), draw(3 * H, H), draw(3 * H), draw(3 * H))),
        Pool("pool", "last"),
        Linear("head", draw(3, H), draw(3)),
    ),
}


@pytest.mark.parametrize("ids", [1, 3])
@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("kept", [(), ("words",)])
def test_padded_texts_answer_as_the_reference_alone(name: str, ids: int, kept: tuple[str, ...]) -> None:
    spec = SeqSpec(ids, LABELS, (Embedding("words", table()), *STACKS[name]))
    rounding = dict.fromkeys(("gru", "head"), ActivationQuantization.PER_ROW_INT8)
    each, padded, lengths = texts(ids)
    int8 = [name for name in ("words", "gru", "head") if name not in kept]
    found = quantized_logits(spec, padded, lengths, rounding, int8=int8)
    for logits, text in zip(found, each, strict=True):
        expected = run_reference(quantize_spec(spec, kept), text, rounding)
        np.testing.assert_allclose(logits.numpy(), expected, atol=2e-3)


def test_a_bag_s_forward_is_exactly_that_of_the_rounded_rows() -> None:
    spec = SeqSpec(2, tuple("abcdef"), (Embedding("words", table()), Pool("pool", "max")))
    each, padded, lengths = texts(2)
    found = quantized_logits(spec, padded, lengths, {})
    for logits, text in zip(found, each, strict=True):
        np.testing.assert_array_equal(logits.numpy(), run_reference(quantize_spec(spec), text))
        assert (logits.numpy() != run_reference(spec, text)).any(), "nothing was rounded"


def test_gradients_pass_straight_to_the_rows_that_are_named_and_not_to_padding() -> None:
    weight = torch.nn.Parameter(torch.from_numpy(table()))
    spec = SeqSpec(2, LABELS, (Embedding("words", weight), *STACKS["bag"]))  # type: ignore[arg-type]
    each, padded, lengths = texts(2)
    gradients = []
    for int8 in ((), ("words",)):
        weight.grad = None
        quantized_logits(spec, padded, lengths, {}, int8=int8).sum().backward()
        assert weight.grad is not None
        gradients.append(weight.grad.clone())
    torch.testing.assert_close(gradients[1], gradients[0])
    named = np.unique(np.concatenate([text.reshape(-1) for text in each]))
    np.testing.assert_array_equal(np.flatnonzero(gradients[1].abs().sum(dim=1).numpy()), named)
