"""What is compared on: the very recordings that training measured, out of scope ones too."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseq import data
from edgeseq.batches import logits_of
from edgeseq.distill.answers import in_order
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.held_out import HeldOut, Part, figures_of
from edgeseq.distill.teachers import open_teacher
from edgeseq.features import FloatArray, prepare
from edgeseq.runs import open_run
from edgeseq.training.recipe import Recipe, TrainConfig
from edgeseq.training.train import train


def nobody(done: int, of: int) -> None: ...


@pytest.fixture
def scoped(texts_to_gru: Distillation, workplace: Path) -> HeldOut:
    """The tiny texts of two intents, the third out of scope, with a run on them: runs/scoped."""
    recipe = Recipe(
        data=texts_to_gru.recipe.data,
        reading=data.DataOptions(out_of_scope_label="louder"),
        front_end=texts_to_gru.recipe.front_end,
        model=texts_to_gru.recipe.model,
        training=TrainConfig(epochs=2, batch_size=8, learning_rate=0.05),
    )
    prepared = prepare(
        data.load(recipe.data, recipe.reading), recipe.splitting, recipe.front_end, recipe.model
    )
    train(recipe, prepared, "scoped")
    return HeldOut(prepared)


def test_a_run_s_figures_come_out_of_its_answers_to_texts_as_training_measured_them(scoped: HeldOut) -> None:
    teacher = open_teacher("scoped")

    def answer(part: Part) -> FloatArray:
        return in_order(teacher.logits(part.asked, nobody), teacher.labels, scoped.prepared.dataset.labels)

    found = scoped.figures(answer)
    assert found.out_of_scope_recall is not None
    assert found == figures_of(open_run("scoped"))
    module = open_run("scoped").module()
    assert found == scoped.figures(lambda part: logits_of(module, part.data.features))


def test_without_anything_out_of_scope_there_is_no_recall(texts_to_gru: Distillation) -> None:
    held_out = HeldOut(texts_to_gru.prepared)
    (teacher,) = texts_to_gru.teachers
    assert held_out.figures(lambda part: teacher.logits(part.asked, nobody)).out_of_scope_recall is None


def test_the_timed_recordings_go_from_the_shortest_to_the_longest(texts_to_gru: Distillation) -> None:
    held_out = HeldOut(texts_to_gru.prepared)
    front_end = texts_to_gru.prepared.front_end
    lengths = [len(front_end.features(text)) for text in held_out.timed()]
    assert lengths == sorted(lengths)
    every = [len(each) for each in texts_to_gru.prepared.splits.validation.features]
    assert (lengths[0], lengths[-1]) == (min(every), max(every))
    assert len(lengths) == 12
