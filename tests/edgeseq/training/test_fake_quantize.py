"""The torch rounding is the exporter's, to the bit; its gradients are those of the rounded factors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from edgeseq.training.fake_quantize import int8_matrix, product
from edgeseq_export.arithmetic import matmul
from edgeseq_export.quantize import ActivationQuantization, quantize_per_channel

SCHEMES = (ActivationQuantization.PER_ROW_INT8, ActivationQuantization.PER_TENSOR_UINT8)
K, N = 70, 12


def rows_of_every_sign() -> npt.NDArray[np.float32]:
    """[2, 6, K]: mixed, all positive, all negative, all zero, one outlier, on the rounding edges."""
    generator = np.random.default_rng(2)
    rows = generator.standard_normal((2, 6, K)).astype(np.float32)
    rows[:, 1] = np.abs(rows[:, 1])
    rows[:, 2] = -np.abs(rows[:, 2])
    rows[:, 3] = 0
    rows[:, 4, 7] = 1e4
    rows[:, 5] = np.linspace(-1.5, 126, K) + 0.5
    return rows


@pytest.mark.parametrize("scale", [1e-42, 1e-3, 1.0, 1e6])
def test_weights_round_as_the_exporter_s(scale: float) -> None:
    weight = (np.random.default_rng(1).standard_normal((N, K)) * scale).astype(np.float32)
    weight[0] = 0
    weight[1, 1:] = 0
    found, expected = int8_matrix(torch.from_numpy(weight)), quantize_per_channel(weight)
    np.testing.assert_array_equal(found.grid.numpy(), expected.values)
    np.testing.assert_array_equal(found.scale.numpy(), expected.scale)
    np.testing.assert_array_equal(found.widened().numpy(), expected.dequantize())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_products_are_the_exporter_s_to_the_bit(scheme: ActivationQuantization) -> None:
    rows = rows_of_every_sign()
    weight = np.random.default_rng(3).standard_normal((N, K)).astype(np.float32)
    found = product(torch.from_numpy(rows), int8_matrix(torch.from_numpy(weight)), scheme, None)
    for recording, answer in zip(rows, found.numpy(), strict=True):
        np.testing.assert_array_equal(answer, matmul(recording, quantize_per_channel(weight), scheme))


@pytest.mark.parametrize("scheme", [ActivationQuantization.NONE, *SCHEMES])
def test_gradients_are_those_of_the_rounded_factors(scheme: ActivationQuantization) -> None:
    rows = torch.randn(2, 5, K, generator=torch.Generator().manual_seed(1), requires_grad=True)
    weight = torch.randn(N, K, generator=torch.Generator().manual_seed(2), requires_grad=True)
    into = torch.randn(2, 5, N, generator=torch.Generator().manual_seed(3))
    (product(rows, int8_matrix(weight), scheme, None) * into).sum().backward()
    assert rows.grad is not None
    assert weight.grad is not None
    torch.testing.assert_close(rows.grad, into @ int8_matrix(weight).widened().detach())
    exact = into.flatten(0, 1).T @ rows.detach().flatten(0, 1)
    assert (weight.grad - exact).abs().max() < 0.02 * exact.abs().max()
    if scheme is not ActivationQuantization.NONE:
        assert not torch.equal(weight.grad, exact), "the activations were not rounded"
