"""The choice of forms: what is valid on a target, what the crossovers say, what is tried by --tune."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from edgeseq.devices.profiles import profile, profile_names
from edgeseq_device import runtimes
from edgeseq_export import bundle, write_model
from edgeseq_export.choice import choose, fastest_format, plans, slower_than_fp32
from edgeseq_export.crossovers import INT8_FROM, STEP_INT8_FROM, TFLITE_FROM_FP32
from edgeseq_export.forms import (
    DYNAMIC,
    DYNAMIC_ROW,
    FLOAT,
    HYBRID,
    NO_PRODUCT,
    ROW_SCALE,
    WIDENED,
    Compute,
    Product,
    rounds_by_frame,
)
from edgeseq_export.layers import Attention, Linear, Norm, Pool, Residual
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec, walk
from edgeseq_export.targets import TARGETS

PAIRS = [(target.name, each) for target in TARGETS.values() for each in target.formats]


def transformer(width: int = 16, window: int | None = 8) -> SeqSpec:
    rng = np.random.default_rng(5)

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(-0.4, 0.4, shape).astype(np.float32)

    def linear(name: str, rows: int, columns: int, **options: str) -> Linear:
        return Linear(name, draw(rows, columns), draw(rows), **options)

    attention = Attention(
        *("attention0", 2, draw(3 * width, width), draw(3 * width), draw(width, width), draw(width)),
        rotary=True,
        window=window,
    )
    norm = Norm("norm0", 1 + draw(width), draw(width))
    feed_forward = (linear("up0", 2 * width, width, activation="gelu"), linear("down0", width, 2 * width))
    layers = (
        *(
            linear("embed", width, 12),
            Residual("block0", (norm, attention)),
            Residual("block1", feed_forward),
        ),
        *(Pool("pool", "mean"), linear("head", 3, width)),
    )
    return SeqSpec(12, ("a", "b", "c"), layers)


def products(plan_forms) -> dict[str, Product]:
    return {form.layer: form.product for form in plan_forms if form.product != NO_PRODUCT}


@pytest.mark.parametrize("name", profile_names())
def test_every_board_is_a_target_that_agrees_about_its_core(name: str) -> None:
    assert (TARGETS[profile(name).target].core == "dotprod") == profile(name).has_dot_product


def test_every_target_has_a_crossover_for_every_kind_of_layer() -> None:
    for target in TARGETS.values():
        for each in target.formats:
            assert all(target.core in column for column in INT8_FROM[each].values())
        if "onnx" in target.formats:
            assert all(target.core in column for column in TFLITE_FROM_FP32.values())


@pytest.mark.parametrize(("target", "model_format"), PAIRS)
def test_what_is_chosen_is_the_first_of_the_plans(make_spec, target: str, model_format) -> None:
    for spec in (make_spec("gru"), make_spec("lstm", bidirectional=True, layers=2), transformer()):
        quantized = quantize_spec(spec)
        plan = choose(quantized, model_format, target)
        assert [form.layer for form in plan.sequence] == [layer.name for layer in walk(quantized.layers)]
        assert plans(quantized, model_format, target)[0] == plan


@pytest.mark.parametrize("target", [name for name, each in TARGETS.items() if "onnx" in each.formats])
def test_no_plan_writes_a_product_that_needs_the_int8_dot_product(make_spec, target: str) -> None:
    """ONNX Runtime has no kernel of MatMulNBits for int8 weights on cores without it."""
    for spec in (make_spec("gru"), make_spec("lstm"), make_spec("lstm", bidirectional=True), transformer()):
        quantized = quantize_spec(spec)
        for plan in plans(quantized, "onnx", target):
            model = write_model(quantized, "onnx", "unit", plan)
            for content in bundle.model_files(model).values():
                assert "MatMulNBits" not in operators(onnx.load_from_string(content).graph)


def operators(graph: onnx.GraphProto) -> set[str]:
    """Of a graph and the graphs inside its nodes."""
    inner = (each.g for node in graph.node for each in node.attribute if each.HasField("g"))
    return {node.op_type for node in graph.node}.union(*map(operators, inner))


@pytest.mark.parametrize(("target", "model_format"), PAIRS)
def test_a_layer_without_int8_weights_is_float_in_every_form(make_spec, target: str, model_format) -> None:
    spec = quantize_spec(make_spec("gru", layers=2), keep_fp32=("gru1",))
    for plan in (*plans(spec, model_format, target), choose(spec, model_format, target, compute="int8")):
        assert products(plan.sequence)["gru1"] == FLOAT
        assert products(plan.step or ())["gru1"] == FLOAT
        assert products(plan.sequence)["gru0"] != FLOAT


@pytest.mark.parametrize(
    ("kind", "hidden", "frames"),
    [("gru", 128, 8), ("gru", 256, 5), ("lstm", 256, 5), ("gru", 384, 2), ("gru", 512, 25)],
)
def test_a_small_int8_layer_is_unrolled_in_tflite_and_a_large_one_nested(
    make_spec, kind: str, hidden: int, frames: int
) -> None:
    (form, *_) = choose(quantize_spec(make_spec(kind, hidden=hidden)), "tflite").sequence
    assert form.chunk_frames == frames
    assert form.form == ("nested" if frames == 25 else "unrolled")


@pytest.mark.parametrize(("frames", "chunk"), [(None, 8), (200, 8), (8, 8), (7, 5), (4, 2), (1, 1)])
def test_a_turn_takes_no_more_frames_than_a_usual_sequence_has(make_spec, frames, chunk) -> None:
    (form, *_) = choose(quantize_spec(make_spec(hidden=64)), "tflite", frames=frames).sequence
    assert (form.form, form.chunk_frames) == ("unrolled", chunk)
    (large, *_) = choose(quantize_spec(make_spec(hidden=512)), "tflite", frames=24).sequence
    assert (large.form, large.chunk_frames) == ("unrolled", 1)


def test_fp32_weights_and_further_layers_leave_room_for_fewer_copies(make_spec) -> None:
    """Four times the bytes; two directions or layers have twice as many."""
    assert choose(make_spec("gru", hidden=128), "tflite").sequence[0].chunk_frames == 5
    assert choose(make_spec("gru", hidden=320), "tflite").sequence[0].form == "nested"
    stacked = quantize_spec(make_spec("gru", hidden=200, layers=2))
    assert [form.chunk_frames for form in choose(stacked, "tflite").sequence[:2]] == [5, 5]
    both_ways = quantize_spec(make_spec("gru", hidden=200, bidirectional=True))
    assert choose(both_ways, "tflite").sequence[0].chunk_frames == 5


def test_the_widest_layer_decides_for_all(make_spec) -> None:
    spec = replace(
        make_spec("gru", hidden=300),
        layers=(*make_spec("gru", hidden=12).layers[:1], *make_spec("lstm", hidden=300).layers),
    )
    assert [form.form for form in choose(spec, "tflite").sequence[:2]] == ["nested", "nested"]


@pytest.mark.parametrize("target", [name for name, each in TARGETS.items() if "onnx" in each.formats])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_in_onnx_int8_compute_begins_at_the_crossover(make_spec, target: str, kind: str) -> None:
    crossover = INT8_FROM["onnx"][kind.upper()][TARGETS[target].core]

    def form(hidden: int, **options: object):
        return choose(quantize_spec(make_spec(kind, hidden=hidden)), "onnx", target, **options).sequence[0]

    int8 = ("scan" if kind == "gru" else "operator", DYNAMIC)
    for hidden in (8, 512) if crossover is None else (8, crossover - 1):
        assert (form(hidden).form, form(hidden).product) == ("operator", WIDENED)
    if crossover is not None:
        assert (form(crossover).form, form(crossover).product) == int8
    assert (form(512, batch=True).form, form(512, batch=True).product) == ("operator", WIDENED)
    assert (form(8, compute="int8").form, form(8, compute="int8").product) == int8


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("compute", [None, "int8", "fp32"])
def test_no_rounding_spans_frames_in_a_step_or_sequences_in_a_batch(make_spec, target: str, compute) -> None:
    for spec in (make_spec("gru", hidden=512), make_spec("lstm", hidden=512), transformer(256)):
        for model_format in TARGETS[target].formats:
            plan = choose(quantize_spec(spec), model_format, target, batch=True, compute=compute)
            assert plan.step is not None
            assert rounds_by_frame(plan.step)
            assert rounds_by_frame(plan.sequence)
            assert all(
                rounds_by_frame(each.step) for each in plans(quantize_spec(spec), model_format, target)
            )


@pytest.mark.parametrize("target", TARGETS)
def test_a_step_in_tflite_multiplies_as_the_sequence_does(make_spec, target: str) -> None:
    for spec in (make_spec("gru", hidden=64), make_spec("lstm", hidden=8), transformer(64)):
        for plan in plans(quantize_spec(spec), "tflite", target):
            assert products(plan.step) == products(plan.sequence)


def test_a_model_that_reads_ahead_has_no_step(make_spec) -> None:
    assert choose(make_spec("gru", bidirectional=True), "tflite").step is None
    assert choose(transformer(window=None), "onnx").step is None


def test_armv7_never_gets_per_channel_products_nor_onnx(make_spec) -> None:
    spec = quantize_spec(make_spec("gru"))
    tried = [form for plan in plans(spec, "tflite", "armv7") for form in (*plan.sequence, *plan.step)]
    tried += [
        form
        for compute in ("int8", "fp32", None)
        for form in choose(spec, "tflite", "armv7", compute=compute).sequence
    ]
    assert HYBRID not in {form.product for form in tried}
    assert {WIDENED, ROW_SCALE} <= {form.product for form in tried}
    with pytest.raises(ValueError, match="armv7: no runtime for onnx"):
        choose(spec, "onnx", "armv7")


def test_int8_that_is_slower_than_fp32_is_chosen_by_nobody_and_named_where_it_is_forced(make_spec) -> None:
    for target, model_format in PAIRS:
        for hidden in (8, 512):
            spec = quantize_spec(make_spec("gru", hidden=hidden))
            chosen = choose(spec, model_format, target)
            assert slower_than_fp32(spec, chosen, model_format, target) == ()
    forced = choose(spec, "tflite", "armv7", compute="int8")
    assert slower_than_fp32(spec, forced, "tflite", "armv7") == ("gru0", "head")


def test_the_plans_differ_and_stay_few(make_spec) -> None:
    for target, model_format in PAIRS:
        for spec in (make_spec("gru", layers=4), make_spec("lstm", layers=4), transformer()):
            found = plans(quantize_spec(spec), model_format, target)
            assert len(set(found)) == len(found)
            assert 2 <= len(found) <= 11


def fastest(spec: SeqSpec, target: str, compute: Compute | None = None) -> str | None:
    found = {each: choose(spec, each, target, compute=compute) for each in TARGETS[target].formats}
    return fastest_format(spec, found, target)


def test_the_fastest_format_is_onnx_below_the_crossover_and_tflite_above(make_spec) -> None:
    assert fastest(quantize_spec(make_spec("gru", hidden=32)), "pi4") == "onnx"
    assert fastest(quantize_spec(make_spec("gru", hidden=256)), "pi4") == "tflite"


def test_fp32_files_and_fp32_compute_have_a_crossover_of_their_own(make_spec) -> None:
    spec = make_spec("gru", hidden=256)
    kept = quantize_spec(spec, ("gru0",))
    for each, compute in ((spec, None), (quantize_spec(spec), "fp32"), (kept, None)):
        assert fastest(each, "pi4", compute) == "onnx"
    assert fastest(transformer(32), "pi4") == "tflite"


def test_no_format_is_called_fastest_where_the_forms_were_not_compared(make_spec) -> None:
    assert fastest(quantize_spec(make_spec("gru", hidden=128)), "pi4", "int8") is None
    assert fastest(quantize_spec(transformer(256)), "pi4") is None
    only_rows = transformer(16)
    only_rows = replace(only_rows, layers=(only_rows.layers[0], *only_rows.layers[-2:]))
    assert fastest(quantize_spec(only_rows), "pi5") is None


def test_the_layer_with_the_most_weights_decides_the_fastest_format(make_spec) -> None:
    heavy, wide = make_spec("gru", hidden=48, features=2000), make_spec("gru", hidden=128, features=48)
    layers = (heavy.layers[0], replace(wide.layers[0], name="gru1"), *wide.layers[1:])
    assert fastest(quantize_spec(wide), "pi5") == "tflite"
    assert fastest(quantize_spec(replace(wide, layers=layers)), "pi5") == "onnx"


def test_an_unknown_target_is_named(make_spec) -> None:
    with pytest.raises(ValueError, match="unknown target 'pi6'"):
        choose(make_spec(), "onnx", "pi6")


@pytest.mark.parametrize(
    ("target", "model_format"), [("pi5", "onnx"), ("pi5", "tflite"), ("armv7", "tflite")]
)
@pytest.mark.parametrize("family", ["gru", "lstm", "bidirectional", "transformer"])
def test_every_plan_can_be_written_and_answers_as_the_reference(
    make_spec, sequences, tmp_path, target: str, model_format, family: str
) -> None:
    """Also with one layer left in fp32, in the middle of int8 ones."""
    spec = {
        "gru": lambda: make_spec("gru", hidden=33, layers=2),
        "lstm": lambda: make_spec("lstm", hidden=7, layers=2),
        "bidirectional": lambda: make_spec("gru", hidden=9, bidirectional=True),
        "transformer": transformer,
    }[family]()
    kept = {"gru": "gru1", "lstm": "lstm0", "bidirectional": "head", "transformer": "up0"}[family]
    for quantized in (quantize_spec(spec), quantize_spec(spec, keep_fp32=(kept,)), spec):
        for number, plan in enumerate(plans(quantized, model_format, target)):
            model = write_model(quantized, model_format, "unit", plan)
            path = tmp_path / f"{number}-{bundle.model_file(model)}"
            path.write_bytes(model.content)
            loaded = runtimes.load(path, model_format)
            for features in sequences:
                expected = run_reference(quantized, features, model.rounding)
                assert np.abs(loaded.run(features) - expected).max() < 2e-3, plan


@pytest.mark.parametrize("target", [name for name, each in TARGETS.items() if "onnx" in each.formats])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_an_onnx_step_computes_in_int8_from_its_own_crossover_on(make_spec, target: str, kind: str) -> None:
    crossover = STEP_INT8_FROM[kind.upper()][TARGETS[target].core]
    assert crossover is not None

    def steps(hidden: int, **options: object) -> dict[str, Product]:
        return products(choose(quantize_spec(make_spec(kind, hidden=hidden)), "onnx", target, **options).step)

    for batch in (False, True):
        assert steps(crossover - 1, batch=batch)[f"{kind}0"] == WIDENED
        assert steps(crossover, batch=batch)[f"{kind}0"] == DYNAMIC_ROW
    assert steps(8, compute="int8") == {f"{kind}0": DYNAMIC_ROW, "head": DYNAMIC_ROW}
    assert steps(512, compute="fp32") == {f"{kind}0": WIDENED, "head": WIDENED}
    assert steps(512)["head"] == WIDENED  # of 5 classes: nothing to gain
    assert products(choose(make_spec(kind, hidden=512), "onnx", target).step)["head"] == FLOAT


def test_a_language_models_sequence_form_rounds_in_onnx_as_its_steps_do(make_spec) -> None:
    paired = {DYNAMIC: DYNAMIC_ROW, WIDENED: WIDENED}
    for spec in (make_spec("gru", hidden=128), make_spec("lstm", hidden=96), transformer(128)):
        layers = tuple(Pool("pool", "last") if isinstance(each, Pool) else each for each in spec.layers)
        carrying = quantize_spec(replace(spec, layers=layers, carries=True))
        for target in ("generic", "x86", "pi5"):
            plan = choose(carrying, "onnx", target)
            of_sequence = products(plan.sequence)
            assert {name: paired[each] for name, each in of_sequence.items()} == products(plan.step)
            assert slower_than_fp32(carrying, plan, "onnx", target) == ()


def test_no_int8_loop_of_a_gru_is_chosen_for_any_board_although_its_steps_are_int8(make_spec) -> None:
    """On an x86 without VNNI it would be wrong, and nothing tells ONNX Runtime to avoid that."""
    spec = quantize_spec(replace(make_spec("gru", hidden=512), carries=True))
    plan = choose(spec, "onnx", "generic")
    assert (products(plan.sequence)["gru0"], products(plan.step)["gru0"]) == (WIDENED, DYNAMIC_ROW)
    assert choose(spec, "onnx", "x86").sequence[0].form == "scan"
