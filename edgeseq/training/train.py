"""A training from recipe to finished run folder, in one go or resumed after a kill."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch

import edgeseq
from edgeseq import data
from edgeseq.features import SPLITS, Prepared, prepare
from edgeseq.files import atomic_write_json, atomic_write_text
from edgeseq.models.config import ModelConfig
from edgeseq.models.model import SequenceModel
from edgeseq.runs import (
    RUN_VERSION,
    Run,
    RunFolder,
    discard,
    keep_tokenizer,
    new_run_folder,
    open_run,
    read_recipe,
    resume_command,
)
from edgeseq.tasks import WORDS
from edgeseq.training.by_task import by_task
from edgeseq.training.checkpoint import EpochResult, History, Validation, save_weights
from edgeseq.training.fit import Silent, TrainingProgress, fit, repeatable
from edgeseq.training.lesson import Lesson
from edgeseq.training.qat import quantized_forward, rounding_of
from edgeseq.training.recipe import Phase, Recipe
from edgeseq.training.start import keep_start, start_weights
from edgeseq_device.errors import EdgeseqError, UsageError


def train(
    recipe: Recipe,
    prepared: Prepared,
    name: str | None = None,
    progress: TrainingProgress | None = None,
    source: Run | None = None,
    lesson: Lesson | None = None,
) -> Run:
    """Trains and returns the finished run under ./runs.

    `name` None: that of `default_name`, with a number where taken. source: the run that `recipe.start` names.
    lesson: None learns from the labels alone. A training that ends before its first epoch is over leaves no
    folder behind.
    """
    check_positions(recipe.model, prepared)
    folder = new_run_folder(name, default_name(recipe, prepared))
    try:
        atomic_write_json(folder.recipe, recipe.to_dict())
        if source is not None:
            keep_start(folder, source)
        return _finish(folder, recipe, prepared, progress, lesson)
    except BaseException:
        if not folder.checkpoint.exists():
            discard(folder)
        raise


def prepare_resume(folder: RunFolder) -> tuple[Recipe, Prepared]:
    """What `resume` needs. Raises UsageError where that training is over already."""
    if folder.is_finished:
        raise UsageError(f"{folder.path}: training is over already; there is nothing to resume")
    recipe = read_recipe(folder)
    if recipe.distill is not None:
        advice = f"go on with: {resume_command(folder)}"
        raise UsageError(f"{folder.path}: its training needs its teachers; {advice}")
    dataset = data.load(recipe.data, recipe.reading)
    return recipe, prepare(dataset, recipe.splitting, recipe.front_end, recipe.model)


def resume(
    folder: RunFolder,
    recipe: Recipe,
    prepared: Prepared,
    progress: TrainingProgress | None = None,
    lesson: Lesson | None = None,
) -> Run:
    """Goes on after the last whole epoch and ends with the weights of an unbroken training.

    lesson: the one that training began with. Raises DataError where the data changed since, or the
    checkpoint is damaged.
    """
    return _finish(folder, recipe, prepared, progress, lesson)


def default_name(recipe: Recipe, prepared: Prepared) -> str:
    """Such as fsdd-gru or fsdd-gru-qat: the data's name, in characters a folder can have, and the family."""
    name = Path(prepared.dataset.name).stem
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)
    endings = {"-distilled": recipe.distill, "-qat": recipe.qat, "-tuned": recipe.start}
    ending = next((each for each, settings in endings.items() if settings is not None), "")
    return f"{plain.lstrip('.-') or 'run'}-{recipe.model.family}{ending}"


def check_positions(model: ModelConfig, prepared: Prepared) -> None:
    """Raises UsageError before anything is trained where a recording has more frames than are learned."""
    if model.positions != "learned":
        return
    longest = max(len(each) for name in SPLITS for each in prepared.splits.named(name).features)
    if longest > model.max_frames:
        raise UsageError(
            f"a recording has {longest} frames, --max-frames {model.max_frames} positions would be learned:"
            f" give --max-frames {longest} or more, or --positions rotary"
        )


def _finish(
    folder: RunFolder,
    recipe: Recipe,
    prepared: Prepared,
    progress: TrainingProgress | None,
    lesson: Lesson | None,
) -> Run:
    with _said_how_to_go_on(folder):
        recorder = _Recorder(folder.history, progress or Silent())
        keep_tokenizer(folder, prepared.front_end)
        start = start_weights(folder, recipe)
        module, history = fit(recipe, prepared, folder.checkpoint, recorder, start, lesson)
        _write_history(folder.history, history.epochs)
        recorder.measuring(sum(prepared.sizes().values()))
        with repeatable(recipe.training):
            metrics = _metrics(folder, recipe, prepared, history, module, recorder)
            result = _result(recipe, prepared, history, module, metrics)
        save_weights(folder.weights, module.state_dict())
        atomic_write_json(folder.result, result)
    return open_run(folder.path)


@contextlib.contextmanager
def _said_how_to_go_on(folder: RunFolder) -> Iterator[None]:
    """An interruption or a full disk after a whole epoch costs nothing but the epoch at hand: say so."""
    advice = f"go on with: {resume_command(folder)}"
    try:
        yield
    except KeyboardInterrupt:
        if not folder.checkpoint.exists():
            raise
        raise KeyboardInterrupt(advice) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not folder.checkpoint.exists():
            raise
        raise EdgeseqError(f"{error.filename}: {error.strerror}; free some space and {advice}") from error


def _result(
    recipe: Recipe, prepared: Prepared, history: History, module: SequenceModel, metrics: dict[str, Any]
) -> dict[str, Any]:
    dataset = prepared.dataset
    return {
        "run_version": RUN_VERSION,
        "finished_utc": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "data": {
            "reference": recipe.data,
            "kind": dataset.kind,
            "channels": list(dataset.channels),
            "content_sha256": dataset.content_sha256,
        },
        "labels": list(prepared.labels),
        "splits": {
            **prepared.sizes(),
            "unit": WORDS[recipe.model.task].counted,
            "origin": prepared.origin,
            "sha256": prepared.splits_sha256,
        },
        "front_end": prepared.front_end.to_dict(),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "metrics": metrics,
        **_quantization(recipe, history, module),
        "warnings": [*prepared.warnings, *by_task(recipe.model.task).doubts(recipe, prepared, metrics)],
        "versions": _versions(),
    }


def _metrics(
    folder: RunFolder,
    recipe: Recipe,
    prepared: Prepared,
    history: History,
    module: SequenceModel,
    watcher: TrainingProgress,
) -> dict[str, Any]:
    """By split what is reached in fp32, under "int8" in the exported model's arithmetic, under "linear" by a
    forecaster's baseline, and what it took.
    """
    of_task = by_task(recipe.model.task)
    metrics = of_task.metrics(module, prepared)
    if recipe.qat is not None:
        int8 = quantized_forward(module, rounding_of(module, recipe.qat))
        metrics["int8"] = of_task.metrics(int8, prepared)
    if baseline := of_task.baseline(recipe, prepared, folder.path, watcher):
        metrics["linear"] = baseline
    metrics["best_epoch"] = history.best_epoch
    metrics["epochs"] = len(history.epochs)
    metrics["training_seconds"] = round(sum(epoch.seconds for epoch in history.epochs), 3)
    return metrics


def _quantization(recipe: Recipe, history: History, module: SequenceModel) -> dict[str, Any]:
    """How training was quantization-aware, and what the weights that it started from reached."""
    before = history.before and dataclasses.asdict(history.before)
    if recipe.qat is None:
        return {} if before is None else {"before": {"validation": before}}
    by_layer = {name: scheme.value for name, scheme in rounding_of(module, recipe.qat).items()}
    chosen = {"target": recipe.qat.target, "format": recipe.qat.format, "activations": by_layer}
    return {"qat": chosen, "before": {"validation": before}}


def _versions() -> dict[str, str]:
    return {
        "edgeseq": edgeseq.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
    }


def _write_history(path: Path, epochs: tuple[EpochResult, ...]) -> None:
    atomic_write_text(path, "".join(json.dumps(dataclasses.asdict(epoch)) + "\n" for epoch in epochs))


class _Recorder:
    """Keeps history.jsonl up to date for whoever looks while training goes on, and passes everything on."""

    def __init__(self, path: Path, progress: TrainingProgress) -> None:
        self._path, self._progress = path, progress
        self._epochs: tuple[EpochResult, ...] = ()

    def began(self, epochs: int, done: tuple[EpochResult, ...]) -> None:
        self._epochs = done
        self._progress.began(epochs, done)

    def phase(self, phase: Phase, done: int, before: Validation | None) -> None:
        self._progress.phase(phase, done, before)

    def batch(self, done: int, of: int) -> None:
        self._progress.batch(done, of)

    def epoch(self, result: EpochResult, *, best: bool) -> None:
        self._epochs = (*self._epochs, result)
        _write_history(self._path, self._epochs)
        self._progress.epoch(result, best=best)

    def measuring(self, examples: int) -> None:
        self._progress.measuring(examples)

    def baseline(self) -> None:
        self._progress.baseline()
