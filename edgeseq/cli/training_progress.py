"""What `edgeseq train` shows while it works: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from edgeseq.report.table import percent
from edgeseq.tasks import WORDS
from edgeseq.training.checkpoint import EpochResult, Validation
from edgeseq.training.recipe import Phase
from edgeseq_device.tasks import Task

HEADER = f"{'epoch':<11}{'training loss':>14}{'accuracy':>10}{'validation loss':>17}{'accuracy':>10}"
LOSSES = f"{'epoch':<11}{'training loss':>14}{'validation loss':>17}"
UNITS: Mapping[Task, str] = {"lm": "losses are nats per token", "forecast": "losses are mean squared errors"}


def duration(seconds: float) -> str:
    """Such as `48 s`, `3:07 min` or `1:02 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


class TrainingDisplay:
    """Prints each epoch's loss, of a classifier its accuracy, and the time that is left.

    Used as a context manager.
    """

    def __init__(self, console: Console, task: Task = "classify", losses: str | None = None) -> None:
        """losses: what they are, where that is not the task's."""
        self._console, self._training_of = console, task
        self._losses = losses or UNITS.get(task)
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.fields[remark]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = TaskID(0)
        self._epochs, self._done, self._started_with = 0, 0, 0
        self._start = time.monotonic()

    def __enter__(self) -> TrainingDisplay:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def began(self, epochs: int, done: tuple[EpochResult, ...]) -> None:
        """Starts the clock."""
        self._epochs, self._done, self._started_with = epochs, len(done), len(done)
        self._start = time.monotonic()
        self._task = self._bar.add_task(
            "", total=epochs, completed=len(done), epoch=self._counter(), remark=""
        )
        if done:
            self._console.print(f"goes on after epoch {len(done)} of {epochs}")
        self._console.print("* marks the best epoch on the validation split so far; its weights are kept")
        if self._losses:
            self._console.print(self._losses, soft_wrap=True)
        self._console.print(HEADER if self._training_of == "classify" else LOSSES)

    def phase(self, phase: Phase, done: int, before: Validation | None) -> None:
        """Says what the phase begins with; an earlier one may have ended before its time."""
        if done:
            self._epochs = done + phase.config.epochs
            self._bar.update(self._task, total=self._epochs)
        if before is not None:
            arithmetic = "quantization-aware" if phase.name == "qat" else "fine-tuning"
            accuracy = "" if before.accuracy is None else f", accuracy {_accuracy(before.accuracy)}"
            self._console.print(
                f"{arithmetic}: {phase.config.epochs} epochs from validation loss {before.loss:.3f}{accuracy}"
                f"{' in int8' if phase.name == 'qat' else ''}"
            )

    def batch(self, done: int, of: int) -> None:
        """Moves the bar within an epoch."""
        part = self._done + done / of
        self._bar.update(self._task, completed=part, epoch=self._counter(), remark=f"ETA {self._eta(part)}")

    def epoch(self, result: EpochResult, *, best: bool) -> None:
        """One line of at most 79 columns under HEADER for a finished epoch; a star marks the best so far."""
        self._done = result.epoch
        left = f"  ETA {self._eta(self._done)}" if self._done < self._epochs else ""
        counter = f"{f'{result.epoch:>3}/{self._epochs}':<11}"
        if self._training_of == "classify":
            line = (
                f"{result.train_loss:>14.3f}{_accuracy(result.train_accuracy):>10}"
                f"{result.validation_loss:>17.3f}{_accuracy(result.validation_accuracy):>10}"
            )
        else:
            line = f"{result.train_loss:>14.4f}{result.validation_loss:>17.4f}"
        self._console.print(f"{counter}{line}{'*' if best else ' '}{left}")

    def measuring(self, examples: int) -> None:
        """Says what takes a while after the last epoch."""
        self._bar.update(self._task, remark="measuring")
        accuracy = "accuracy on " * (self._training_of == "classify")
        self._console.print(f"measuring {accuracy}all {examples:,} {WORDS[self._training_of].counted}")

    def baseline(self) -> None:
        """Says what a forecaster's training ends with."""
        self._bar.update(self._task, remark="baseline")
        self._console.print("training the linear baseline")

    def _counter(self) -> str:
        return f"{min(self._done + 1, self._epochs)}/{self._epochs}"

    def _eta(self, done: float) -> str:
        trained = done - self._started_with
        if trained <= 0:
            return "unknown"
        return duration((time.monotonic() - self._start) / trained * (self._epochs - done))


def _accuracy(part: float | None) -> str:
    """A percentage; nothing where there is no right and wrong."""
    return "" if part is None else percent(part)
