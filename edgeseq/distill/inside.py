"""Losses on the inside of a Transformer: a student's rows and their relations against a teacher's.

Shapes: B recordings, T rows, N heads of width d each (N * d = D), A relation heads; a student and a teacher
may differ in all but B and T.
"""

from __future__ import annotations

from math import floor

from torch import Tensor, nn
from torch.nn import functional

from edgeseq.models.classify.transformer import Trace
from edgeseq.models.config import ModelConfig

UNSEEN = -1e4  # the score of a row behind the recording's end: its softmax is 0, and no infinity meets a 0


class RelationLoss(nn.Module):
    """How far the relations between a student's queries, keys and values are from the teacher's.

    MiniLMv2 (Wang et al. 2020, arXiv 2012.15828, eq. 5-6) on the last layers of both: heads are put together
    and cut into A relation heads, so that numbers of heads and widths may differ; each row's softmax over
    scaled products of queries with queries, keys with keys, values with values is compared by KL divergence
    (MiniLM, arXiv 2002.10957, eq. 8-9, has the values' part). Rows behind a recording's end count nowhere.
    """

    def __init__(self, heads: int) -> None:
        """heads: A; it divides the widths of both."""
        super().__init__()
        self.heads = heads

    def forward(self, own: Trace, its: Trace) -> Tensor:
        """The three divergences together, each a mean over relation heads and true rows."""
        lengths = its.inside.sum(dim=1)
        total = own.logits.new_zeros(())
        for name in ("queries", "keys", "values"):
            teacher = self._log_relations(getattr(its, name), its.inside)
            student = self._log_relations(getattr(own, name), own.inside)
            divergence = (teacher.exp() * (teacher - student)).sum(dim=3)  # [B, A, T]
            of_rows = divergence.masked_fill(~its.inside[:, None], 0.0).sum(dim=2)
            total = total + (of_rows / lengths[:, None]).mean()
        return total

    def _log_relations(self, heads: Tensor, inside: Tensor) -> Tensor:
        """heads: [B, N, T, d] -> the logarithm of each row's relations [B, A, T, T]."""
        B, N, T, d = heads.shape
        rows = heads.transpose(1, 2).reshape(B, T, self.heads, N * d // self.heads).transpose(1, 2)
        scores = rows @ rows.transpose(2, 3) / rows.shape[3] ** 0.5
        return functional.log_softmax(scores.masked_fill(~inside[:, None, None], UNSEEN), dim=3)


class HiddenStates(nn.Module):
    """How far a student's rows, led through a learned matrix, are from those of the teacher.

    TinyBERT (Jiao et al. 2019, arXiv 1909.10351): mean square error behind each of the M layers (eq. 8) and
    behind the embeddings (eq. 9), layer m of the student against layer g(m) = m * N / M of the teacher's N,
    rounded, summed as in eq. 6 with every lambda 1. Rows behind a recording's end count nowhere.
    """

    def __init__(self, student: ModelConfig, teacher: ModelConfig) -> None:
        super().__init__()
        self.partners = layer_map(student.layers, teacher.layers)
        self.of_embeddings = nn.Linear(student.hidden, teacher.hidden, bias=False)
        self.of_layers = nn.Linear(student.hidden, teacher.hidden, bias=False)

    def forward(self, own: Trace, its: Trace) -> Tensor:
        """The sum over embeddings and layers of mean squares over true rows."""
        total = own.logits.new_zeros(())
        for m, partner in enumerate(self.partners):
            project = self.of_layers if m else self.of_embeddings
            squares = (project(own.hidden[m]) - its.hidden[partner]).square().mean(dim=2)  # [B, T]
            total = total + squares[its.inside].mean()
        return total


def layer_map(student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """g(m) for m = 0 (the embeddings) to the student's last layer, which learns from the teacher's last."""
    return tuple(floor(m * teacher_layers / student_layers + 0.5) for m in range(student_layers + 1))
