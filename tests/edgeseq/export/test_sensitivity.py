"""The sensitivity report: each layer alone in int8, against the fp32 model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseq import models
from edgeseq.export.sensitivity import ALL, sensitivity
from edgeseq.features import LabelledFeatures
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.model import SequenceModel
from edgeseq_device.errors import DataError
from edgeseq_export.quantize import ActivationQuantization
from edgeseq_export.reference import Rounding, run_reference
from edgeseq_export.spec import quantize_spec, quantized_layers

F, LABELS, N = 4, ("a", "b", "c"), 40
LAYERS = ("gru0", "gru1", "head")
INT8 = dict.fromkeys(LAYERS, ActivationQuantization.PER_ROW_INT8)


@pytest.fixture
def module() -> SequenceModel:
    """A two-layer GRU whose second layer has an outlier in every row, at an input that is always 0.

    In fp32 it changes nothing; in int8 the rows' scales leave little of their other weights.
    """
    torch.manual_seed(3)
    built = models.build(ModelConfig("gru", hidden=8, layers=2), Inputs(F), LABELS)
    parameters = dict(built.named_parameters())
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            parameters[f"recurrent.{name}"][16] = 0  # n of the first unit, whose state stays 0
        parameters["recurrent.weight_ih_l1"].mul_(3)[:, 0] = 300
        parameters["head.weight"].mul_(8)
    return built


def labelled(module: SequenceModel, flipped: int = 0) -> LabelledFeatures:
    """Recordings that the fp32 model has right, but for the first `flipped` ones."""
    generator = np.random.default_rng(4)
    features = tuple(
        generator.standard_normal((int(T), F)).astype(np.float32) for T in generator.integers(3, 15, N)
    )
    spec = module.to_spec()
    labels = np.array([run_reference(spec, each).argmax() for each in features], np.int64)
    labels[:flipped] = (labels[:flipped] + 1) % len(LABELS)
    return LabelledFeatures(tuple(map(str, range(N))), features, labels)


def right(module: SequenceModel, split: LabelledFeatures, keep: set[str], rounding: Rounding) -> int:
    """How many the reference interpreter has right with all layers but `keep` in int8."""
    spec = quantize_spec(module.to_spec(), keep)
    answers = [run_reference(spec, each, rounding).argmax() for each in split.features]
    return int((np.array(answers) == split.labels).sum())


def test_each_row_is_what_the_reference_measures_with_that_layer_alone(module: SequenceModel) -> None:
    split = labelled(module)
    rows = {row.layer: row for row in sensitivity(module, module.to_spec(), INT8, split)}
    assert set(rows) == {*LAYERS, ALL}
    for name, row in rows.items():
        keep = set() if name == ALL else set(LAYERS) - {name}
        correct = right(module, split, keep, INT8)
        assert row.n == N
        assert row.flips == N - correct
        assert row.accuracy == correct / N
        assert row.drop == pytest.approx(100 * (N - correct) / N)


def test_the_most_harmful_layer_comes_first_and_all_of_them_last(module: SequenceModel) -> None:
    rows = sensitivity(module, module.to_spec(), INT8, labelled(module))
    assert rows[0].layer == "gru1"
    assert rows[0].flips > 0
    harm = [(row.flips, row.logit_error) for row in rows[:-1]]
    assert harm == sorted(harm, reverse=True)
    assert rows[-1].layer == ALL


def test_a_recording_that_only_int8_has_right_counts_for_it(module: SequenceModel) -> None:
    """The same logits against other labels: net flips, which can be below zero."""
    found = [sensitivity(module, module.to_spec(), INT8, labelled(module, flipped))[-1] for flipped in (0, N)]
    assert found[0].logit_error == found[1].logit_error > 0
    assert found[0].flips > 0 > found[1].flips
    assert found[1].drop < 0


def test_bytes_are_those_of_the_weight_matrices(module: SequenceModel) -> None:
    spec = module.to_spec()
    rows = {row.layer: row for row in sensitivity(module, spec, INT8, labelled(module))}
    assert (rows["gru0"].kind, rows["head"].kind, rows[ALL].kind) == ("GRU", "Linear", "")
    assert rows["head"].fp32_bytes == 4 * 3 * 8
    assert rows["head"].int8_bytes == 3 * 8 + 4 * 3
    assert rows["gru0"].fp32_bytes == 4 * 24 * (F + 8)
    assert rows["gru0"].int8_bytes == 24 * (F + 8) + 4 * 2 * 24
    for field in ("fp32_bytes", "int8_bytes"):
        assert getattr(rows[ALL], field) == sum(getattr(rows[name], field) for name in LAYERS)


def test_layers_inside_a_residual_have_rows_too() -> None:
    torch.manual_seed(3)
    module = models.build(
        ModelConfig("transformer", hidden=8, layers=1, pooling="mean", heads=2), Inputs(F), LABELS
    )
    spec = module.to_spec()
    rows = sensitivity(module, spec, {}, labelled(module))
    assert {row.layer for row in rows} == {*quantized_layers(spec), ALL}
    assert "Attention" in {row.kind for row in rows}


def test_weights_that_are_no_numbers_are_refused_by_name(module: SequenceModel) -> None:
    split = labelled(module)
    with torch.no_grad():
        dict(module.named_parameters())["recurrent.weight_ih_l0"][0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"gru0\.forward\.weight_ih: weight holds NaN"):
        sensitivity(module, module.to_spec(), INT8, split)


def test_an_empty_split_is_refused(module: SequenceModel) -> None:
    empty = LabelledFeatures((), (), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no recordings"):
        sensitivity(module, module.to_spec(), INT8, empty)
