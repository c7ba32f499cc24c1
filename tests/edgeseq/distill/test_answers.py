"""Teachers' answers: computed once, kept whole or not at all, in the order of the data's labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeseq.data.dataset import Kind
from edgeseq.distill.answers import answers, cached_logits, together
from edgeseq.distill.run import Distillation
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

    def __init__(self, sha256: str = "1" * 64) -> None:
        self.source = TeacherSource("counting", "run", sha256)
        self.asked = 0

    def logits(self, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
        self.asked += 1
        watch(len(asked), len(asked))
        rows = [[len(text), 1 / len(text), str(text).count(" ")] for text in asked]
        return np.array(rows, np.float32)


def nobody(*_progress: object) -> None: ...


def test_the_same_question_is_asked_once(cache: Path) -> None:
    teacher = Counting()
    first = cached_logits(teacher, TEXTS, nobody)
    np.testing.assert_array_equal(cached_logits(Counting(), TEXTS, nobody), first)
    np.testing.assert_allclose(first, teacher.logits(TEXTS, nobody), rtol=1e-3)
    assert len(list((cache / "transfer").iterdir())) == 1


@pytest.mark.parametrize("other", [(Counting("2" * 64), TEXTS), (Counting(), TEXTS[:2])])
def test_another_teacher_or_question_is_asked_for_itself(other: tuple[Counting, Asked], cache: Path) -> None:
    cached_logits(Counting(), TEXTS, nobody)
    cached_logits(*other, nobody)
    assert other[0].asked == 1


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


def test_an_answer_that_is_no_number_is_refused_and_not_kept(cache: Path) -> None:
    class Broken(Counting):
        def logits(self, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
            return super().logits(asked, watch) * np.float32(np.nan)

    with pytest.raises(DataError, match="counting: this teacher answers NaN or infinity"):
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
    found = answers([counting], transfer, labels, lambda *step: told.append(step))
    assert found.shape == (2, 48, 3)
    lengths = [len(str(text)) for text in transfer.asked(1)]
    np.testing.assert_array_equal(found[1, :, labels.index("on")], lengths)
    assert told[-1] == ("counting answers", 96, 96)
    both = answers([counting, teacher], transfer, labels, nobody)
    np.testing.assert_allclose(np.exp(both.astype(np.float32)).sum(axis=2) <= 1.01, True)
