"""Teachers of the tiny texts and a place of its own for what they answered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseq import data
from edgeseq.distill.distillation import Distillation
from edgeseq.distill.run import Watching
from edgeseq.distill.teachers import RunTeacher, Teacher, open_teacher
from edgeseq.features import prepare
from edgeseq.models.config import ModelConfig
from edgeseq.models.shapes import model_config
from edgeseq.runs import open_run
from edgeseq.training.augment import SERIES
from edgeseq.training.checkpoint import EpochResult
from edgeseq.training.fit import Silent
from edgeseq.training.recipe import DistillConfig, Recipe, TrainConfig
from edgeseq.training.train import train


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder, empty at first."""
    monkeypatch.setenv("EDGESEQ_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Quiet:
    """Watches nothing."""

    def step(self, what: str, done: int, of: int) -> None: ...

    @contextlib.contextmanager
    def training(self, run: str) -> Iterator[Silent]:  # noqa: ARG002
        yield Silent()


class Interrupting(Quiet):
    """Interrupts, as Ctrl-C would, after some epochs of a run."""

    def __init__(self, run: str, epochs: int) -> None:
        self.run, self.epochs = run, epochs

    @contextlib.contextmanager
    def training(self, run: str) -> Iterator[Silent]:
        yield StopAfter(self.epochs) if run == self.run else Silent()


class StopAfter(Silent):
    def __init__(self, epoch: int) -> None:
        self.last = epoch

    def epoch(self, result: EpochResult, *, best: bool) -> None:  # noqa: ARG002
        if result.epoch == self.last:
            raise KeyboardInterrupt


@pytest.fixture
def interrupting() -> Callable[[str, int], Watching]:
    """A watcher that ends the training of a run behind the epoch of that number."""
    return Interrupting


@pytest.fixture
def quiet() -> Watching:
    """A watcher of a distillation that says nothing."""
    return Quiet()


@pytest.fixture
def teacher(text_teacher: Path) -> Teacher:
    """The transformer run."""
    return open_teacher(str(text_teacher))


@pytest.fixture
def texts_to_gru(text_teacher: Path, teacher: Teacher) -> Distillation:
    """A GRU-4 that learns from the transformer run in two epochs, two versions of each text."""
    base = open_run(text_teacher).recipe
    model = model_config("gru", {"hidden": 4, "embedding": 4, "bidirectional": False}, "text")
    recipe = Recipe(
        data=base.data,
        front_end=base.front_end,
        model=replace(model, dropout=0.1),
        training=TrainConfig(epochs=2, batch_size=16, label_smoothing=0.1, ema=0.5),
        distill=DistillConfig((teacher.source,), versions=2, twin=model),
    )
    prepared = prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model)
    return Distillation(recipe, prepared, (teacher,))


@pytest.fixture
def train_quickly(workplace: Path) -> Callable[..., RunTeacher]:
    """Trains a GRU-4 for an epoch, or as many as are given, as a teacher: runs/quick."""

    def made(path: Path, epochs: int = 1) -> RunTeacher:
        recipe = Recipe(
            data=str(path),
            model=ModelConfig("gru", hidden=4),
            training=TrainConfig(epochs=epochs, batch_size=8, learning_rate=0.02, augment=SERIES),
        )
        train(
            recipe, prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model), "quick"
        )
        teacher = open_teacher("quick")
        assert isinstance(teacher, RunTeacher)
        return teacher

    return made
