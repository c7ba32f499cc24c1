"""What suits a student of teachers, and what its twin from scratch keeps of it."""

from __future__ import annotations

from edgeseq.distill.defaults import TEXT_DROPOUT, student_model, student_training, twin_model
from edgeseq.models.shapes import model_config
from edgeseq.training.augment import SERIES, TEXT
from edgeseq.training.recipe import TrainConfig


def test_a_student_of_texts_has_less_dropout_unless_one_was_given() -> None:
    usual = model_config("gru", {"hidden": 4, "dropout": 0.3}, "text")
    student = student_model(usual, "text", ["hidden", "dropout"])
    assert (student.dropout, student.embedding_dropout) == (0.3, TEXT_DROPOUT)
    assert usual.embedding_dropout > TEXT_DROPOUT
    series = model_config("gru", {}, "series")
    assert student_model(series, "series", []) == series


def test_the_twin_has_the_student_s_shape_and_the_usual_dropout() -> None:
    usual = model_config("gru", {"hidden": 4}, "text")
    student = student_model(model_config("gru", {"hidden": 6}, "text"), "text", ["hidden"])
    assert twin_model(student, usual) == model_config("gru", {"hidden": 6}, "text")


def test_variants_of_texts_take_the_place_of_lost_and_replaced_tokens() -> None:
    found = student_training(TrainConfig(augment=TEXT), "text").augment
    assert (found.token_dropout, found.token_replacement) == (0, 0)
    assert found.token_unknown == TEXT.token_unknown > 0
    series = TrainConfig(augment=SERIES)
    assert student_training(series, "series") == series
