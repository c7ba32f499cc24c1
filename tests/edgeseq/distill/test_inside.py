"""Losses on the inside of a Transformer: what they compute, and that padding counts nowhere."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from edgeseq import models
from edgeseq.distill.inside import HiddenStates, RelationLoss, layer_map
from edgeseq.models.classify.transformer import Trace, TransformerClassifier
from edgeseq.models.config import Inputs, ModelConfig

LENGTHS = torch.tensor([5, 3])
LARGE = ModelConfig("transformer", hidden=12, layers=4, heads=3, pooling="mean")
SMALL = ModelConfig("transformer", hidden=6, layers=2, heads=3, pooling="mean")


def traced(config: ModelConfig, seed: int = 0, features: Tensor | None = None) -> Trace:
    torch.manual_seed(seed)
    module = models.build(config, Inputs(4), ("a", "b"))
    assert isinstance(module, TransformerClassifier)
    if features is None:
        features = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        return module.eval().trace(features, LENGTHS)


def relations(heads: Tensor, count: int, length: int) -> Tensor:
    """Eq. 6 of MiniLMv2 for one recording, head by head: [A, T, T]."""
    rows = torch.cat(list(heads), dim=1)[:length]  # [T, D]
    parts = rows.split(rows.shape[1] // count, dim=1)
    return torch.stack([torch.softmax(part @ part.T / part.shape[1] ** 0.5, dim=1) for part in parts])


def test_the_relation_loss_is_that_of_the_paper() -> None:
    own, its = traced(SMALL, 1), traced(LARGE, 2)
    expected = 0.0
    for number, length in enumerate(LENGTHS.tolist()):
        for name in ("queries", "keys", "values"):
            p, q = (relations(getattr(each, name)[number], 2, length) for each in (its, own))
            expected += float((p * (p / q).log()).sum()) / (2 * length * len(LENGTHS))
    assert torch.isclose(RelationLoss(2)(own, its), torch.tensor(expected), rtol=1e-4)


def test_a_student_like_its_teacher_loses_nothing() -> None:
    own = traced(LARGE)
    assert float(RelationLoss(3)(own, own)) == 0
    hidden = HiddenStates(LARGE, LARGE)
    for projection in (hidden.of_embeddings, hidden.of_layers):
        torch.nn.init.eye_(projection.weight)
    assert float(hidden(own, own).detach()) < 1e-10


def test_what_stands_behind_a_recording_changes_no_loss() -> None:
    features = torch.randn(2, 5, 4)
    changed = features.clone()
    changed[1, 3:] = 7.0
    for loss in (RelationLoss(3), HiddenStates(SMALL, LARGE)):
        found = [
            loss(traced(SMALL, 1, each), _spoilt(traced(LARGE, 2, each))) for each in (features, changed)
        ]
        assert torch.isfinite(found[0])
        torch.testing.assert_close(found[0], found[1])


def _spoilt(trace: Trace) -> Trace:
    """Rows behind the end are rubbish in the middle of a network too."""
    hidden = tuple(rows.masked_fill(~trace.inside[:, :, None], 99.0) for rows in trace.hidden)
    return replace(trace, hidden=hidden)


def test_hidden_states_are_compared_layer_by_layer_as_the_map_says() -> None:
    own, its = traced(SMALL, 1), traced(LARGE, 2)
    loss = HiddenStates(SMALL, LARGE)
    expected = torch.zeros(())
    for m, partner in ((0, 0), (1, 2), (2, 4)):
        project = loss.of_layers if m else loss.of_embeddings
        rows = [(project(own.hidden[m]) - its.hidden[partner])[i, :n] for i, n in enumerate((5, 3))]
        expected = expected + torch.cat(rows).square().mean()
    torch.testing.assert_close(loss(own, its), expected)


def test_the_layer_map_begins_with_the_embeddings_and_ends_with_the_last_layers() -> None:
    assert layer_map(2, 4) == (0, 2, 4)
    assert layer_map(4, 12) == (0, 3, 6, 9, 12)
    assert layer_map(3, 2) == (0, 1, 1, 2)
    assert layer_map(2, 1) == (0, 1, 1)
    assert layer_map(4, 2) == (0, 1, 1, 2, 2)
