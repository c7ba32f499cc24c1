"""Every lowering on its own runtime against the reference interpreter: one form a row."""

from pathlib import Path

import numpy as np
import pytest

from edgeseq_device import runtimes
from edgeseq_export import write_model
from edgeseq_export.layers import Attention, Linear, Pool, Residual
from edgeseq_export.parity import TOLERANCE, compare
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec

SHAPES = [
    (1, False, "last"),
    (1, False, "mean"),
    (2, False, "max"),
    (1, True, "last"),
    (2, True, "mean"),
    (2, True, "max"),
]


def references(spec: SeqSpec, model, sequences) -> np.ndarray:
    return np.stack([run_reference(spec, features, model.rounding) for features in sequences])


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize(("layers", "bidirectional", "pooling"), SHAPES)
def test_the_runtime_answers_as_the_reference(
    model_format, precision, kind, layers, bidirectional, pooling, make_spec, sequences, tmp_path: Path
) -> None:
    spec = make_spec(kind, layers=layers, bidirectional=bidirectional, pooling=pooling)
    spec = quantize_spec(spec) if precision == "int8" else spec
    model = write_model(spec, model_format, "unit")
    path = tmp_path / f"model.{model_format}"
    path.write_bytes(model.content)
    loaded = runtimes.load(path, model_format)
    answers = np.stack([loaded.run(features) for features in sequences])
    names = tuple(f"{len(features)} frames" for features in sequences)
    parity = compare(
        model_format, answers, "reference", references(spec, model, sequences), names, TOLERANCE[precision]
    )
    assert parity.passed, parity


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_the_smallest_model_answers_as_the_reference(
    model_format, precision, kind, make_spec, tmp_path
) -> None:
    """One feature, one unit, two classes, one frame and more."""
    spec = make_spec(kind, features=1, hidden=1, classes=2, bidirectional=True, layers=2, pooling="mean")
    spec = quantize_spec(spec) if precision == "int8" else spec
    model = write_model(spec, model_format, "unit")
    (tmp_path / "model").write_bytes(model.content)
    loaded = runtimes.load(tmp_path / "model", model_format)
    for frames in (1, 26, 2):
        features = np.linspace(-1, 2, frames, dtype=np.float32)[:, None]
        expected = run_reference(spec, features, model.rounding)
        assert np.abs(loaded.run(features) - expected).max() < TOLERANCE[precision]


def test_a_model_that_reads_backwards_is_not_causal(make_spec) -> None:
    for model_format in ("onnx", "tflite"):
        assert not write_model(make_spec("gru", bidirectional=True), model_format, "unit").causal
        assert write_model(make_spec("gru"), model_format, "unit").causal


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize(("window", "causal"), [(None, False), (3, True)])
def test_a_model_with_attention_is_causal_where_it_has_a_window(model_format, window, causal) -> None:
    zeros = [np.zeros(shape, np.float32) for shape in ((18, 6), 18, (6, 6), 6)]
    block = Residual("outer", (Residual("inner", (Attention("attention", 2, *zeros, window=window),)),))
    model = write_model(SeqSpec(6, tuple("abcdef"), (block, Pool("pool", "mean"))), model_format, "unit")
    assert model.causal == causal


def test_equal_specs_give_equal_bytes(make_spec) -> None:
    for model_format in ("onnx", "tflite"):
        first, second = (write_model(quantize_spec(make_spec()), model_format, "unit") for _ in range(2))
        assert first.content == second.content


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_a_linear_layer_without_pooling_is_refused(model_format, make_spec) -> None:
    spec = make_spec()
    bare = SeqSpec(12, spec.labels, (Linear("head", np.zeros((5, 12), np.float32), np.zeros(5, np.float32)),))
    with pytest.raises(ValueError, match="Pool"):
        write_model(bare, model_format, "unit")


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_int8_files_are_little_more_than_their_weights(kind, make_spec) -> None:
    """GRU-64 on 40 features: weights x 1.02 + 40 KB for TFLite, + 8 KB for ONNX."""
    from edgeseq_export.budget import weight_bytes

    spec = quantize_spec(make_spec(kind, features=40, hidden=64, classes=10))
    for model_format, allowance in (("tflite", 40_000), ("onnx", 8_000)):
        assert len(write_model(spec, model_format, "unit").content) <= weight_bytes(spec) * 1.02 + allowance
