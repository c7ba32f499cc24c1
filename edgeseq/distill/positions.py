"""Whether the variants are short enough for students and teachers that have learned so many positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgeseq.distill.teachers import Teacher
from edgeseq.distill.transfer import TransferSet
from edgeseq.features import Prepared
from edgeseq.models.config import ModelConfig
from edgeseq.settings import require
from edgeseq.training.recipe import Recipe
from edgeseq_device.frontend import FrontEnd
from edgeseq_device.tokens import Tokens


def check_variants(
    recipe: Recipe, prepared: Prepared, teachers: Sequence[Teacher], transfer: TransferSet
) -> None:
    """Raises UsageError where a variant has more frames than a Transformer has positions for.

    A variant may be longer than any recording: two texts joined, a sound slowed down. What a front end cuts
    after `max_tokens`, and a Hugging Face teacher after what it takes, is no longer than that.
    """
    _check("the student", "give", recipe.model, prepared.front_end, transfer)
    for teacher in teachers:
        if (run := teacher.run) is not None:
            _check(teacher.source.reference, "train it with", run.recipe.model, run.front_end, transfer)


def _check(who: str, mend: str, model: ModelConfig, front_end: FrontEnd, transfer: TransferSet) -> None:
    limit = model.max_frames
    if model.positions != "learned" or (isinstance(front_end, Tokens) and front_end.max_tokens <= limit):
        return
    longest = max(_lengths(front_end, transfer))
    require(
        longest <= limit,
        f"{who}: a variant of a recording has {longest} frames, and {limit} positions are learned; {mend}"
        f" --max-frames {longest} or more, or --positions rotary",
    )


def _lengths(front_end: FrontEnd, transfer: TransferSet) -> Iterator[int]:
    for version in range(transfer.versions):
        for each in transfer.asked(version):
            yield len(front_end.features(each)) if isinstance(each, str) else len(each)
