"""What a batch's answers are measured by: an objective gives the loss that training lowers.

An objective is a module called as `objective(forward, batch)`; it returns the loss, a scalar, and the model's
logits [B, C]. Parameters of its own (a projection, say) are trained and checkpointed beside the model's; a
teacher is none of them.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from edgeseq.training.examples import Batch
from edgeseq.training.qat import Forward


class CrossEntropy(nn.Module):
    """Mean cross-entropy with the true labels.

    label_smoothing: the part of the target that all classes share (Szegedy et al. 2016, arXiv 1512.00567,
    section 7).
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, forward: Forward, batch: Batch) -> tuple[Tensor, Tensor]:
        """(loss, logits [B, C])."""
        logits = forward(batch.features, batch.lengths)
        loss = functional.cross_entropy(logits, batch.labels, label_smoothing=self.label_smoothing)
        return loss, logits
