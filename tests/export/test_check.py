"""A model that does not fit together is refused by the name of the layer."""

import dataclasses

import numpy as np
import pytest

from edgeseq_export import write_model
from edgeseq_export.check import check_spec
from edgeseq_export.layers import (
    Attention,
    CausalConv,
    ClassToken,
    Embedding,
    Linear,
    Norm,
    Pool,
    Positions,
    Residual,
)
from edgeseq_export.spec import SeqSpec, parameters, quantize_spec


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def attention(heads: int = 2, depth: int = 8, **options) -> Attention:
    arrays = (zeros(3 * depth, 6), zeros(3 * depth), zeros(6, depth), zeros(6))
    return Attention("attention", heads, *arrays, **options)


def classifier(*layers, width: int = 6, outputs: int = 6) -> SeqSpec:
    return SeqSpec(width, tuple(f"class {n}" for n in range(outputs)), layers)


def table(rows: int = 9, width: int = 6, padding: float = 0.0) -> Embedding:
    """Rows of ones behind the row of padding."""
    weight = np.ones((rows, width), np.float32)
    weight[0] = padding
    return Embedding("words", weight)


FITTING = [
    classifier(table(), Pool("p", "mean"), width=1),
    classifier(table(2, 1), Linear("l", zeros(6, 1), zeros(6)), Pool("p", "max"), width=3),
    classifier(Norm("n", zeros(6), zeros(6)), Pool("p", "mean")),
    classifier(CausalConv("c", zeros(4, 18), zeros(4), 3), Pool("p", "last"), outputs=4),
    classifier(ClassToken("t", zeros(1, 6)), Positions("w", zeros(9, 6)), attention(), Pool("p", "first")),
    classifier(
        Residual("r", (Linear("up", zeros(9, 6), zeros(9)), Linear("down", zeros(6, 9), zeros(6)))),
        Pool("p", "max"),
    ),
    classifier(attention(rotary=True, window=4), Pool("p", "last"), Norm("n", zeros(6), zeros(6))),
]


@pytest.mark.parametrize("spec", FITTING)
def test_a_model_that_fits_passes_before_and_after_quantizing(spec) -> None:
    check_spec(spec)
    check_spec(quantize_spec(spec))


MISFITS = [
    (classifier(table(), Pool("p", "mean"), width=0), "words: 0 ids of a token; it takes at least 1"),
    (classifier(table(1), Pool("p", "mean")), r"words: the table is \[1, 6\], not \[R >= 2, D >= 1\]"),
    (classifier(table(2, 0), Pool("p", "mean")), r"words: the table is \[2, 0\]"),
    (classifier(table(padding=1e-3), Pool("p", "mean")), "words: row 0, which id 0 of padding names, is not"),
    (
        classifier(Norm("n", zeros(6), zeros(6)), table(), Pool("p", "mean")),
        "words: an Embedding is a model's",
    ),
    (
        classifier(Residual("r", (table(),)), Pool("p", "mean")),
        "words: an Embedding is a model's first layer",
    ),
    (classifier(table(width=5), Pool("p", "mean")), "5 outputs do not fit 6 labels"),
    (classifier(table(), Linear("l", zeros(6, 2), zeros(6)), Pool("p", "mean"), width=2), r"l\.weight: is"),
    (classifier(Linear("short", zeros(6, 5), zeros(6)), Pool("p", "mean")), r"short\.weight: is \[6, 5\]"),
    (classifier(Linear("bias", zeros(6, 6), zeros(5)), Pool("p", "mean")), r"bias\.bias"),
    (classifier(Linear("act", zeros(6, 6), zeros(6), "tanh"), Pool("p", "mean")), "act: activation 'tanh'"),
    (classifier(CausalConv("c", zeros(4, 18), zeros(4), 0), Pool("p", "mean")), "c: the kernel"),
    (classifier(Norm("n", zeros(6), zeros(6)), outputs=6), "no Pool layer"),
    (classifier(Pool("p", "median")), "p: pooling 'median'"),
    (classifier(Pool("p", "mean"), outputs=5), "6 outputs do not fit 5 labels"),
    (classifier(Pool("p", "mean"), attention()), "attention: Attention behind a Pool"),
    (classifier(Norm("twin", zeros(6), zeros(6)), Pool("twin", "mean")), "two layers are called 'twin'"),
    (classifier(attention(heads=3), Pool("p", "mean")), "attention: 3 heads"),
    (classifier(attention(heads=8, rotary=True), Pool("p", "mean")), "attention: rotary"),
    (classifier(attention(window=0), Pool("p", "mean")), "attention: window is 0"),
    (classifier(Residual("r", (Linear("up", zeros(9, 6), zeros(9)),)), Pool("p", "mean")), "r: changes"),
    (classifier(Residual("r", (Pool("p", "mean"),)), Pool("q", "mean")), "r: changes"),
    (classifier(Residual("r", ()), Pool("q", "mean")), "r: changes"),
    (classifier(Positions("w", zeros(9, 5)), Pool("p", "mean")), r"w\.table"),
    (classifier(ClassToken("t", zeros(2, 6)), Pool("p", "first")), r"t\.token"),
]


@pytest.mark.parametrize(("spec", "message"), MISFITS)
def test_a_misfit_is_named(spec, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_spec(spec)


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_refused_by_the_writers(model_format, value, make_spec) -> None:
    spec = make_spec("lstm")
    spec.layers[0].forward.weight_ih[1, 2] = value
    with pytest.raises(ValueError, match=r"lstm0\.forward\.weight_ih: weight holds NaN or infinity"):
        write_model(spec, model_format, "unit")


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize("name", ["head.weight", "gru0.forward.weight_hh"])
def test_a_weight_of_minus_128_is_refused_by_the_writers(model_format, name, make_spec) -> None:
    spec = quantize_spec(make_spec("gru"))
    parameters(spec)[name].values[0, 0] = -128
    with pytest.raises(ValueError, match=f"{name}: a weight of -128"):
        write_model(spec, model_format, "unit")


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf])
def test_a_scale_that_is_no_positive_number_is_refused_by_the_writers(model_format, scale, make_spec) -> None:
    spec = quantize_spec(make_spec("lstm"))
    parameters(spec)["lstm0.forward.weight_ih"].scale[3] = scale
    with pytest.raises(ValueError, match=r"lstm0\.forward\.weight_ih: (a scale is not|weight holds)"):
        write_model(spec, model_format, "unit")


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize("name", ["features", "lengths", "logits", "/features.count"])
def test_a_layer_called_as_what_a_file_names_itself_is_refused(model_format, name) -> None:
    spec = classifier(Linear(name, zeros(6, 6), zeros(6)), Pool("p", "mean"))
    with pytest.raises(ValueError, match=f"{name}: .* rename the layer"):
        write_model(spec, model_format, "unit")


def test_a_cell_of_another_kind_is_named(make_spec) -> None:
    spec = make_spec("gru")
    lstm = make_spec("lstm").layers[0]
    broken = dataclasses.replace(
        spec, layers=(dataclasses.replace(spec.layers[0], forward=lstm.forward), *spec.layers[1:])
    )
    with pytest.raises(ValueError, match=r"gru0\.forward\.weight_ih"):
        check_spec(broken)
