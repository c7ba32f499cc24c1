"""What a board reads of an artifact, and what only the host does."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from edgeseq.export.manifest import NO_STEP, Judged, manifest, model_entry
from edgeseq.export.options import ExportOptions
from edgeseq_device.frontend import LogMel, front_end_from_dict
from edgeseq_export import write_model
from edgeseq_export.choice import choose
from edgeseq_export.layers import GRU, Cell, Linear, Pool
from edgeseq_export.spec import SeqSpec
from edgeseq_export.state import why_no_step


def small_spec(features: int = 4, hidden: int = 6) -> SeqSpec:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    cell = Cell(draw(3 * hidden, features), draw(3 * hidden, hidden), draw(3 * hidden), draw(3 * hidden))
    head = Linear("head", draw(2, hidden), draw(2))
    return SeqSpec(features, ("off", "on"), (GRU("gru0", cell), Pool("pool", "last"), head))


def test_statistics_come_back_as_the_very_same_float32_from_fewer_digits() -> None:
    rows = np.random.default_rng(1).standard_normal((500, 40)).astype(np.float32) * 3 - 10
    front_end = LogMel(8000).fitted_on([rows])
    spec = small_spec(40)
    written = manifest("x", ExportOptions(), spec, front_end, {}, 16, 1e-3)["features"]["front_end"]
    assert len(json.dumps(written)) < 0.7 * len(json.dumps(front_end.to_dict()))
    read = front_end_from_dict(json.loads(json.dumps(written)))
    assert np.array_equal(read.standardised(rows), front_end.standardised(rows))
    assert written.keys() == front_end.to_dict().keys()


def test_a_model_says_how_it_was_judged_and_whether_a_step_form_was_wanted() -> None:
    spec = small_spec()
    model = write_model(spec, "onnx", "reading")
    entry = model_entry(spec, model, Judged(1e-3, 1e-5, 0.25), step=True)
    assert (entry["parity_tolerance"], entry["step"]["parity_tolerance"]) == (1e-3, 1e-5)
    assert entry["rejection_threshold"] == 0.25
    assert "rejection_threshold" not in model_entry(spec, model, Judged(1e-3, 1e-5), step=True)


def test_a_step_form_that_is_left_out_says_how_to_get_it() -> None:
    model = write_model(small_spec(), "onnx", "reading", replace(choose(small_spec(), "onnx"), step=None))
    entry = model_entry(small_spec(), model, Judged(1e-3), step=False)
    assert (entry["step"], entry["step_reason"]) == (None, NO_STEP)
    assert "edgeseq export --step" in NO_STEP


def test_a_model_that_cannot_stream_says_so_whatever_was_asked_for() -> None:
    spec = small_spec(features=6)
    spec = replace(spec, layers=(Pool("pool", "first"), spec.layers[-1]))
    for step in (True, False):
        entry = model_entry(spec, write_model(spec, "onnx", "reading"), Judged(1e-3), step=step)
        assert entry["step_reason"] == why_no_step(spec)
        assert "pool" in entry["step_reason"]
