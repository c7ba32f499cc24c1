"""Models of text in both formats: int32 ids in, and behind the Embedding what else a model may have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from processors import skip_if_wrong_here

from edgeseq_device import runtimes
from edgeseq_device.errors import DataError
from edgeseq_export import bundle, write_model
from edgeseq_export.choice import choose, plans
from edgeseq_export.forms import FLOAT, LOOKED_UP, WIDENED, LayerForm, Plan
from edgeseq_export.parity import compare
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec
from edgeseq_export.targets import TARGETS

FORMATS = ("onnx", "tflite")
KINDS = (
    *("bag-mean", "bag-max", "bag-last", "linear", "gru", "gru-gru", "bi-gru", "lstm", "bi-lstm"),
    *("conv", "conv-gru", "attention", "window", "cls"),
)
FRAMES = (1, 2, 7, 28, 64, 3)
PAIRS = [(target.name, each) for target in TARGETS.values() for each in target.formats]


class Saved:
    """A written model and its files."""

    def __init__(self, spec: SeqSpec, plan: Plan, model_format, folder: Path) -> None:
        self.spec, self.model, self.folder = spec, write_model(spec, model_format, "token id", plan), folder
        for name, content in bundle.model_files(self.model).items():
            (folder / name).write_bytes(content)

    def load(self) -> runtimes.LoadedModel:
        return runtimes.load(self.folder / bundle.model_file(self.model), self.model.format)

    def load_step(self):
        assert self.model.step is not None
        path = self.folder / bundle.step_file(self.model)
        return runtimes.load_step(path, self.model.format, self.model.step.states)

    def assert_agrees(self, answers, texts, rounding=None) -> None:
        skip_if_wrong_here(self.model.layers)
        rounding = self.model.rounding if rounding is None else rounding
        expected = np.stack([run_reference(self.spec, each, rounding) for each in texts])
        names = tuple(f"{len(each)} tokens" for each in texts)
        int8 = any(form.product.compute == "int8" for form in self.model.layers)
        parity = compare("model", answers, "reference", expected, names, 1e-3 if int8 else 1e-5)
        assert parity.passed, parity


@pytest.mark.parametrize("compute", [None, "fp32", "int8"])
@pytest.mark.parametrize("ids", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model_format", FORMATS)
def test_a_model_of_text_answers_as_the_reference_whatever_is_behind_the_table(
    model_format, kind, ids, compute, make_text_spec, draw_ids, tmp_path: Path
) -> None:
    """compute: None writes the float32 model, else the int8 one."""
    spec = make_text_spec(kind, ids)
    spec = spec if compute is None else quantize_spec(spec)
    saved = Saved(spec, choose(spec, model_format, compute=compute), model_format, tmp_path)
    texts, model = [draw_ids(frames, ids) for frames in FRAMES], saved.load()
    assert model.dtype == np.int32
    saved.assert_agrees(np.stack([model.run(each) for each in texts]), texts)
    saved.assert_agrees(model.run_batch(texts), texts)
    if saved.model.step is not None:
        step = saved.load_step()
        assert step.dtype == np.int32
        answers = np.stack([step.run(each) for each in texts])
        saved.assert_agrees(answers, texts, saved.model.step.rounding)


@pytest.mark.parametrize("kind", ["bag-max", "bi-gru"])
@pytest.mark.parametrize("model_format", FORMATS)
def test_a_token_may_have_many_ids(model_format, kind, make_text_spec, draw_ids, tmp_path: Path) -> None:
    """A word with its n-grams of letters: LiteRT answered garbage to one product of scales and rows."""
    spec = quantize_spec(make_text_spec(kind, 18))
    saved = Saved(spec, choose(spec, model_format), model_format, tmp_path)
    texts, model = [draw_ids(frames, 18) for frames in FRAMES], saved.load()
    saved.assert_agrees(np.stack([model.run(each) for each in texts]), texts)


def test_what_has_a_step_form_has_one_behind_a_table_too(make_text_spec) -> None:
    with_step = {kind for kind in KINDS if choose(make_text_spec(kind), "onnx").step is not None}
    assert with_step == set(KINDS) - {"bi-gru", "bi-lstm", "attention", "cls"}


@pytest.mark.parametrize(("target", "model_format"), PAIRS)
def test_every_plan_of_every_target_looks_an_int8_table_up(target, model_format, make_text_spec) -> None:
    spec = quantize_spec(make_text_spec("gru"))
    for plan in plans(spec, model_format, target):
        assert plan.step is not None
        assert {forms[0] for forms in (plan.sequence, plan.step)} == {
            LayerForm("words", "Embedding", form, LOOKED_UP) for form in ("rows", "step")
        }
        assert LOOKED_UP not in [form.product for form in plan.sequence[1:]]
    assert LOOKED_UP.compute == "fp32"


def test_a_table_kept_in_float_is_one_of_floats(make_text_spec, draw_ids, tmp_path: Path) -> None:
    spec = quantize_spec(make_text_spec("gru"), ["words"])
    plan = choose(spec, "onnx", compute="fp32")
    assert [form.product for form in plan.sequence[:2]] == [FLOAT, WIDENED]
    saved = Saved(spec, plan, "onnx", tmp_path)
    texts = [draw_ids(7, 2)]
    saved.assert_agrees(saved.load().run_batch(texts), texts)


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize(("layer", "product"), [(0, WIDENED), (1, LOOKED_UP)])
def test_rows_are_looked_up_in_a_table_and_nothing_else_is(
    model_format, layer, product, make_text_spec
) -> None:
    spec = quantize_spec(make_text_spec("linear"))
    forms = list(choose(spec, model_format).sequence)
    forms[layer] = LayerForm(spec.layers[layer].name, type(spec.layers[layer]).__name__, "rows", product)
    with pytest.raises(ValueError, match=rf"{spec.layers[layer].name}: .* product '{product.name}' here"):
        write_model(spec, model_format, "token id", Plan(tuple(forms)))


@pytest.mark.parametrize("model_format", FORMATS)
def test_the_manifest_says_that_the_features_are_ids_and_how_rows_are_looked_up(
    model_format, make_text_spec
) -> None:
    entry = bundle.model_entry(
        write_model(quantize_spec(make_text_spec("gru", 3)), model_format, "token id"), 1
    )
    for form in (entry, entry["step"]):
        assert form["inputs"][0] | {"shape": form["inputs"][0]["shape"][-1]} == {
            "name": "features",
            "dtype": "int32",
            "shape": 3,
            "unit": "token id",
        }


@pytest.mark.parametrize("model_format", FORMATS)
@pytest.mark.parametrize("is_step", [False, True])
def test_an_id_that_no_row_has_is_refused_and_leaves_no_trace(
    model_format, is_step, make_text_spec, draw_ids, tmp_path: Path
) -> None:
    spec = quantize_spec(make_text_spec("gru"))
    saved = Saved(spec, choose(spec, model_format), model_format, tmp_path)
    model, text = saved.load_step() if is_step else saved.load(), draw_ids(7, 2)
    expected = model.run(text)
    for wrong, cause in ((300, "refused by .*(300|out of bounds)"), (-1, "features hold the id -1")):
        damaged = text.copy()
        damaged[3, 1] = wrong
        with pytest.raises(DataError, match=cause):
            model.run(damaged)
        np.testing.assert_array_equal(model.run(text), expected)


def test_padding_in_a_batch_changes_no_answer(make_text_spec, draw_ids, tmp_path: Path) -> None:
    """Whatever ids of the table stand behind a text's end."""
    spec = quantize_spec(make_text_spec("bi-gru"))
    saved = Saved(spec, choose(spec, "onnx", batch=True), "onnx", tmp_path)
    assert saved.model.batch
    session = onnxruntime.InferenceSession(saved.model.content, providers=["CPUExecutionProvider"])
    padded, lengths = np.stack([draw_ids(9, 2), draw_ids(9, 2)]), np.array([4, 9], np.int32)
    dirty = session.run(None, {"features": padded, "lengths": lengths})[0]
    padded[0, 4:] = 0
    np.testing.assert_array_equal(session.run(None, {"features": padded, "lengths": lengths})[0], dirty)
    saved.assert_agrees(dirty, [padded[0, :4], padded[1]])
