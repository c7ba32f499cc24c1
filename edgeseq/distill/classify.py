"""Distillation of classifiers: answers to variants of recordings, accuracy on those that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from edgeseq.distill.answers import Answers, cached_logits, in_order, together
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.exam import Exam, Timed, Written
from edgeseq.distill.held_out import Figures, HeldOut, Part, figures_of
from edgeseq.distill.lessons import Lessons, check_inside, scratch_lesson, student_lesson
from edgeseq.distill.positions import check_variants
from edgeseq.distill.teachers import Teacher, Watched, check_prepared
from edgeseq.evaluate import one_by_one
from edgeseq.features import FloatArray, Prepared
from edgeseq.runs import Run
from edgeseq.training.train import check_positions


def check(distillation: Distillation) -> None:
    """As `OfTask.check`."""
    recipe, prepared, teachers = distillation.recipe, distillation.prepared, distillation.teachers
    for teacher in teachers:
        check_prepared(teacher, prepared)
    check_inside(recipe, prepared, teachers)
    check_positions(recipe.model, prepared)
    check_variants(recipe, prepared, teachers, distillation.transfer)


def lessons(distillation: Distillation, watch: Watched) -> Lessons:
    """Variants with their labels, and with the teachers' answers, which are asked for here."""
    transfer, teachers = distillation.transfer, distillation.teachers
    answers = Answers(teachers, transfer, distillation.prepared.dataset.labels)
    answers.ask(watch)
    return Lessons(scratch_lesson(transfer), student_lesson(transfer, answers, teachers, distillation.config))


def exam(prepared: Prepared) -> Exam:
    """Accuracy, and what is rejected."""
    return _Recordings(prepared)


def warnings(distillation: Distillation, student: Run) -> tuple[str, ...]:  # noqa: ARG001
    """As `OfTask.warnings`."""
    asked, found = HeldOut(distillation.prepared).inside["test"].asked, []
    for teacher in distillation.teachers:
        if cut := teacher.cut(asked):
            found.append(
                f"{teacher.source.reference}: {cut} of {len(asked)} test texts were cut to the"
                f" {teacher.max_tokens} tokens that this teacher reads"
            )
    given = len(distillation.unlabelled)
    if left_out := given - len(distillation.further_texts):
        found.append(
            f"{distillation.config.unlabelled}: {left_out} of {given} texts are in the validation or test"
            " split or out of scope; they were left out"
        )
    return tuple(found)


class _Recordings(Exam):
    int8_teachers = False

    def __init__(self, prepared: Prepared) -> None:
        super().__init__(prepared)
        self._held_out = HeldOut(prepared)
        self._timed = self._held_out.timed()

    @property
    def timed_inputs(self) -> int:
        return len(self._timed)

    def of_run(self, run: Run) -> Figures:
        return figures_of(run)

    def of_teachers(self, teachers: Sequence[Teacher], watch: Watched) -> Figures:
        return self._held_out.figures(partial(self._answers, teachers, watch))

    def of_file(self, written: Written, run: Run, watch: Watched) -> Figures:  # noqa: ARG002
        return self._held_out.figures(partial(_file_answers, written, watch))

    def timed(self, written: Written, run: Run) -> Timed:
        rate_hz = self.prepared.dataset.sample_rate_hz
        features = [
            run.front_end.features(each, rate_hz) if isinstance(each, str) else each for each in self._timed
        ]
        return lambda number: written.loaded.run(features[number])

    def timed_teacher(self, teacher: Teacher) -> Timed:
        encoded = [teacher.encode([str(text)]) for text in self._timed]
        return lambda number: teacher.answer(encoded[number])

    def _answers(self, teachers: Sequence[Teacher], watch: Watched, part: Part) -> FloatArray:
        """[n, C]: what teachers answer together to a part, in the order of the data's labels."""
        found = []
        for teacher in teachers:
            told = partial(watch, f"teacher {teacher.source.reference} answers {part.name}")
            logits = cached_logits(teacher, part.asked, told)
            found.append(in_order(logits, teacher.labels, self.prepared.dataset.labels))
        return together(found)


def _file_answers(written: Written, watch: Watched, part: Part) -> FloatArray:
    told = partial(watch, f"{written.what} answers {part.name}")
    return one_by_one(written.loaded.run, part.data.features, told)
