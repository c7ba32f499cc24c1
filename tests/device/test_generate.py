"""Text from a language model, as an application on a board gets it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseq_device import runtimes
from edgeseq_device.artifact import open_artifact
from edgeseq_device.classify import load_classifier
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.generate import LanguageModel, Sampling, load_language_model

Make = Callable[..., Path]
GREEDY = Sampling(0)


def text(model: LanguageModel, prompt: str, tokens: int, sampling: Sampling = GREEDY) -> str:
    return "".join(token.text for token in model.generate(prompt, tokens, sampling))


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize("window", [None, 4])
def test_a_text_is_what_the_sequence_form_says_behind_all_tokens_so_far(
    make_language_model: Make, model_format: str, window: int | None
) -> None:
    folder = make_language_model(window=window)
    model = load_language_model(folder, model_format)
    ids = model.ids("bad face").ravel().tolist()
    sequence = runtimes.load(open_artifact(folder).model(model_format).path, model_format)
    for token in model.generate("bad face", 12, GREEDY):
        logits = sequence.run(np.array(ids, np.int32)[:, None])
        assert logits[token.id] > logits[2:].max() - 0.1  # int8 forms round apart
        ids.append(token.id)


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize("window", [None, 4])
def test_a_prompt_leaves_the_same_state_through_either_form(
    make_language_model: Make, model_format: str, window: int | None
) -> None:
    whole, stepped = (
        load_language_model(make_language_model(window=window, carries=carries), model_format)
        for carries in (True, False)
    )
    for prompt in ("a", "bad", "a faded cafe dad fed a bad cab"):
        found, expected = (model.read(model.ids(prompt)) for model in (whole, stepped))
        assert found == pytest.approx(expected, abs=0.1)
        assert text(whole, prompt, 1) == text(stepped, prompt, 1)


def test_the_same_seed_writes_the_same_text_and_a_text_leaves_no_trace(make_language_model: Make) -> None:
    model = load_language_model(make_language_model(), "tflite")
    first = text(model, "a cab", 40, Sampling(1.0, seed=3))
    assert text(model, "a cab", 40, Sampling(1.0, seed=4)) != first
    assert text(model, "a cab", 40, Sampling(1.0, seed=3)) == first
    assert len(first) == 40
    assert text(model, "a cab", 10, Sampling(1.0, seed=3)) == first[:10]


def test_the_step_form_runs_only_as_far_as_tokens_are_asked_for(
    make_language_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_language_model(make_language_model(), "tflite")
    steps, step = [], model._step.step
    monkeypatch.setattr(model._step, "step", lambda frame: steps.append(int(frame[0])) or step(frame))
    tokens = list(islice(model.generate("abc", 1000, GREEDY), 3))
    assert steps == [token.id for token in tokens[:2]]
    assert len(list(model.generate("abc", 3, GREEDY))) == 3
    assert len(steps) == 4


def test_bytes_are_held_back_until_their_character_is_whole(make_language_model: Make) -> None:
    model = load_language_model(make_language_model(None), "tflite")
    tokens = list(model.generate("é", 60, Sampling(1.5, seed=1)))
    raw = bytes(token.id - 2 for token in tokens)  # the characters of bytes are numbered in their order
    assert "".join(token.text for token in tokens) == raw.decode("utf-8", "replace")
    assert any(token.text == "" for token in tokens)


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_a_transformer_says_how_far_its_layers_see(make_language_model: Make, model_format: str) -> None:
    assert load_language_model(make_language_model(window=4), model_format).window == 4
    assert load_language_model(make_language_model(), model_format).window is None


def test_of_a_long_prompt_a_transformer_reads_what_can_be_told_from_its_state(
    make_language_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_language_model(make_language_model(window=4), "tflite")
    given, prefill = [], model._sequence.prefill
    monkeypatch.setattr(model._sequence, "prefill", lambda ids: given.append(len(ids)) or prefill(ids))
    ends_alike = [text(model, start + "fed a bad cab", 6) for start in ("", "g" * 500)]
    assert ends_alike[0] == ends_alike[1]
    assert given == [8, 8]


def test_characters_that_the_vocabulary_lacks_are_named_with_their_places(make_language_model: Make) -> None:
    model = load_language_model(make_language_model(), "tflite")
    named = r'lacks: "X" \(U\+0058, character 2\), "é" \(U\+00E9, character 4\); the model cannot go on'
    with pytest.raises(DataError, match=named):
        model.generate("aXbe\u0301X", 5)
    with pytest.raises(DataError, match=r'"5" \(U\+0035, character 5\) and 4 more;'):
        model.generate("123456789", 5)


@pytest.mark.parametrize(
    ("prompt", "tokens", "cause"), [("", 5, "the prompt is empty"), ("a", 0, "tokens is 0; give at least 1")]
)
def test_a_call_that_asks_for_nothing_is_refused(
    make_language_model: Make, prompt: str, tokens: int, cause: str
) -> None:
    with pytest.raises(UsageError, match=cause):
        load_language_model(make_language_model(), "tflite").generate(prompt, tokens)


def test_a_second_text_ends_the_first(make_language_model: Make) -> None:
    model = load_language_model(make_language_model(), "tflite")
    first, second, third = (model.generate(prompt, 5) for prompt in "abc")
    assert len(list(third)) == 5
    for ended in (first, second):
        next(ended)  # its logits were there
        with pytest.raises(UsageError, match="ended by another call"):
            next(ended)


def test_a_model_of_another_task_is_refused_with_what_loads_it(
    make_language_model: Make, pristine_artifact: Path
) -> None:
    with pytest.raises(
        DataError, match=r"is a classifier, not a language model; load it with .*load_classif"
    ):
        load_language_model(pristine_artifact)
    with pytest.raises(DataError, match=r"is a language model, not a classifier; .*load_language_model"):
        load_classifier(make_language_model())


def test_a_model_whose_answers_are_not_of_its_vocabulary_is_refused(
    make_language_model: Make, tmp_path: Path, rewrite_manifest: Callable[..., None]
) -> None:
    folder = Path(shutil.copytree(make_language_model(), tmp_path / "letters"))
    count = len(open_artifact(folder).labels)

    def widen(manifest: dict[str, Any]) -> None:
        manifest["labels"].append("more")
        for model in manifest["models"]:
            for form in (model, model["step"]):
                form["outputs"][0]["shape"][1] += 1

    rewrite_manifest(folder, widen)
    with pytest.raises(DataError, match=f"labels are {count + 1}, must be the {count} tokens"):
        load_language_model(folder, "tflite")


def test_a_model_without_its_step_form_is_refused(make_language_model: Make, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(make_language_model(), tmp_path / "letters"))
    (folder / "model.step.onnx").unlink()
    (folder / "model.tflite").unlink()
    with pytest.raises(DataError, match=r"has no step form \(model\.step\.onnx is not deployed\)"):
        load_language_model(folder, "onnx")
