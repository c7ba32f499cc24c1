"""Forecasters: both formats, in each form, against the reference interpreter; what does not fit, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device import runtimes
from edgeseq_export import write_model
from edgeseq_export.check import check_spec
from edgeseq_export.choice import choose, fastest_format, plans
from edgeseq_export.exported import ExportedModel
from edgeseq_export.forms import DYNAMIC, LayerForm, Plan
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    Cell,
    Layer,
    Linear,
    Norm,
    ParallelSteps,
    Patches,
    PerChannel,
    Pool,
    Positions,
    Residual,
    Reversible,
)
from edgeseq_export.parity import TOLERANCE, compare
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import (
    SeqSpec,
    channels_of,
    frames_behind,
    parameters,
    quantize_spec,
    quantized_layers,
)
from edgeseq_export.state import why_no_step
from edgeseq_export.targets import TARGETS

FORMATS = ("onnx", "tflite")


class Draw:
    """Layers with random weights that keep activations near one."""

    def __init__(self, seed: int = 4) -> None:
        self._random = np.random.default_rng(seed)

    def array(self, *shape: int, bound: float = 0.5) -> np.ndarray:
        return self._random.uniform(-bound, bound, shape).astype(np.float32)

    def linear(self, name: str, width: int, out: int, activation: Any = "none") -> Linear:
        return Linear(name, self.array(out, width, bound=1.5 / width**0.5), self.array(out), activation)

    def norm(self, name: str, width: int) -> Norm:
        return Norm(name, 1 + self.array(width), self.array(width))

    def cell(self, gates: int, hidden: int) -> Cell:
        rows = gates * hidden
        square = (self.array(rows, hidden, bound=1.5 / hidden**0.5) for _ in range(2))
        return Cell(*square, self.array(rows), self.array(rows))

    def attention(self, name: str, width: int, heads: int, **options: Any) -> Attention:
        weights = self.array(3 * width, width), self.array(3 * width), self.array(width, width)
        return Attention(name, heads, *weights, self.array(width), **options)


def segments(
    family: str = "gru", *, frames: int = 40, segment: int = 8, horizon: int = 16, hidden: int = 12
) -> tuple[Layer, ...]:
    """A GRU or LSTM over segments, and steps with its weights."""
    draw, kind, gates = Draw(), *{"gru": (GRU, 3), "lstm": (LSTM, 4)}[family]
    cell = draw.cell(gates, hidden)
    patches = Patches("segments", segment, segment, -frames % segment)
    inputs = draw.array(horizon // segment, gates * hidden)
    steps = ParallelSteps("steps", inputs, cell.weight_hh.copy(), cell.bias_hh.copy())
    ends = draw.linear("out", hidden, segment), Pool("moments", "all")
    return patches, draw.linear("in", segment, hidden, "relu"), kind("cell", cell), steps, *ends


def patches(frames: int = 40, length: int = 12, horizon: int = 16, **options: Any) -> tuple[Layer, ...]:
    """Overlapping patches, the last one padded; positions; a pre-norm block."""
    draw, D, stride = Draw(), 8, length // 2
    cut = Patches("patches", length, stride, stride)
    count = frames_behind(cut, frames)
    block = (
        Residual("block", (draw.norm("norm", D), draw.attention("attention", D, 2, **options))),
        Residual(
            "wide", (draw.norm("norm2", D), draw.linear("up", D, 16, "gelu"), draw.linear("down", 16, D))
        ),
    )
    head = draw.linear("head", count * D, horizon)
    positions = Positions("positions", draw.array(count + 1, D))
    return cut, draw.linear("in", length, D), positions, *block, Pool("moments", "all"), head


def linear(frames: int = 40, horizon: int = 16) -> tuple[Layer, ...]:
    return Pool("moments", "all"), Draw().linear("head", frames, horizon)


def stacked(pooling: Any, frames: int = 9) -> tuple[Layer, ...]:
    """Recurrent layers whose frames are read, moment by moment."""
    draw = Draw()
    layers = draw.linear("in", 1, 6), GRU("gru", draw.cell(3, 6)), LSTM("lstm", draw.cell(4, 6))
    wide = 6 * (frames if pooling == "all" else 1)
    return *layers, draw.norm("norm", 6), Pool("pool", pooling), draw.linear("head", wide, 16)


def forecaster(
    layers: tuple[Layer, ...], kind: str | None = "last", *, channels: int = 3, frames: int = 40
) -> SeqSpec:
    """Of a horizon of 16."""
    whole: Layer = PerChannel("channels", layers)
    if kind is not None:
        whole = Reversible("normalised", (whole,), kind)
    labels = tuple(f"channel {n}" for n in range(channels))
    return SeqSpec(channels, labels, (whole,), frames, horizon=16)


MODELS: dict[str, Callable[[], SeqSpec]] = {
    "gru": lambda: forecaster(segments()),
    "gru of one channel": lambda: forecaster(segments(), "standard", channels=1),
    "gru, padded segments": lambda: forecaster(segments(frames=43), None, channels=2, frames=43),
    "lstm": lambda: forecaster(segments("lstm"), "standard", channels=5),
    "lstm of one step": lambda: forecaster(segments("lstm", segment=16, frames=32), frames=32),
    "transformer": lambda: forecaster(patches(), "standard", channels=4),
    "transformer with a window": lambda: forecaster(patches(rotary=True, window=3), None),
    "linear": lambda: forecaster(linear(), None, channels=7),
    "every moment, all": lambda: forecaster(stacked("all"), frames=9),
    "every moment, last": lambda: forecaster(stacked("last"), "standard", frames=9),
    "every moment, mean": lambda: forecaster(stacked("mean"), frames=9),
    "every moment, max": lambda: forecaster(stacked("max"), frames=9),
    "every moment, first": lambda: forecaster(stacked("first"), frames=9),
}


def contexts(spec: SeqSpec, count: int = 3) -> list[np.ndarray]:
    """Each channel at a level and of a spread of its own."""
    rng = np.random.default_rng(11)
    C = spec.input_features
    level, spread = rng.uniform(-3, 3, C), np.exp(rng.uniform(-1, 1, C))
    shape = (count, spec.frames or 1, C)
    return list((rng.standard_normal(shape) * spread + level).astype(np.float32))


def answers(model: ExportedModel, inputs: list[np.ndarray], folder: Path) -> np.ndarray:
    (folder / "model").write_bytes(model.content)
    loaded = runtimes.load(folder / "model", model.format)
    return np.stack([loaded.run(each) for each in inputs])


def assert_agrees(spec: SeqSpec, model: ExportedModel, folder: Path) -> None:
    inputs = contexts(spec)
    expected = np.stack([run_reference(spec, each, model.rounding) for each in inputs])
    assert expected.shape == (len(inputs), spec.outputs)
    int8 = any(form.product.compute == "int8" for form in model.layers)
    names = tuple(map(str, range(len(inputs))))
    tolerance = TOLERANCE["int8" if int8 else "fp32"]
    parity = compare(model.format, answers(model, inputs, folder), "reference", expected, names, tolerance)
    assert parity.max_error is not None
    assert parity.max_error <= tolerance, parity


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_every_plan_of_a_file_answers_as_the_reference(
    name: str, quantized: bool, model_format: Any, tmp_path: Path
) -> None:
    spec = quantize_spec(MODELS[name]()) if quantized else MODELS[name]()
    for plan in plans(spec, model_format):
        model = write_model(spec, model_format, "unit", plan)
        assert [each.shape for each in model.inputs] == [(1, spec.frames, spec.input_features)]
        assert [each.shape for each in model.outputs] == [(1, 16 * spec.input_features)]
        assert_agrees(spec, model, tmp_path)


def test_the_forms_of_an_old_runtime_answer_as_the_reference(tmp_path: Path) -> None:
    for name in ("gru", "transformer"):
        spec = quantize_spec(MODELS[name]())
        plan = choose(spec, "tflite", "armv7", compute="int8")
        assert {form.product.name for form in plan.sequence} >= {"row_scale"}
        assert_agrees(spec, write_model(spec, "tflite", "unit", plan), tmp_path)


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("name", ["gru", "lstm", "transformer", "linear"])
def test_no_channel_sees_another(name: str, model_format: Any, tmp_path: Path) -> None:
    """int8 products too: no scale of theirs spans channels."""
    spec = quantize_spec(MODELS[name]())
    clean = contexts(spec, 1)[0]
    wild = clean.copy()
    wild[:, 0] *= 100
    plan = choose(spec, model_format, compute="int8")
    found = answers(write_model(spec, model_format, "unit", plan), [clean, wild], tmp_path)
    before, after = found.reshape(2, spec.horizon, -1)
    assert np.abs(before - after)[:, 0].max() > 0.1
    assert np.array_equal(before[:, 1:], after[:, 1:])


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("kind", ["last", "standard"])
def test_a_level_comes_back_and_a_still_channel_stays_where_it_is(
    kind: str, model_format: Any, tmp_path: Path
) -> None:
    spec = forecaster(linear(), kind)
    (whole,) = spec.layers
    zeros = dataclasses.replace(spec.layers[0].layers[0].layers[1], weight=np.zeros((16, 40), np.float32))
    zeros = dataclasses.replace(zeros, bias=np.zeros(16, np.float32))
    still = dataclasses.replace(whole, layers=(PerChannel("channels", (Pool("p", "all"), zeros)),))
    spec = dataclasses.replace(spec, layers=(still,))
    context = np.tile(np.array([[5, -2, 0]], np.float32), (40, 1))
    (found,) = answers(write_model(spec, model_format, "unit"), [context], tmp_path)
    assert np.allclose(found.reshape(16, 3), [[5, -2, 0]], atol=1e-5)
    assert np.allclose(run_reference(spec, context), found, atol=1e-5)


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("family", ["gru", "lstm"])
def test_the_steps_weights_are_in_a_file_once(family: str, model_format: Any, tmp_path: Path) -> None:
    layers = segments(family, hidden=64)
    weight = parameters(forecaster(layers))["steps.weight_hh"]
    others = changed(layers, "steps", weight_hh=weight[::-1].copy())
    once, twice = (
        len(write_model(quantize_spec(forecaster(each)), model_format, "unit").content)
        for each in (layers, others)
    )
    assert twice - once >= weight.shape[0] * weight.shape[1]
    kept = quantize_spec(forecaster(segments(family)), keep_fp32=("cell",))
    assert_agrees(kept, write_model(kept, model_format, "unit"), tmp_path)


def test_it_has_no_step_form_and_no_batch() -> None:
    spec = MODELS["gru"]()
    assert "whole context of 40 frames" in (why_no_step(spec) or "")
    for model_format in FORMATS:
        model = write_model(spec, model_format, "unit")
        assert (model.step, model.batch, model.causal) == (None, False, False)
        with pytest.raises(ValueError, match="forecaster takes one context at a time"):
            choose(spec, model_format, batch=True)


def test_its_layers_are_found_inside_what_wraps_them() -> None:
    spec = MODELS["gru"]()
    assert quantized_layers(spec) == ("in", "cell", "steps", "out")
    assert "steps.weight_hh" in parameters(spec)
    assert channels_of(spec) is spec.layers[0].layers[0]


@pytest.mark.parametrize("target", TARGETS)
def test_onnx_runtime_s_scales_over_all_rows_are_never_chosen(target: str) -> None:
    spec = quantize_spec(MODELS["lstm"]())
    if "onnx" not in TARGETS[target].formats:
        return
    chosen = choose(spec, "onnx", target, compute="int8")
    assert {form.product.compute for form in chosen.sequence} == {"fp32"}
    forms = [_dynamic(form) if form.layer == "in" else form for form in chosen.sequence]
    with pytest.raises(ValueError, match="in: Linear with int8 weights has no form 'rows' with the product"):
        write_model(spec, "onnx", "unit", Plan(tuple(forms)))


def _dynamic(form: LayerForm) -> LayerForm:
    return dataclasses.replace(form, product=DYNAMIC)


def test_a_recurrent_layer_is_one_unrolled_turn_where_its_weights_stay_in_a_cache() -> None:
    small, large = (forecaster(segments(hidden=hidden)) for hidden in (16, 320))
    forms = [{each.layer: each for each in choose(spec, "tflite").sequence} for spec in (small, large)]
    assert [each["cell"].form for each in forms] == ["unrolled", "nested"]
    assert [each["cell"].chunk_frames for each in forms] == [5, 5]


def test_tflite_answers_faster_but_for_wide_layers_in_fp32_on_a_board() -> None:
    for target in ("x86", "pi4", "pi5"):
        for hidden in (16, 128):
            whole = forecaster(segments(hidden=hidden))
            for spec in (whole, quantize_spec(whole)):
                both = {each: choose(spec, each, target) for each in TARGETS[target].formats}
                wide_in_fp32 = hidden == 128 and spec is whole and target != "x86"
                assert fastest_format(spec, both, target) == ("onnx" if wide_in_fp32 else "tflite")


@pytest.mark.parametrize("model_format", FORMATS)
def test_another_number_of_frames_is_refused(model_format: Any, tmp_path: Path) -> None:
    spec = MODELS["gru"]()
    (context,) = contexts(spec, 1)
    with pytest.raises(ValueError, match="takes 40 frames"):
        run_reference(spec, context[:-1])
    (tmp_path / "model").write_bytes(write_model(spec, model_format, "unit").content)
    loaded = runtimes.load(tmp_path / "model", model_format)
    before = loaded.run(context)
    with pytest.raises(runtimes.DataError):
        loaded.run(context[:-1])
    assert np.array_equal(loaded.run(context), before)


def changed(layers: tuple[Layer, ...], name: str, **changes: Any) -> tuple[Layer, ...]:
    return tuple(dataclasses.replace(each, **changes) if each.name == name else each for each in layers)


@pytest.mark.parametrize("name", MODELS)
def test_what_fits_is_not_refused(name: str) -> None:
    check_spec(MODELS[name]())
