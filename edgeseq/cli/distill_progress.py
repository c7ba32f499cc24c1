"""What `edgeseq distill` shows while it works."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgeseq.cli.training_progress import TrainingDisplay
from edgeseq.data.dataset import Kind
from edgeseq.distill.run import SCRATCH
from edgeseq.tasks import WORDS
from edgeseq_device.tasks import Task

MIXED: Mapping[Task, tuple[str, str, str]] = {
    "lm": ("divergence from the teachers", "the text's", "nats per token"),
    "forecast": (
        "squared error to the teachers' forecast",
        "that to what came",
        "mean squared error to what came",
    ),
}
"""The teachers' part of the training loss, the truth's, and what the validation loss is."""


class DistillDisplay:
    """A bar for what teachers and files answer, and each training's own lines. Used as a context manager."""

    def __init__(
        self, console: Console, kind: Kind, task: Task = "classify", hard_weight: float = 0.0
    ) -> None:
        """hard_weight: of the truth's part in the loss of the distilled student."""
        self._console, self._task_of, self._hard_weight = console, task, hard_weight
        self._unit = "texts" if (task, kind) == ("classify", "text") else WORDS[task].counted
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("")
        self._what = ""

    def __enter__(self) -> DistillDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, what: str, done: int, of: int) -> None:
        """Moves the bar; says once what begins."""
        if what != self._what:
            self._what = what
            self._bar.start()
            self._bar.reset(self._task, description=what, total=of)
            self._console.print(f"{what}: {of:,} {self._unit}")
        self._bar.update(self._task, completed=done, total=of)

    @contextlib.contextmanager
    def training(self, run: str) -> Iterator[TrainingDisplay]:
        """The training of runs/RUN, under its name."""
        self._bar.stop()
        self._what = ""
        self._console.print(f"training runs/{run}")
        losses = None if run.endswith(SCRATCH) else self._mixed()
        with TrainingDisplay(self._console, self._task_of, losses) as display:
            yield display

    def _mixed(self) -> str | None:
        """What the losses of the distilled student are, where its task's are of another kind."""
        if self._task_of not in MIXED:
            return None
        teachers, truth, validation = MIXED[self._task_of]
        hard = f" and {self._hard_weight:g} of {truth}" * bool(self._hard_weight)
        return f"training loss: {teachers}{hard}; validation loss: {validation}"
