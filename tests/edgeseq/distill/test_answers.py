"""Teachers' answers: computed once, kept whole or not at all, in the order of the data's labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseq.data.dataset import Kind
from edgeseq.distill import answers as asking
from edgeseq.distill.answers import Answers, cached_logits, together
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.teachers import Asked, Teacher
from edgeseq.distill.transfer import transfer_set
from edgeseq.features import FloatArray
from edgeseq.training.recipe import TeacherSource
from edgeseq_device.errors import DataError

TEXTS = ("turn on", "turn off", "louder please")


class Counting:
    """Answers [length, 1 / length, number of words], and counts how often it is asked."""

    kind: Kind = "text"
    labels = ("on", "off", "louder")
    parameters = 3
    run = None
    module = None
    max_tokens = None

    def __init__(self, sha256: str = "1" * 64, software: str = "abacus 1") -> None:
        self.source, self.software = TeacherSource("counting", "run", sha256), software
        self.asked, self.threads = 0, 0

    def logits(self, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
        self.asked, self.threads = self.asked + 1, torch.get_num_threads()
        watch(len(asked), len(asked))
        return self.answer(self.encode(asked))

    def encode(self, asked: Asked) -> list[str]:
        return [str(text) for text in asked]

    def answer(self, encoded: list[str]) -> FloatArray:
        return np.array([[len(text), 1 / len(text), text.count(" ")] for text in encoded], np.float32)

    def cut(self, asked: Asked) -> int:  # noqa: ARG002
        return 0


def nobody(*_progress: object) -> None: ...


def test_the_same_question_is_asked_once(cache: Path) -> None:
    teacher = Counting()
    first = cached_logits(teacher, TEXTS, nobody)
    np.testing.assert_array_equal(cached_logits(Counting(), TEXTS, nobody), first)
    np.testing.assert_allclose(first, teacher.logits(TEXTS, nobody), rtol=1e-3)
    assert len(list((cache / "transfer").iterdir())) == 1


@pytest.mark.parametrize(
    ("teacher", "question"),
    [
        pytest.param(Counting("2" * 64), TEXTS, id="teacher"),
        pytest.param(Counting(software="abacus 2"), TEXTS, id="software"),
        pytest.param(Counting(), TEXTS[:2], id="question"),
    ],
)
def test_another_teacher_or_question_is_asked_for_itself(teacher: Counting, question: Asked) -> None:
    cached_logits(Counting(), TEXTS, nobody)
    cached_logits(teacher, question, nobody)
    assert teacher.asked == 1


def test_what_other_code_asked_for_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    cached_logits(Counting(), TEXTS, nobody)
    monkeypatch.setattr(asking, "ASKING_VERSION", asking.ASKING_VERSION + 1)
    teacher = Counting()
    cached_logits(teacher, TEXTS, nobody)
    assert teacher.asked == 1


def test_answers_under_the_name_of_others_are_not_taken_for_them(cache: Path) -> None:
    first = cached_logits(Counting(), TEXTS, nobody)
    (path,) = (cache / "transfer").iterdir()
    other = cached_logits(Counting("2" * 64), TEXTS[::-1], nobody)
    (second,) = set((cache / "transfer").iterdir()) - {path}
    path.write_bytes(second.read_bytes())
    np.testing.assert_array_equal(cached_logits(Counting(), TEXTS, nobody), first)
    assert not np.array_equal(first, other)


def test_whoever_asks_teachers_answer_on_the_same_number_of_threads() -> None:
    teacher, threads = Counting(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        cached_logits(teacher, TEXTS, nobody)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert teacher.threads == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_file_is_made_anew(damage: str, cache: Path) -> None:
    expected = cached_logits(Counting(), TEXTS, nobody)
    (path,) = (cache / "transfer").iterdir()
    content = path.read_bytes()
    changed = {"cut": content[:-3], "flipped": content[:-1] + bytes([content[-1] ^ 1]), "emptied": b""}
    path.write_bytes(changed[damage])
    teacher = Counting()
    np.testing.assert_array_equal(cached_logits(teacher, TEXTS, nobody), expected)
    assert teacher.asked == 1
    assert path.read_bytes() == content


@pytest.mark.parametrize("factor", [np.nan, np.inf, 1e4])
def test_an_answer_that_is_no_number_in_the_cache_is_refused_and_not_kept(factor: float, cache: Path) -> None:
    class Broken(Counting):
        def answer(self, encoded: list[str]) -> FloatArray:
            return super().answer(encoded) * np.float32(factor)

    with pytest.raises(DataError, match="counting: an answer is NaN, infinity or beyond 65504; take another"):
        cached_logits(Broken(), TEXTS, nobody)
    assert not cache.exists()


def test_teachers_together_answer_the_mean_of_their_log_probabilities() -> None:
    logits = [np.array([[1.0, 2.0, 0.0]], np.float32), np.array([[9.0, 7.0, 8.0]], np.float32)]
    logs = [each - np.log(np.exp(each).sum()) for each in logits]
    np.testing.assert_allclose(together(logits), (logs[0] + logs[1]) / 2, rtol=1e-5)
    assert together(logits[:1]) is logits[0]


def test_all_versions_are_answered_in_the_order_of_the_data_s_labels(
    texts_to_gru: Distillation, teacher: Teacher
) -> None:
    labels = texts_to_gru.prepared.dataset.labels
    transfer = transfer_set(texts_to_gru.recipe, texts_to_gru.prepared)
    told: list[tuple[str, int, int]] = []
    counting = Counting()
    found = Answers([counting], transfer, labels)
    found.ask(lambda *step: told.append(step))
    assert counting.asked == 2
    lengths = [len(str(text)) for text in transfer.asked(1)]
    np.testing.assert_array_equal(found.of(1)[:, labels.index("on")], lengths)
    assert (found.of(0).shape, found.of(0).dtype) == ((48, 3), np.float16)
    assert counting.asked == 2
    what = "teacher counting answers, variants included"
    assert told == [(what, 48, 96), (what, 96, 96)]
    both = Answers([counting, teacher], transfer, labels)
    both.ask(lambda *step: told.append(step))
    assert told[-1] == ("2 teachers answer, variants included", 192, 192)
    np.testing.assert_allclose(np.exp(both.of(1).astype(np.float32)).sum(axis=1) <= 1.01, True)
