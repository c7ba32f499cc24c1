"""Tiny data sets, a series and texts, that a small model learns in seconds."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def write_tiny_series(
    path: Path, *, labels: tuple[str, ...] = ("fall", "rise"), recordings: int = 48
) -> Path:
    """An .npz of noisy ramps of 8 to 20 readings on two channels; a quarter of them is the test split."""
    generator = np.random.default_rng(3)
    lengths = generator.integers(8, 21, recordings)
    samples = np.zeros((recordings, int(lengths.max()), 2), np.float32)
    for index, length in enumerate(lengths):
        slope = (-1, 1, 3)[index % len(labels)]
        ramp = slope * np.linspace(-1, 1, length)
        samples[index, :length, 0] = ramp + 0.2 * generator.standard_normal(length)
        samples[index, :length, 1] = generator.standard_normal(length)
    np.savez(
        path,
        samples=samples,
        lengths=lengths,
        labels=np.array([labels[index % len(labels)] for index in range(recordings)]),
        splits=np.array(["test" if index % 8 < 2 else "train" for index in range(recordings)]),
    )
    return path


def write_tiny_texts(path: Path) -> Path:
    """A CSV of 72 requests of three intents; of each intent a sixth is validation and a sixth is test."""
    wishes = ("please", "would you", "i want you to", "now")
    objects = ("the lamp", "my alarm", "that song", "the radio", "the heating", "a timer")
    intents = {"off": "turn off", "on": "turn on", "louder": "turn up the volume of"}
    splits = ("train", "train", "validation", "train", "train", "test")
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("text", "label", "split"))
        for label, verb in intents.items():
            for number, (wish, thing) in enumerate(itertools.product(wishes, objects)):
                rows.writerow((f"{wish} {verb} {thing}", label, splits[number % 6]))
    return path


def write_waves(path: Path, rows: int = 300) -> Path:
    """A CSV of a series to forecast, an hour a line: two channels of noisy sines of 12 and of 24 hours."""
    hours, generator = np.arange(rows), np.random.default_rng(0)
    load = np.sin(hours * 2 * np.pi / 12) + 0.1 * generator.standard_normal(rows)
    oil = 20 + 5 * np.sin(hours * 2 * np.pi / 24) + generator.standard_normal(rows)
    lines = [f"{1_400_000_000 + 3600 * hour},{load[hour]:.4f},{oil[hour]:.4f}" for hour in hours]
    path.write_text("\n".join(["time,load,oil", *lines]) + "\n", "utf-8")
    return path


def write_tiny_corpus(path: Path, sentences: int = 150) -> Path:
    """A text of sentences on two lines each, of a few words in one order: about 5,000 characters."""
    generator = np.random.default_rng(1)
    who, what, where = (
        ("Anna", "the dog", "Émile"),
        ("sings", "sleeps", "waits"),
        ("here", "at home", "outside"),
    )
    drawn = generator.integers(3, size=(sentences, 3))
    lines = [f"{who[a]}:\n  {who[a]} {what[b]} {where[c]}.\n" for a, b, c in drawn]
    path.write_text("".join(lines), "utf-8")
    return path


@pytest.fixture
def tiny_corpus(tmp_path: Path) -> Path:
    """The tiny text for a language model."""
    return write_tiny_corpus(tmp_path / "plays.txt")


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """The file of the series to forecast."""
    return write_waves(tmp_path / "waves.csv")


@pytest.fixture
def tiny_texts(tmp_path: Path) -> Path:
    """The tiny data set of texts."""
    return write_tiny_texts(tmp_path / "requests.csv")


@pytest.fixture
def tiny_series(tmp_path: Path) -> Path:
    """The tiny data set's file."""
    return write_tiny_series(tmp_path / "ramps.npz")


@pytest.fixture(scope="session")
def write_series() -> Callable[..., Path]:
    """Writes a tiny data set with other labels or another size."""
    return write_tiny_series


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run commands in."""
    folder = tmp_path / "workplace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run_path(tiny_series: Path, workplace: Path) -> Path:
    """The folder of the run "one", a GRU on the tiny series, below the one that commands run in."""
    from edgeseq import data
    from edgeseq.features import prepare
    from edgeseq.models.config import ModelConfig
    from edgeseq.training.recipe import Recipe, TrainConfig
    from edgeseq.training.train import train

    recipe = Recipe(
        data=str(tiny_series), model=ModelConfig(hidden=3), training=TrainConfig(epochs=1, batch_size=16)
    )
    prepared = prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model)
    return train(recipe, prepared, "one").path


@pytest.fixture(scope="session")
def text_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, a small transformer on the tiny texts, whose recipe finds them."""
    from edgeseq import data
    from edgeseq.features import prepare
    from edgeseq.models.shapes import model_config
    from edgeseq.training.recipe import Recipe, TrainConfig
    from edgeseq.training.train import train

    place = tmp_path_factory.mktemp("teacher")
    recipe = Recipe(
        data=str(write_tiny_texts(place / "requests.csv")),
        front_end=data.FrontEndOptions(buckets=32, subwords=2),
        model=model_config("transformer", {"hidden": 8, "heads": 2, "embedding": 8, "dropout": 0.0}, "text"),
        training=TrainConfig(epochs=6, batch_size=8, learning_rate=0.02),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        prepared = prepare(data.load(recipe.data), recipe.splitting, recipe.front_end, recipe.model)
        run = train(recipe, prepared, "teacher")
    return place / run.path


@pytest.fixture(scope="session")
def language_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with plays.txt, runs/plays and artifacts/plays, a language model; never to be changed."""
    place = tmp_path_factory.mktemp("language")
    write_tiny_corpus(place / "plays.txt")
    shape = ("--task", "lm", "--hidden", "8", "--embedding", "8", "--epochs", "2")
    _trained_and_exported(place, "plays.txt", "plays", *shape)
    return place


@pytest.fixture(scope="session")
def forecast_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with waves.csv, runs/waves and artifacts/waves, a small forecaster; never to be changed."""
    place = tmp_path_factory.mktemp("forecast")
    write_waves(place / "waves.csv")
    sizes = ("--context", "24", "--horizon", "12", "--segment", "6", "--hidden", "8", "--epochs", "1")
    _trained_and_exported(place, "waves.csv", "waves", "--task", "forecast", *sizes)
    return place


def _trained_and_exported(place: Path, data: str, name: str, *settings: str) -> None:
    from click.testing import CliRunner

    from edgeseq.cli import main

    train = ("train", "--data", data, "--name", name, *settings)
    export = ("export", name, "--name", name, "--json", "export.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for arguments in (train, export):
            ran = CliRunner().invoke(main, arguments)
            assert ran.exit_code == 0, ran.output
    (place / "export.txt").write_text(ran.stdout, "utf-8")
