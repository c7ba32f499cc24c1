"""The reference interpreter against torch (fp32) and against arithmetic done by hand (int8)."""

import numpy as np
import pytest
import torch

from edgeseq_export.arithmetic import matmul
from edgeseq_export.layers import (
    Attention,
    CausalConv,
    ClassToken,
    Embedding,
    Linear,
    Norm,
    Pool,
    Positions,
    Residual,
)
from edgeseq_export.quantize import ActivationQuantization as Rounding
from edgeseq_export.quantize import quantize_per_channel
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, cells


def torch_outputs(layer, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """All outputs [T, F] and the final states [F] of torch's own layer with the same weights."""
    both = list(cells(layer).values())
    kind = {"GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[type(layer).__name__]
    module = kind(both[0].weight_ih.shape[1], both[0].hidden, bidirectional=len(both) == 2)
    with torch.no_grad():
        for cell, suffix in zip(both, ("", "_reverse"), strict=False):
            for field in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(module, f"{field}_l0{suffix}").copy_(torch.from_numpy(getattr(cell, field)))
        outputs, state = module(rows)
    final = state[0] if isinstance(state, tuple) else state
    return outputs, final.reshape(-1)


def torch_logits(spec, features: np.ndarray) -> np.ndarray:
    rows = torch.from_numpy(features)
    final = None
    for layer in spec.layers[:-2]:
        rows, final = torch_outputs(layer, rows)
    pooled = {"last": final, "mean": rows.mean(0), "max": rows.max(0).values}[spec.layers[-2].kind]
    head = spec.layers[-1]
    return (pooled @ torch.from_numpy(head.weight).T + torch.from_numpy(head.bias)).numpy()


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, True)])
def test_fp32_answers_are_torchs(kind, pooling, layers, bidirectional, make_spec, sequences) -> None:
    spec = make_spec(kind, pooling=pooling, layers=layers, bidirectional=bidirectional)
    for features in sequences:
        expected = torch_logits(spec, features)
        assert np.abs(run_reference(spec, features) - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_per_row_rounding_gives_each_row_its_own_scale() -> None:
    rows = np.array([[0.0, 1.0], [0.0, 100.0]], np.float32)
    weight = quantize_per_channel(np.array([[1.0, 0.5]], np.float32))
    exact = rows @ weight.dequantize().T
    for scheme in (Rounding.PER_ROW_INT8, Rounding.PER_ROW_UINT8):
        assert np.allclose(matmul(rows, weight, scheme), exact, rtol=1e-6)


def test_per_tensor_rounding_lets_one_row_coarsen_another() -> None:
    rows = np.array([[0.0, 0.1], [0.0, 100.0]], np.float32)
    weight = quantize_per_channel(np.array([[1.0, 1.0]], np.float32))
    rounded = matmul(rows, weight, Rounding.PER_TENSOR_UINT8)
    assert rounded[0, 0] == 0  # 0.1 is below half a step of 100 / 255
    assert rounded[1, 0] == pytest.approx(100)


def test_an_all_zero_input_stays_zero_in_every_scheme() -> None:
    weight = quantize_per_channel(np.ones((3, 2), np.float32))
    for scheme in Rounding:
        assert (matmul(np.zeros((4, 2), np.float32), weight, scheme) == 0).all()


def test_features_of_another_width_are_refused(make_spec) -> None:
    with pytest.raises(ValueError, match="features are"):
        run_reference(make_spec(features=12), np.zeros((5, 11), np.float32))


def rows_behind(layers, rows: np.ndarray) -> np.ndarray:
    """What some layers make of rows [T, F], summed over time so that a spec of them is a classifier."""
    labels = tuple(f"feature {n}" for n in range(rows.shape[1]))
    return run_reference(SeqSpec(rows.shape[1], labels, (*layers, Pool("pool", "mean"))), rows) * len(rows)


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(-0.5, 0.5, shape).astype(np.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
def test_a_linear_layer_and_its_activation_are_torchs(activation, rng) -> None:
    rows, weight, bias = drawn(rng, 7, 6), drawn(rng, 6, 6), drawn(rng, 6)
    plain = torch.nn.functional.linear(*map(torch.from_numpy, (rows, weight, bias)))
    after = {"none": plain, "relu": torch.relu(plain), "gelu": torch.nn.functional.gelu(plain)}[activation]
    found = rows_behind([Linear("linear", weight, bias, activation)], rows)
    assert np.allclose(found, after.sum(0).numpy(), atol=1e-5)


def test_a_norm_is_torchs_layer_norm(rng) -> None:
    rows, gain, bias = drawn(rng, 7, 6), drawn(rng, 6), drawn(rng, 6)
    expected = torch.nn.functional.layer_norm(
        *map(torch.from_numpy, (rows,)), (6,), *map(torch.from_numpy, (gain, bias))
    )
    assert np.allclose(rows_behind([Norm("norm", gain, bias)], rows), expected.sum(0).numpy(), atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 2, 5])
@pytest.mark.parametrize("frames", [1, 3, 9])
def test_a_causal_convolution_is_torchs_behind_zeros(kernel, frames, rng) -> None:
    rows, weight, bias = drawn(rng, frames, 6), drawn(rng, 6, kernel * 6), drawn(rng, 6)
    by_frame = torch.from_numpy(weight).reshape(6, kernel, 6).transpose(1, 2)
    padded = torch.nn.functional.pad(torch.from_numpy(rows).T, (kernel - 1, 0))
    expected = torch.nn.functional.conv1d(padded, by_frame, torch.from_numpy(bias))
    found = rows_behind([CausalConv("conv", weight, bias, kernel)], rows)
    assert np.allclose(found, expected.sum(1).numpy(), atol=1e-5)


@pytest.mark.parametrize("window", [None, 1, 3, 50])
def test_attention_is_torchs_under_the_same_mask(window, rng) -> None:
    T, D, heads = 8, 12, 3
    rows = drawn(rng, T, D)
    arrays = (drawn(rng, 3 * D, D), drawn(rng, 3 * D), drawn(rng, D, D), drawn(rng, D))
    module = torch.nn.MultiheadAttention(D, heads, batch_first=True)
    with torch.no_grad():
        places = (module.in_proj_weight, module.in_proj_bias, module.out_proj.weight, module.out_proj.bias)
        for place, array in zip(places, arrays, strict=True):
            place.copy_(torch.from_numpy(array))
        age = torch.arange(T)[:, None] - torch.arange(T)[None, :]
        hidden = None if window is None else (age < 0) | (age >= window)
        x = torch.from_numpy(rows)[None]
        expected = module(x, x, x, attn_mask=hidden, need_weights=False)[0][0]
    found = rows_behind([Attention("attention", heads, *arrays, window=window)], rows)
    assert np.allclose(found, expected.sum(0).numpy(), atol=1e-5)


def test_rotary_attention_sees_how_far_apart_frames_are_and_not_where_they_stand(rng) -> None:
    """With a window of W frames the last answer is the same however long the sequence was before it."""
    D, window = 8, 4
    arrays = (drawn(rng, 3 * D, D), drawn(rng, 3 * D), drawn(rng, D, D), drawn(rng, D))
    layer = Attention("attention", 2, *arrays, rotary=True, window=window)
    spec = SeqSpec(D, tuple("abcdefgh"), (layer, Pool("pool", "last")))
    rows = drawn(rng, 30, D)
    whole, end = run_reference(spec, rows), run_reference(spec, rows[-window:])
    assert np.allclose(whole, end, atol=1e-5)
    turned = run_reference(spec, rows[-window:][[1, 0, 2, 3]])
    assert not np.allclose(whole, turned, atol=1e-5)


def test_residual_positions_and_a_class_token_are_sums_and_rows(rng) -> None:
    rows, table, token = drawn(rng, 5, 6), drawn(rng, 9, 6), drawn(rng, 1, 6)
    gain, bias = np.ones(6, np.float32), np.zeros(6, np.float32)
    doubled = rows_behind([Residual("twice", (Linear("same", np.eye(6, dtype=np.float32), bias),))], rows)
    assert np.allclose(doubled, 2 * rows.sum(0), atol=1e-6)
    assert np.allclose(rows_behind([Positions("where", table)], rows), (rows + table[:5]).sum(0), atol=1e-5)
    labels = tuple("abcdef")
    first = SeqSpec(6, labels, (ClassToken("token", token), Norm("norm", gain, bias), Pool("pool", "first")))
    alone = SeqSpec(6, labels, (Norm("norm", gain, bias), Pool("pool", "last")))
    assert np.allclose(run_reference(first, rows), run_reference(alone, token), atol=1e-6)


def test_more_frames_than_positions_are_refused(rng) -> None:
    with pytest.raises(ValueError, match="where: 5 frames, it knows 4"):
        rows_behind([Positions("where", drawn(rng, 4, 6))], drawn(rng, 5, 6))


def embedded(table, ids: np.ndarray) -> np.ndarray:
    """What an Embedding makes of ids [T, K], summed over time."""
    labels = tuple(f"feature {n}" for n in range(table.shape[1]))
    layers = (Embedding("words", table), Pool("pool", "mean"))
    return run_reference(SeqSpec(ids.shape[1], labels, layers), ids) * len(ids)


@pytest.mark.parametrize("ids_of_a_token", [1, 2, 3])
def test_an_embedding_is_torchs_bag_of_a_token_s_ids_summed(ids_of_a_token, rng) -> None:
    table, ids = drawn(rng, 40, 6), rng.integers(0, 40, (9, ids_of_a_token))
    bags = torch.nn.functional.embedding_bag(torch.from_numpy(ids), torch.from_numpy(table), mode="sum")
    assert np.allclose(embedded(table, ids), bags.sum(0).numpy(), atol=1e-5)


def test_an_int8_table_answers_with_what_its_rows_stand_for(rng) -> None:
    table = quantize_per_channel(drawn(rng, 40, 6) * np.logspace(-3, 1, 40, dtype=np.float32)[:, None])
    ids = rng.integers(0, 40, (9, 2)).astype(np.int32)
    np.testing.assert_array_equal(embedded(table, ids), embedded(table.dequantize(), ids))


@pytest.mark.parametrize(
    ("ids", "cause"),
    [
        (np.array([[0, 40]]), r"words: ids 0 \.\. 40, its table's are 0 \.\. 39"),
        (np.array([[-1, 3]]), r"words: ids -1 \.\. 3, its"),
        (np.array([[0.0, 1.0]]), "words: takes ids, integers, not float64"),
    ],
)
def test_ids_that_a_table_has_no_row_of_are_refused(ids, cause, rng) -> None:
    with pytest.raises(ValueError, match=cause):
        embedded(drawn(rng, 40, 6), ids)
