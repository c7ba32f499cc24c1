"""What is said of a plan that does not fit how the run was trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from edgeseq import models
from edgeseq.export.plans import other_roundings
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.training.recipe import QatConfig
from edgeseq_export import FORMATS, write_model
from edgeseq_export.choice import choose
from edgeseq_export.spec import quantize_spec


def warnings(qat: QatConfig | None, target: str, keep_fp32: tuple[str, ...] = ()) -> list[str]:
    """Of a GRU of 64 units: TFLite computes it in int8 on a Pi and in fp32 on armv7."""
    torch.manual_seed(0)
    module = models.build(ModelConfig("gru", hidden=64), Inputs(5), ("a", "b"))
    spec = quantize_spec(module.to_spec(), keep_fp32)
    run: Any = SimpleNamespace(recipe=SimpleNamespace(qat=qat))
    formats = [each for each in FORMATS if target != "armv7" or each == "tflite"]
    exported = {each: write_model(spec, each, "unit", choose(spec, each, target)) for each in formats}
    return other_roundings(run, module, exported)


def test_a_file_that_rounds_otherwise_than_the_training_is_warned_about() -> None:
    (only,) = warnings(QatConfig("pi4", "tflite"), "armv7")
    assert only.startswith("tflite: gru0")
    assert "for tflite on pi4" in only
    assert [each.partition(":")[0] for each in warnings(QatConfig("pi4", "tflite"), "pi4")] == ["onnx"]


@pytest.mark.parametrize(
    ("qat", "target"), [(None, "pi4"), (QatConfig("armv7", "tflite"), "armv7"), (QatConfig(), "generic")]
)
def test_a_file_that_rounds_as_it_was_trained_is_not(qat: QatConfig | None, target: str) -> None:
    assert not any(each.startswith("tflite") for each in warnings(qat, target))


def test_a_layer_that_is_kept_in_fp32_rounds_nothing() -> None:
    assert warnings(QatConfig("pi4", "tflite"), "armv7", keep_fp32=("gru0", "head")) == []
