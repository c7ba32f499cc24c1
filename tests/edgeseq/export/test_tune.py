"""Tuning: every plan measured for real, the fastest kept, and what cannot be tuned refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseq import models
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.pick import pick_device
from edgeseq.export import tune as tuning
from edgeseq.export.tune import Candidate, Subject, Tuning, tune, tuning_device
from edgeseq.features import FeatureSplits, LabelledFeatures
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq_device.errors import GateError, UsageError
from edgeseq_export.choice import plans
from edgeseq_export.spec import quantize_spec
from edgeseq_export.targets import TARGETS

F, LABELS, N = 6, ("a", "b"), 20


def subject(hidden: int = 8) -> Subject:
    torch.manual_seed(2)
    module = models.build(ModelConfig("gru", hidden=hidden), Inputs(F), LABELS)
    module.eval()
    trained = module.to_spec()
    rng = np.random.default_rng(1)
    features = tuple(rng.standard_normal((int(T), F)).astype(np.float32) for T in rng.integers(5, 30, N))
    labels = rng.integers(0, len(LABELS), N)
    split = LabelledFeatures(tuple(map(str, range(N))), features, labels)
    return Subject(module, trained, quantize_spec(trained), FeatureSplits(split, split, split), "unit")


def tuned(subject: Subject, model_format, target: str, device) -> Tuning:
    return tune(
        *(subject, model_format, target, device),
        batch=False,
        prepare=lambda _fraction, _label: None,
        watch=lambda _what, _done, _n: None,
    )


def test_on_this_host_every_plan_has_a_latency_and_the_smallest_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tuning, "ROUNDS", 2)
    found = tuned(subject(), "onnx", "x86", LocalDevice())
    assert (found.metric, found.emulated) == ("latency_p50_ms", False)
    assert [each.plan for each in found.candidates] == list(plans(subject().spec, "onnx", "x86"))
    figures = [each.figure for each in found.candidates]
    assert len(figures) == 2
    assert all(figure is not None and figure > 0 for figure in figures)
    assert found.winner.figure == min(figures)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [each["figure"] for each in record["candidates"]] == figures
    assert [each["kept"] for each in record["candidates"]].count(True) == 1
    assert record["candidates"][0]["sequence"][0]["form"] == "operator"


def test_a_plan_that_the_exporter_lowers_wrongly_is_refused_and_never_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another non-linearity in every TFLite form: nothing is left to keep."""
    from edgeseq_export.tflite import ops

    monkeypatch.setattr(ops, "tanh", ops.sigmoid)
    found = tuned(subject(), "tflite", "x86", LocalDevice())
    assert {each.figure for each in found.candidates} == {None}
    assert all("out of parity on this host" in str(each.refused) for each in found.candidates)
    with pytest.raises(GateError, match="tflite: none of its plans could be measured on local"):
        _ = found.winner


def test_the_smallest_figure_wins_and_a_refused_plan_does_not() -> None:
    plan = plans(subject().spec, "onnx", "x86")[0]
    candidates = (Candidate(plan, 3.0), Candidate(plan, None, "out of parity"), Candidate(plan, 2.0))
    found = Tuning("onnx", "local", "a machine", False, "latency_p50_ms", candidates)
    assert found.winner is candidates[2]


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"x86", "pi4", "pi5"}))
def test_a_target_that_no_device_here_stands_for_names_those_that_can_be_tuned(target: str) -> None:
    with pytest.raises(UsageError, match=rf"target {target}; these can be tuned: x86, pi4, pi5"):
        tuning_device(target)


@pytest.mark.virtual_board
def test_on_a_virtual_board_instructions_decide() -> None:
    """A scan of 8 units is several times the fused operator on an A72; no clock is asked."""
    found = tuned(subject(), "onnx", "pi4", pick_device("pi4"))
    assert (found.metric, found.emulated, found.device) == ("instructions", True, "pi4")
    assert "emulated" in found.description
    operator, scan = (each.figure for each in found.candidates)
    assert scan > 2 * operator
    assert found.winner.plan.sequence[0].form == "operator"


def test_nothing_is_left_in_the_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    tuned(subject(), "onnx", "x86", LocalDevice())
    assert list(tmp_path.iterdir()) == []
