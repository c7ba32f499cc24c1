"""The reference interpreter against torch (fp32) and against arithmetic done by hand (int8)."""

import numpy as np
import pytest
import torch

from edgeseq_export.quantize import ActivationQuantization as Rounding
from edgeseq_export.quantize import quantize_per_channel
from edgeseq_export.reference import matmul, run_reference
from edgeseq_export.spec import cells


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
    assert np.allclose(matmul(rows, weight, Rounding.PER_ROW_INT8), exact, rtol=1e-6)


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
