"""The words of each task: what tables, results and messages call what its models say and reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeseq_device.tasks import Task


@dataclass(frozen=True)
class TaskWords:
    """outputs: what a model's outputs are of. counted: what a split is counted in.

    metric: what models are judged by, its key in result files; called: its name in tables; measured_in: its
    unit; is_share: whether it is written in percent. also: a second figure beside it, "" for none.
    """

    outputs: str
    counted: str
    metric: str
    called: str
    measured_in: str
    also: str = ""
    also_called: str = ""
    is_share: bool = False


WORDS: Mapping[Task, TaskWords] = {
    "classify": TaskWords(
        *("classes", "recordings", "accuracy", "accuracy", "share of recordings"), is_share=True
    ),
    "lm": TaskWords(
        *("tokens in the vocabulary", "tokens", "nats_per_token", "nats per token", "nats per token"),
        *("bits_per_character", "bits per character"),
    ),
    "forecast": TaskWords(
        *("channels", "windows", "mse", "MSE", "standardised squared error", "mae", "MAE"),
    ),
}
