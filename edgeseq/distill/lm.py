"""Distillation of language models: in every window the teachers' probabilities of each next token.

Teachers read the streams that the student reads, with a state of their own that is carried as the student's
is. Shapes: B streams, T tokens of a window, V tokens in the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.distill.distillation import Distillation
from edgeseq.distill.exam import Exam, SplitFigures, Timed, Written
from edgeseq.distill.lessons import Lessons
from edgeseq.distill.objectives import softened_divergence
from edgeseq.distill.teachers import Teacher, Watched, check_prepared
from edgeseq.evaluate.tokens import (
    GATE_TOKENS,
    TokensEvaluation,
    evaluate_language_module,
    evaluate_language_step,
)
from edgeseq.features import Prepared
from edgeseq.models.model import LanguageModel, Leaf, SequenceModel, State, array
from edgeseq.runs import Run
from edgeseq.training.lesson import Lesson
from edgeseq.training.lm import NextToken, TokenBatch, lesson
from edgeseq.training.recipe import DistillConfig
from edgeseq_device.errors import DataError
from edgeseq_device.stepping import LoadedStep
from edgeseq_device.tokens import Tokens
from edgeseq_export.spec import SeqSpec

TIMED_TOKENS = 16


def check(distillation: Distillation) -> None:
    """As `OfTask.check`. Teachers must know the very tokens that the student knows."""
    for teacher in distillation.teachers:
        check_prepared(teacher, distillation.prepared)
        its, own = teacher.run and teacher.run.front_end, distillation.prepared.front_end
        if not (isinstance(its, Tokens) and isinstance(own, Tokens) and its.content == own.content):
            raise DataError(
                f"{teacher.source.reference}: this teacher has another vocabulary than the student, and both"
                " must answer token by token; leave the options about tokens out to take the first teacher's,"
                " or train a teacher with these"
            )


def lessons(distillation: Distillation, watch: Watched) -> Lessons:  # noqa: ARG001
    """The same streams twice: with the next token alone, and with what teachers say of it."""
    scratch = lesson(distillation.recipe, distillation.prepared)
    config, teachers = distillation.config, together(distillation.teachers)
    return Lessons(
        scratch,
        Lesson(
            scratch.examples,
            lambda phase, _module: SoftTokens(teachers, config, phase.config.label_smoothing),
        ),
    )


def exam(prepared: Prepared) -> Exam:
    """Nats per token and bits per character of the tokens that an export's accuracy gate judges."""
    return _Text(prepared)


def warnings(distillation: Distillation, student: Run) -> tuple[str, ...]:
    """As `OfTask.warnings`: what the student's training found."""
    return distillation.found_by(student)


class SoftTokens(nn.Module):
    """The teachers' probabilities of each next token at a temperature, and a part of the true token's.

    Word-level distillation (Kim and Rush 2016, arXiv 1606.07947, section 3.1) with the temperature of Hinton
    et al. 2015. It holds what the teachers remember of the window before, as `NextToken` does of the student.
    """

    def __init__(self, teachers: LanguageModel, config: DistillConfig, label_smoothing: float) -> None:
        super().__init__()
        self.next_token = NextToken(label_smoothing)
        self.temperature, self.hard_weight = config.temperature, config.hard_weight
        self._answer = teachers.forward  # a method, not a module: teachers are not trained
        self._state: State | None = None

    def forward(self, forward: LanguageModel, batch: TokenBatch) -> tuple[Tensor, Tensor]:
        """(loss, logits [B * T, V])."""
        hard, logits = self.next_token(forward, batch)
        with torch.no_grad():
            targets, self._state = self._answer(batch.features, None if batch.first else self._state)
        soft = softened_divergence(logits, targets.flatten(0, 1), self.temperature)
        return (1 - self.hard_weight) * soft + self.hard_weight * hard, logits


class Together(LanguageModel):
    """Several language models as one, in evaluation mode: the mean of the logarithms of their probabilities.

    Its state is that of each of them, behind each other.
    """

    def __init__(self, members: Sequence[LanguageModel]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.eval()
        with torch.no_grad():
            start = torch.zeros(1, 1, 1, dtype=torch.int64)
            self._states = [len(each(start)[1]) for each in members]

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As `LanguageModel.forward`; the logits are logarithms of probabilities."""
        given, carried = iter(state or ()), []
        mean = torch.zeros(())
        for member, count in zip(self.members, self._states, strict=True):
            logits, left = member(ids, tuple(islice(given, count)) or None)
            mean = mean + functional.log_softmax(logits, dim=2) / len(self.members)
            carried += left
        return mean, tuple(carried)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:  # noqa: ARG002
        """Several models have none."""
        raise TypeError("several language models together are not exported")


def together(teachers: Sequence[Teacher]) -> LanguageModel:
    """The one teacher's module, or all of them as one."""
    modules = [_language_model(teacher.module) for teacher in teachers]
    return modules[0] if len(modules) == 1 else Together(modules)


class _Text(Exam):
    @property
    def timed_inputs(self) -> int:
        return TIMED_TOKENS

    def of_run(self, run: Run) -> SplitFigures:
        return self._figures(partial(evaluate_language_module, _language_model(run.module())))

    def of_teachers(self, teachers: Sequence[Teacher], watch: Watched) -> SplitFigures:  # noqa: ARG002
        return self._figures(partial(evaluate_language_module, together(teachers)))

    def of_file(self, written: Written, run: Run, watch: Watched) -> SplitFigures:  # noqa: ARG002
        told = partial(watch, f"{written.what} reads what was held out")
        return self._figures(partial(evaluate_language_step, _step(written), progress=told))

    def timed(self, written: Written, run: Run) -> Timed:  # noqa: ARG002
        """A step: one token, behind those before."""
        step, ids = _step(written).step, self.prepared.texts["validation"].ids
        return lambda number: step(ids[number])

    def _figures(self, evaluate: Callable[..., TokensEvaluation]) -> SplitFigures:
        """All rows by the same tokens: as many as an export judges a file by."""
        texts = self.prepared.texts
        return {
            split: evaluate(texts[split].ids, texts[split].characters, GATE_TOKENS).to_dict()
            for split in self.prepared.splits.held_out
        }


def _step(written: Written) -> LoadedStep:
    assert written.step is not None  # noqa: S101 - a language model's has one
    return written.step


def _language_model(module: SequenceModel | None) -> LanguageModel:
    if not isinstance(module, LanguageModel):
        raise TypeError(f"{type(module).__name__} is no language model")
    return module
