"""How good a model is: `classes` of recordings, `tokens` of a text, `windows` of a series."""

from __future__ import annotations

from edgeseq.evaluate.classes import (
    Evaluation,
    OutOfScope,
    Rejecting,
    choose_threshold,
    evaluate_artifact,
    evaluate_logits,
    evaluate_module,
    one_by_one,
    out_of_scope_metrics,
    rejecting,
)

__all__ = [
    "Evaluation",
    "OutOfScope",
    "Rejecting",
    "choose_threshold",
    "evaluate_artifact",
    "evaluate_logits",
    "evaluate_module",
    "one_by_one",
    "out_of_scope_metrics",
    "rejecting",
]
