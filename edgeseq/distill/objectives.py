"""What a student's answers are measured by: a teacher's, the labels of variants, a teacher's inside.

Each is an objective as `edgeseq.training.objective` says. Shapes: B examples, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeseq.distill.examples import TransferBatch
from edgeseq.distill.inside import HiddenStates, RelationLoss
from edgeseq.models.classify.transformer import TransformerClassifier
from edgeseq.training.examples import UNLABELLED
from edgeseq.training.qat import Forward
from edgeseq.training.recipe import DistillConfig


class MixedLabels(nn.Module):
    """Cross-entropy with the classes that a variant is made of, each as much as it has of the variant.

    (mixup's labels: Zhang et al. 2018, arXiv 1710.09412, eq. 1, of texts instead of pixels.) 0 for a batch
    without labels.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, forward: Forward, batch: TransferBatch) -> tuple[Tensor, Tensor]:
        """(loss, logits [B, C])."""
        logits = forward(batch.features, batch.lengths)
        return self.loss(logits, batch), logits

    def loss(self, logits: Tensor, batch: TransferBatch) -> Tensor:
        """logits: [B, C] -> a scalar, the mean over the examples whose classes are known."""
        known = batch.labels != UNLABELLED
        if not bool(known.any()):
            return 0 * logits.sum()  # the mean of no labels were no number
        first, second = (self._each(logits[known], labels[known]) for labels in (batch.labels, batch.others))
        share = batch.shares[known]
        return (share * first + (1 - share) * second).mean()

    def _each(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(
            logits, labels, reduction="none", label_smoothing=self.label_smoothing
        )


def softened_divergence(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """How far a student's probabilities at a temperature T are from its teacher's: the mean over examples.

    logits, targets: [B, C], the student's and the teacher's. Hinton, Vinyals & Dean 2015 (arXiv 1503.02531),
    eq. 1 and section 2: both are divided by T; the result is multiplied by T^2, so that its gradients keep
    their size. The Kullback-Leibler divergence differs from their cross-entropy by a constant.
    """
    teacher = functional.log_softmax(targets / temperature, dim=1)
    student = functional.log_softmax(logits / temperature, dim=1)
    divergence = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


class SoftTargets(nn.Module):
    """A teacher's probabilities at a temperature, and a part of the labels' cross-entropy."""

    def __init__(self, temperature: float, hard_weight: float, label_smoothing: float) -> None:
        super().__init__()
        self.temperature, self.hard_weight = temperature, hard_weight
        self.labels = MixedLabels(label_smoothing)

    def forward(self, forward: Forward, batch: TransferBatch) -> tuple[Tensor, Tensor]:
        """(loss, logits [B, C])."""
        logits = forward(batch.features, batch.lengths)
        return self.loss(logits, batch), logits

    def loss(self, logits: Tensor, batch: TransferBatch) -> Tensor:
        """logits: [B, C] -> a scalar."""
        assert batch.targets is not None  # noqa: S101 - a student's examples have a teacher's answers
        soft = softened_divergence(logits, batch.targets, self.temperature)
        if not self.hard_weight:
            return soft
        return (1 - self.hard_weight) * soft + self.hard_weight * self.labels.loss(logits, batch)


class Imitation(nn.Module):
    """Soft targets, and the losses on the inside of a Transformer teacher, whose forward pass is made here.

    The teacher reads what the student reads, so both need the same front end.
    """

    def __init__(
        self,
        soft: SoftTargets,
        student: TransformerClassifier,
        teacher: TransformerClassifier,
        config: DistillConfig,
    ) -> None:
        super().__init__()
        self.soft, self.config = soft, config
        heads = config.relation_heads or teacher.config.heads
        self.relations = RelationLoss(heads) if config.relation_weight else None
        self.hidden = HiddenStates(student.config, teacher.config) if config.hidden_weight else None
        # methods, not modules: neither the student's nor the teacher's weights are this objective's own
        self._student, self._teacher = student.trace, teacher.trace

    def forward(self, _forward: Forward, batch: TransferBatch) -> tuple[Tensor, Tensor]:
        """(loss, logits [B, C])."""
        own = self._student(batch.features, batch.lengths)
        with torch.no_grad():
            its = self._teacher(batch.features, batch.lengths)
        loss = self.soft.loss(own.logits, batch)
        if self.relations is not None:
            loss = loss + self.config.relation_weight * self.relations(own, its)
        if self.hidden is not None:
            loss = loss + self.config.hidden_weight * self.hidden(own, its)
        return loss, own.logits
