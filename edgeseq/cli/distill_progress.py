"""What `edgeseq distill` shows while it works."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgeseq.cli.training_progress import TrainingDisplay
from edgeseq.data.dataset import Kind
from edgeseq.tasks import Task


class DistillDisplay:
    """A bar for what teachers and files answer, and each training's own lines. Used as a context manager."""

    def __init__(self, console: Console, kind: Kind, task: Task = "classify") -> None:
        self._console, self._task_of = console, task
        of_classifiers = "texts" if kind == "text" else "recordings"
        self._unit = {"classify": of_classifiers, "lm": "tokens", "forecast": "windows"}[task]
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
        with TrainingDisplay(self._console, self._task_of) as display:
            yield display
