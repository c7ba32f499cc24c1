"""Learned positions: a variant that is longer than any recording is refused before anybody is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseq import data
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.run import check
from edgeseq.distill.teachers import RunTeacher
from edgeseq.features import prepare
from edgeseq.models.config import ModelConfig
from edgeseq.models.shapes import model_config
from edgeseq.training.recipe import DistillConfig, TextVariants
from edgeseq_device.errors import UsageError

JOINED = TextVariants(spliced=0.0, joined=1.0, noised=0.0)


def learned(max_frames: int) -> ModelConfig:
    shape = {"hidden": 4, "heads": 2, "embedding": 4, "positions": "learned", "max_frames": max_frames}
    return model_config("transformer", shape, "text")


def to_joined_texts(distillation: Distillation, model: ModelConfig, max_tokens: int = 64) -> Distillation:
    """The same with a student of that shape, which reads so many tokens of variants that are all joined."""
    front_end = replace(distillation.recipe.front_end, max_tokens=max_tokens)
    config = replace(distillation.config, variants=JOINED, twin=None)
    recipe = replace(distillation.recipe, model=model, front_end=front_end, distill=config)
    return replace(
        distillation,
        recipe=recipe,
        prepared=prepare(distillation.prepared.dataset, recipe.splitting, front_end, recipe.model),
    )


def longest(distillation: Distillation) -> int:
    front_end = distillation.prepared.front_end
    return max(len(front_end.features(str(text))) for text in distillation.transfer.asked(1))


def test_a_student_needs_positions_for_the_longest_variant(texts_to_gru: Distillation, cache: Path) -> None:
    short = to_joined_texts(texts_to_gru, learned(12))
    most = longest(short)
    assert most > 12 > max(len(each) for each in short.prepared.splits.train.features)
    with pytest.raises(
        UsageError, match=f"the student: .* has {most} frames, and 12 .* give --max-frames {most}"
    ):
        check(short)
    check(to_joined_texts(texts_to_gru, learned(most)))
    assert not cache.exists()


def test_what_is_cut_anyway_needs_no_more_positions(texts_to_gru: Distillation) -> None:
    check(to_joined_texts(texts_to_gru, learned(12), max_tokens=12))


def test_a_teacher_needs_positions_for_the_longest_variant_too(texts_to_gru: Distillation) -> None:
    found = to_joined_texts(texts_to_gru, texts_to_gru.recipe.model)
    (teacher,) = found.teachers
    assert isinstance(teacher, RunTeacher)
    run = replace(teacher.run, recipe=replace(teacher.run.recipe, model=learned(12)))
    with pytest.raises(UsageError, match=r"teacher: a variant .* train it with --max-frames"):
        check(replace(found, teachers=(replace(teacher, run=run),)))


def test_a_series_that_is_slowed_down_needs_positions(
    tiny_series: Path, train_quickly: Callable[..., RunTeacher]
) -> None:
    teacher = train_quickly(tiny_series)
    prepared = prepare(
        data.load(str(tiny_series)), data.SplitOptions(), data.FrontEndOptions(), ModelConfig()
    )
    frames = max(len(each) for each in prepared.splits.train.features)
    model = ModelConfig("transformer", hidden=4, heads=2, positions="learned", max_frames=frames)
    recipe = replace(teacher.run.recipe, model=model, distill=DistillConfig((teacher.source,), versions=3))
    recipe = replace(recipe, training=replace(recipe.training, epochs=3))
    with pytest.raises(UsageError, match="a variant of a recording has"):
        check(Distillation(recipe, prepared, (teacher,)))
