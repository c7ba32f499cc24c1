from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq.bench.added_by_host import _other_target
from edgeseq.bench.run import BenchOptions, bench
from edgeseq.devices.local import LocalDevice
from edgeseq.devices.pick import VirtualDevice
from edgeseq.report.bench_notes import bench_notes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.golden import GoldenVectors
from edgeseq_device.measuring.request import QUICK
from edgeseq_export import bundle

BOTH = ("onnx", "tflite")
ERRORS = {"n": 50, "fp32": 0.4, "onnx": 0.37, "tflite": 0.38, "linear": 0.375}
"""The ONNX file is better than the linear baseline, the TFLite one worse."""


@pytest.mark.parametrize(
    ("target", "board", "told"),
    [("x86", "pi4", True), ("pi4", "pi4", False), ("pi3", "pi4", False), ("generic", "pi5", False)],
)
def test_forms_for_another_kind_of_core_are_warned_about(
    pristine_artifact: Path, monkeypatch: pytest.MonkeyPatch, target: str, board: str, told: bool
) -> None:
    artifact = open_artifact(pristine_artifact)
    monkeypatch.setitem(artifact.manifest, "target", target)
    found = _other_target(artifact, VirtualDevice(board))
    expected = f"{board}: the forms of {artifact.name} were chosen for {target}; export with --target {board}"
    assert [each.startswith(expected) for each in found] == [True] * told


@pytest.fixture
def forecaster(forecaster_folder: Path, tmp_path: Path, rewrite_manifest: Any) -> Path:
    """A copy of the forecaster with golden vectors, to whose mean of six equal hours there is one answer, and
    with the accuracies of an export."""
    folder = Path(shutil.copytree(forecaster_folder, tmp_path / "plant"))
    levels = np.linspace(-1, 1, 16, dtype=np.float32)
    answers = np.repeat(levels[:, None], 2 * 4, axis=1)
    golden = GoldenVectors(
        features=tuple(np.full((6, 2), level, np.float32) for level in levels),
        logits=answers,
        references=dict.fromkeys(BOTH, answers),
        labels=np.zeros(16, np.int64),
        names=tuple(f"hour {number}" for number in range(16)),
    )
    bundle.write_golden(folder, golden)
    (folder / "provenance.json").write_text(json.dumps({"accuracy": {"validation": ERRORS, "test": ERRORS}}))
    rewrite_manifest(folder, lambda _manifest: None)
    return folder


def test_a_benchmark_of_a_forecaster_says_that_a_linear_model_is_better(
    forecaster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the JSON and in the printed notes: whoever has the artifact alone has not seen its training."""
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("edgeseq.bench.run.DEFAULT_KINDS", ("parity",))
    options = BenchOptions(limits=QUICK)
    result = bench(forecaster, LocalDevice(), options, lambda _fraction, _label: None, lambda _event: None)
    assert [each["parity_ok"] for each in result["models"]] == [True, True]
    (told,) = (each for each in json.loads(json.dumps(result))["warnings"] if "linear" in each)
    assert told.startswith(
        "the linear baseline is better on the test split: MSE 0.3750 against tflite 0.3800;"
    )
    assert f"warning: {told}" in " ".join(line.strip() for line in bench_notes(result, 80))
