"""What a model reaches on the validation split after an epoch: what the best weights are chosen by."""

from __future__ import annotations

from collections.abc import Callable

from edgeseq.training.checkpoint import Validation
from edgeseq.training.qat import Forward

Judge = Callable[[Forward], Validation]
