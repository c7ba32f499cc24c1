"""A language model's sequence form gives the states behind a prompt, and steps go on from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processors import skip_if_wrong_here

from edgeseq_device.runtimes import LoadedModel, load, load_step
from edgeseq_device.stepping import LoadedStep
from edgeseq_export import bundle, write_model
from edgeseq_export.check import check_spec
from edgeseq_export.choice import choose
from edgeseq_export.forms import DYNAMIC, DYNAMIC_ROW, LayerForm, Plan
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Cell,
    ClassToken,
    Embedding,
    Layer,
    Linear,
    Norm,
    Pool,
    Residual,
)
from edgeseq_export.native_sheet import native_sheet
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec, width_behind
from edgeseq_export.state import states_of

TOKENS, D, W = 11, 8, 5
SAME = 2e-5
FORMATS = ("onnx", "tflite")
KINDS = ("gru", "lstm", "stacked", "rotary", "unturned", "convolved", "around")


class Draw:
    """Random layers of D features a row."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(4)

    def array(self, *shape: int) -> Any:
        return (self._rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    def cell(self, gates: int, width: int, hidden: int) -> Cell:
        rows = gates * hidden
        return Cell(self.array(rows, width), self.array(rows, hidden), self.array(rows), self.array(rows))

    def attention(self, name: str, *, rotary: bool, window: int | None = W) -> Residual:
        arrays = (self.array(3 * D, D), self.array(3 * D), self.array(D, D), self.array(D))
        norm = Norm(f"{name}.norm", 1 + self.array(D), self.array(D))
        return Residual(name, (norm, Attention(f"{name}.heads", 2, *arrays, rotary, window)))

    def conv(self, name: str, kernel: int = 3) -> CausalConv:
        return CausalConv(name, self.array(D, kernel * D), self.array(D), kernel, "relu")


def layers(kind: str) -> tuple[Layer, ...]:
    draw = Draw()
    mix = Linear("mix", draw.array(D, 6), draw.array(D), "gelu")
    found: dict[str, tuple[Layer, ...]] = {
        "gru": (GRU("gru", draw.cell(3, D, 6)),),
        "lstm": (LSTM("lstm", draw.cell(4, D, 7)), Norm("norm", 1 + draw.array(7), draw.array(7))),
        "stacked": (GRU("gru", draw.cell(3, D, 6)), mix, LSTM("lstm", draw.cell(4, D, 7))),
        "rotary": (draw.attention("one", rotary=True), draw.attention("two", rotary=True, window=1)),
        "unturned": (draw.attention("one", rotary=False), mix_of(draw)),
        "convolved": (draw.conv("conv"), draw.conv("narrow", 1), GRU("gru", draw.cell(3, D, 6))),
        "around": (
            *(draw.attention("one", rotary=True), draw.conv("conv")),
            Residual("gated", (GRU("gru", draw.cell(3, D, D)),)),
        ),
    }
    return found[kind]


def mix_of(draw: Draw) -> Residual:
    return Residual("mixed", (Linear("mix", draw.array(D, D), draw.array(D), "gelu"),))


def language_model(*middle: Layer, pool: str = "last") -> SeqSpec:
    """Embedding, some layers, the last row, a head of every token."""
    draw = Draw()
    table = draw.array(TOKENS, D)
    table[0] = 0
    width = D
    for layer in middle:
        width = width_behind(layer, width)
    head = Linear("head", draw.array(TOKENS, width), draw.array(TOKENS))
    labels = tuple(f"token {n}" for n in range(TOKENS))
    whole = (Embedding("embedding", table), *middle, Pool("pool", pool), head)  # type: ignore[arg-type]
    return SeqSpec(1, labels, whole, carries=True)


def text(count: int) -> Any:
    return np.random.default_rng(8).integers(1, TOKENS, (count, 1)).astype(np.int32)


@dataclass(frozen=True)
class Opened:
    spec: SeqSpec
    plan: Plan
    whole: LoadedModel
    step: LoadedStep

    def steps(self, ids: Any) -> Any:
        return np.stack([self.step.step(each) for each in ids])


def open_forms(folder: Path, spec: SeqSpec, model_format: Any, plan: Plan | None = None) -> Opened:
    plan = plan or choose(spec, model_format)
    skip_if_wrong_here(plan.sequence)
    model = write_model(spec, model_format, "id", plan)
    for name, content in bundle.model_files(model).items():
        (folder / name).write_bytes(content)
    assert model.step is not None
    path = folder / bundle.step_file(model)
    return Opened(
        spec,
        plan,
        load(folder / bundle.model_file(model), model_format),
        load_step(path, model_format, model.step.states),
    )


def assert_goes_on(opened: Opened, tolerance: float = SAME) -> None:
    """Prompts shorter than, as long as and longer than the window and a turn of the loop over time."""
    ids = text(40)
    for count in (1, W - 1, W, W + 1, 26):
        end = count + W + 2
        opened.step.reset()
        stepped = opened.steps(ids[:end])
        logits, state = opened.whole.prefill(ids[:count])
        np.testing.assert_allclose(logits, stepped[count - 1], atol=tolerance)
        opened.step.state = state
        np.testing.assert_allclose(opened.steps(ids[count:end]), stepped[count:], atol=tolerance)
        np.testing.assert_allclose(opened.whole.run(ids[:end]), stepped[-1], atol=tolerance)


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantized", [False, True], ids=["fp32", "int8"])
def test_steps_go_on_from_a_prompt_as_if_it_had_been_stepped(
    tmp_path: Path, model_format: str, kind: str, quantized: bool
) -> None:
    spec = language_model(*layers(kind))
    assert_goes_on(open_forms(tmp_path, quantize_spec(spec) if quantized else spec, model_format))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["generic", "armv7"])
def test_every_int8_form_of_tflite_gives_its_states(tmp_path: Path, kind: str, target: str) -> None:
    spec = quantize_spec(language_model(*layers(kind)))
    plan = choose(spec, "tflite", target, compute="int8")
    for form, frames in (("unrolled", 8), ("nested", 4)):
        forms = tuple(
            replace(each, form=form, chunk_frames=frames) if each.chunk_frames else each
            for each in plan.sequence
        )
        assert_goes_on(open_forms(tmp_path, spec, "tflite", Plan(forms, plan.step)))


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_rounds_a_prompt_of_one_token_as_a_step_and_a_longer_one_with_one_scale(
    tmp_path: Path, kind: str
) -> None:
    spec = quantize_spec(language_model(*layers(kind)))
    opened = open_forms(tmp_path, spec, "onnx", choose(spec, "onnx", compute="int8"))
    products = {each.product for forms in (opened.plan.sequence, opened.plan.step or ()) for each in forms}
    assert {DYNAMIC, DYNAMIC_ROW} <= products
    ids = text(30)
    for count in (1, 4, 30):
        logits, state = opened.whole.prefill(ids[:count])
        rounding = {each.layer: each.product.activation_quantization for each in opened.plan.sequence}
        np.testing.assert_allclose(logits, run_reference(spec, ids[:count], rounding), atol=SAME)
        opened.step.reset()
        stepped = opened.steps(ids[:count])[-1]
        np.testing.assert_allclose(logits, stepped, atol=SAME if count == 1 else 0.1)
        for name, expected in opened.step.state.items():
            if not name.endswith(("keys", "turn")):  # whose first angle is another
                np.testing.assert_allclose(state[name], expected, atol=SAME if count == 1 else 0.1)


@pytest.mark.parametrize("model_format", FORMATS)
def test_the_states_are_outputs_behind_the_logits_in_the_order_of_the_layers(model_format: Any) -> None:
    spec = language_model(*layers("around"))
    model = write_model(spec, model_format, "id")
    names = [
        "one.heads.keys",
        "one.heads.values",
        "one.heads.position",
        "one.heads.turn",
        "conv.frames",
        "gru.h",
    ]
    assert [each.name for each in model.outputs] == ["logits", *(f"{name}.next" for name in names)]
    assert [each.shape for each in model.outputs[1:]] == [state.shape for state in states_of(spec)]
    assert not model.batch
    entry = bundle.model_entry(model, 1)
    assert [each["name"] for each in entry["outputs"]] == [each.name for each in model.outputs]
    alone = write_model(replace(spec, carries=False), model_format, "id")
    assert [each.name for each in alone.outputs] == ["logits"]


def test_the_native_sheet_lists_the_states_that_the_sequence_form_gives() -> None:
    spec = language_model(*layers("lstm"))
    entry = {**bundle.model_entry(write_model(spec, "tflite", "id"), 1), "parity_tolerance": 1e-3}
    manifest = {
        "name": "short",
        "task": "lm",
        "labels": list(spec.labels),
        "features": {"count": 1},
        "golden": {"file": "golden.npz", "count": 1},
        "parity": {"tolerance": 1e-3},
        "models": [entry],
    }
    sheet = native_sheet(manifest, "0" * 64)
    assert sheet is not None
    sequence = sheet[sheet.index("\nsequence ") : sheet.index("\nstep ")].splitlines()
    outputs = [line for line in sequence if line.startswith("output ")]
    assert outputs == [
        f"output logits float32 1 {TOKENS}",
        "output lstm.h.next float32 1 7",
        "output lstm.c.next float32 1 7",
    ]


@pytest.mark.parametrize(
    ("layer", "pool", "name"),
    [
        (GRU("gru", Draw().cell(3, D, 6)), "mean", "pool keeps a mean"),
        (GRU("gru", Draw().cell(3, D, 6)), "max", "pool keeps a max"),
        (GRU("gru", Draw().cell(3, D, 6), Draw().cell(3, D, 6)), "last", "gru reads frames to come"),
        (Draw().attention("one", rotary=True, window=None), "last", "one reads frames to come"),
        (ClassToken("token", Draw().array(1, D)), "last", "token .ClassToken. has a place"),
    ],
    ids=["mean", "max", "both ways", "no window", "class token"],
)
def test_a_layer_whose_states_a_sequence_cannot_give_is_named(layer: Layer, pool: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"no sequence form that gives its states: {name}"):
        check_spec(language_model(layer, pool=pool))


def test_a_language_model_takes_one_text_at_a_time() -> None:
    for model_format in FORMATS:
        with pytest.raises(ValueError, match="takes one text at a time"):
            choose(language_model(*layers("gru")), model_format, batch=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("compute", ["fp32", "int8"])
def test_a_head_that_is_tied_to_the_embedding_is_stored_once(
    tmp_path: Path, model_format: Any, compute: Any
) -> None:
    rows = 500
    spec = language_model(GRU("gru", Draw().cell(3, D, D)))
    table, other = Draw().array(rows, D), Draw().array(rows, D)[::-1].copy()
    table[0] = other[0] = 0
    sizes = {}
    for name, weight in (("free", other), ("tied", table)):
        gru, pool = spec.layers[1:3]
        head = Linear("head", weight, Draw().array(rows))
        whole = (Embedding("embedding", table), gru, pool, head)
        quantized = quantize_spec(replace(spec, layers=whole, labels=tuple(map(str, range(rows)))))
        plan = choose(quantized, model_format, compute=compute)
        opened = open_forms(tmp_path, quantized, model_format, plan)
        expected = run_reference(
            quantized, text(9), {each.layer: each.product.activation_quantization for each in plan.sequence}
        )
        np.testing.assert_allclose(opened.whole.run(text(9)), expected, atol=SAME)
        np.testing.assert_allclose(opened.step.run(text(9)), expected, atol=0.1)
        sizes[name] = (tmp_path / f"model.{model_format}").stat().st_size
    assert sizes["free"] - sizes["tied"] > 0.8 * rows * D


def test_the_forms_of_a_step_are_not_those_of_a_whole_text() -> None:
    """What a plan says of one is not taken for the other: a product of one row has no form over many."""
    spec = quantize_spec(language_model(*layers("gru")))
    plan = choose(spec, "onnx", compute="int8")
    wrong = tuple(
        LayerForm(each.layer, each.kind, each.form, DYNAMIC_ROW) if each.product == DYNAMIC else each
        for each in plan.sequence
    )
    with pytest.raises(ValueError, match="gru: GRU with int8 weights has no form"):
        write_model(spec, "onnx", "id", Plan(wrong, plan.step))
