"""Whether a distillation was of use: the distilled student against the one from scratch, and the teachers."""

from __future__ import annotations

from collections.abc import Sequence

from edgeseq.distill.comparison import Row
from edgeseq.distill.held_out import Figures
from edgeseq.tasks import WORDS
from edgeseq_device.tasks import Task


def verdict(rows: Sequence[Row], task: Task) -> tuple[str, ...]:
    """Warnings by the task's figure in fp32 on the last held-out split; none without a student from
    scratch. Several teachers count together, where they have a row together.
    """
    reached = {row.role: row for row in rows if row.precision == "fp32"}
    scratch, distilled = reached.get("scratch"), reached["distilled"]
    if scratch is None:
        return ()
    several = len({row.name for row in rows if row.role == "teacher"}) > 1 or "ensemble" in reached
    teacher = reached.get("ensemble" if several else "teacher")
    found = []
    if _is_worse(distilled, scratch, task):
        of = _against(distilled, scratch, task)
        found.append(f"the distilled student is worse than the one from scratch: {of}; take {scratch.name}")
    if teacher is not None and _is_worse(teacher, scratch, task):
        who = "the teachers together are" if several else "the teacher is"
        of = _against(teacher, scratch, task)
        found.append(f"{who} worse than the student from scratch: {of}; take another teacher")
    return tuple(found)


def _reached(row: Row, task: Task) -> tuple[str, float]:
    """The split, and what is reached on it."""
    if isinstance(row.figures, Figures):
        return "test", row.figures.test
    split, figures = list(row.figures.items())[-1]
    return split, figures[WORDS[task].metric]


def _is_worse(row: Row, other: Row, task: Task) -> bool:
    (_, mine), (_, its) = _reached(row, task), _reached(other, task)
    return mine < its if WORDS[task].is_share else mine > its


def _against(row: Row, other: Row, task: Task) -> str:
    (split, mine), (_, its) = _reached(row, task), _reached(other, task)
    if WORDS[task].is_share:
        return f"{split} {WORDS[task].called} {100 * mine:.2f} % against {100 * its:.2f} %"
    return f"{split} {WORDS[task].called} {mine:.4f} against {its:.4f}"
