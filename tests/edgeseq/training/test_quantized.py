"""The batched quantized forward is the reference interpreter's, recording by recording, with gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from edgeseq import models
from edgeseq.batches import padded
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.training.quantized import quantized_logits
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Cell,
    ClassToken,
    Layer,
    Linear,
    Norm,
    Pool,
    Positions,
    Residual,
)
from edgeseq_export.quantize import ActivationQuantization, quantize_per_channel
from edgeseq_export.reference import Rounding, run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec, quantized_layers

F, H, LABELS = 5, 8, ("a", "b", "c")
LENGTHS = (11, 1, 7, 4, 11, 2)
NOISE_DRAWS = 12
SCHEMES = list(ActivationQuantization)

FloatArray = npt.NDArray[np.float32]


class Draw:
    """Random weights, as a trained model might have them."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(5)

    def __call__(self, *shape: int) -> FloatArray:
        return (self.generator.standard_normal(shape) * 0.5).astype(np.float32)

    def cell(self, gates: int, inputs: int) -> Cell:
        return Cell(self(gates * H, inputs), self(gates * H, H), self(gates * H), self(gates * H))

    def linear(self, name: str, inputs: int, outputs: int, activation: Any = "none") -> Linear:
        return Linear(name, self(outputs, inputs), self(outputs), activation)

    def norm(self, name: str, width: int) -> Norm:
        return Norm(name, 1 + self(width), self(width))

    def attention(self, name: str, **options: Any) -> Attention:
        return Attention(name, 2, self(3 * H, H), self(3 * H), self(H, H), self(H), **options)


def stacks() -> dict[str, tuple[Layer, ...]]:
    """Every layer kind and pooling at least once, and the mixtures in which one could disturb the other."""
    draw = Draw()
    head, wide = draw.linear("head", H, 3), draw.linear("head", 2 * H, 3)
    gru, lstm = GRU("gru0", draw.cell(3, F)), LSTM("lstm0", draw.cell(4, F))
    both = GRU("gru0", draw.cell(3, F), draw.cell(3, F))
    second = LSTM("lstm1", draw.cell(4, 2 * H), draw.cell(4, 2 * H))
    into = draw.linear("embed", F, H)
    conv = CausalConv("conv", draw(H, 3 * F), draw(H), 3, "relu")
    feed = (draw.norm("n", H), draw.linear("up", H, 2 * H, "gelu"), draw.linear("down", 2 * H, H))
    found: dict[str, tuple[Layer, ...]] = {}
    for kind in ("last", "mean", "max", "first"):
        found[f"gru-{kind}"] = (gru, Pool("pool", kind), head)
        found[f"bi-{kind}"] = (both, second, Pool("pool", kind), wide)
        found[f"attention-{kind}"] = (into, Residual("r", (draw.attention("a"),)), Pool("pool", kind), head)
    found["lstm"] = (lstm, draw.norm("n", H), Pool("pool", "last"), head)
    found["conv"] = (conv, GRU("gru0", draw.cell(3, H)), Pool("pool", "last"), head)
    found["window"] = (into, draw.attention("a", window=3, rotary=True), Pool("pool", "mean"), head)
    table = Positions("p", draw(16, H))
    found["transformer"] = (
        into,
        ClassToken("t", draw(1, H)),
        table,
        Residual("r1", (draw.norm("n1", H), draw.attention("a", rotary=True))),
        Residual("r2", feed),
        Pool("pool", "first"),
        head,
    )
    return found


STACKS = stacks()


def recordings(inputs: int = F) -> list[FloatArray]:
    """Of unequal lengths, the shortest with the largest values: its scale must not reach the others."""
    generator = np.random.default_rng(6)
    return [
        (generator.standard_normal((T, inputs)) * (1 + 20 * (T < 3)) + 0.4).astype(np.float32)
        for T in LENGTHS
    ]


def assert_like_the_reference(
    found: Tensor, spec: SeqSpec, inputs: list[FloatArray], rounding: Rounding
) -> None:
    """Within 1e-4, but for one that moves as far when its activations change in the 7th digit."""
    exact = 0
    for logits, features in zip(found.detach().numpy(), inputs, strict=True):
        expected = run_reference(spec, features, rounding)
        error = np.abs(logits - expected).max()
        exact += bool(error <= 1e-4)
        if error > 1e-4:
            noise = [np.random.default_rng(draw) for draw in range(NOISE_DRAWS)]
            moved = [run_reference(spec, features, rounding, each) - expected for each in noise]
            assert error <= 1.5 * np.abs(moved).max()
    assert exact >= len(inputs) - 1, "more than one recording met a rounding on the edge"


def everywhere(spec: SeqSpec, scheme: ActivationQuantization) -> Rounding:
    return dict.fromkeys(quantized_layers(spec), scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", STACKS)
def test_every_layer_of_a_padded_batch_answers_as_the_reference_alone(
    name: str, scheme: ActivationQuantization
) -> None:
    spec = SeqSpec(F, LABELS, STACKS[name])
    inputs, rounding = recordings(), everywhere(spec, scheme)
    found = quantized_logits(spec, *padded(inputs), rounding)
    assert_like_the_reference(found, quantize_spec(spec), inputs, rounding)


@pytest.mark.parametrize("name", STACKS)
def test_what_stands_after_a_recordings_end_changes_nothing(name: str) -> None:
    spec = SeqSpec(F, LABELS, STACKS[name])
    features, lengths = padded(recordings())
    for scheme in SCHEMES:
        clean = quantized_logits(spec, features, lengths, everywhere(spec, scheme))
        dirty = features.clone()
        for row, length in zip(dirty, lengths, strict=True):
            row[length:] = 1e3
        assert torch.equal(quantized_logits(spec, dirty, lengths, everywhere(spec, scheme)), clean)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "config",
    [
        ModelConfig("gru", hidden=6, layers=2, bidirectional=True, pooling="mean"),
        ModelConfig("gru", hidden=7, pooling="last"),
        ModelConfig("lstm", hidden=6, layers=2, pooling="max"),
        ModelConfig("lstm", hidden=6, bidirectional=True),
        ModelConfig("gru", hidden=6, conv_kernel=3),
        ModelConfig("transformer", hidden=8, layers=2, pooling="mean", heads=2),
        ModelConfig(
            "transformer", hidden=8, layers=1, pooling="cls", heads=2, positions="learned", max_frames=20
        ),
        ModelConfig("transformer", hidden=8, layers=1, pooling="last", heads=2, causal=True, window=4),
    ],
    ids=lambda config: f"{config.title}-{config.pooling}",
)
def test_a_family_trains_with_the_arithmetic_of_its_export(
    config: ModelConfig, scheme: ActivationQuantization
) -> None:
    torch.manual_seed(1)
    module = models.build(config, Inputs(F), LABELS)
    spec = module.to_spec()
    inputs, rounding = recordings(), everywhere(spec, scheme)
    found = quantized_logits(module.to_spec(leaf=lambda parameter: parameter), *padded(inputs), rounding)
    assert_like_the_reference(found, quantize_spec(spec), inputs, rounding)
    torch.nn.functional.cross_entropy(found, torch.tensor([0, 1, 2, 0, 1, 2])).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_gradients_point_where_the_fp32_model_s_do() -> None:
    """Straight-through: with fine rounding the gradient is nearly that of the fp32 model."""
    torch.manual_seed(1)
    module = models.build(ModelConfig("gru", hidden=16), Inputs(F), LABELS)
    module.eval()
    features, lengths = padded(recordings()[:1])
    label = torch.tensor([1])
    gradients = []
    for scheme in (None, *SCHEMES):
        module.zero_grad()
        spec = module.to_spec(leaf=lambda parameter: parameter)
        found = (
            module(features, lengths)
            if scheme is None
            else quantized_logits(spec, features, lengths, everywhere(spec, scheme))
        )
        torch.nn.functional.cross_entropy(found, label).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None]))
    for quantized in gradients[1:]:
        assert torch.nn.functional.cosine_similarity(gradients[0], quantized, dim=0) > 0.999


def test_only_the_named_layers_are_quantized() -> None:
    spec = SeqSpec(F, LABELS, STACKS["bi-mean"])
    rounding = everywhere(spec, ActivationQuantization.PER_ROW_INT8)
    inputs = recordings()
    for chosen in ((), ("gru0",), ("lstm1", "head")):
        others = [name for name in quantized_layers(spec) if name not in chosen]
        found = quantized_logits(spec, *padded(inputs), rounding, int8=chosen)
        assert_like_the_reference(found, quantize_spec(spec, keep_fp32=others), inputs, rounding)


def test_rows_of_zeros_and_rows_too_small_for_a_scale_become_zero_as_in_the_export() -> None:
    generator = np.random.default_rng(8)
    weight = generator.standard_normal((4, H)).astype(np.float32)
    weight[1] = 0
    weight[2] = np.finfo(np.float32).tiny * weight[2]
    weight[3, 0] = 1e4
    layers = (
        GRU("gru0", Draw().cell(3, F)),
        Pool("pool", "last"),
        Linear("head", weight, np.zeros(4, np.float32)),
    )
    spec = SeqSpec(F, (*LABELS, "d"), layers)
    rounding = everywhere(spec, ActivationQuantization.NONE)
    found = quantized_logits(spec, *padded(recordings()), rounding)
    assert not found[:, 1:3].any()
    assert not quantize_per_channel(weight).values[1:3].any()
    for logits, features in zip(found, recordings(), strict=True):
        np.testing.assert_allclose(logits, run_reference(quantize_spec(spec), features, rounding), rtol=1e-4)


def test_more_frames_than_positions_are_refused_by_the_layer_s_name() -> None:
    spec = SeqSpec(F, LABELS, STACKS["transformer"])
    features = torch.zeros(2, 16, F)
    with pytest.raises(ValueError, match="p: 17 frames, it knows 16 positions"):
        quantized_logits(spec, features, torch.tensor([16, 3]), {})
