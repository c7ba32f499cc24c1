"""Run folders: runs/NAME/ with the recipe, the best weights, the metrics and the last checkpoint.

recipe.json is there from the start; model.safetensors and then run.json are written when training is over.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgeseq import models
from edgeseq.files import atomic_write_bytes
from edgeseq.models.config import ModelConfig, inputs_of
from edgeseq.models.model import SequenceModel
from edgeseq.models.shapes import linear_beside
from edgeseq.names import check_folder_name, unknown
from edgeseq.training.checkpoint import load_weights
from edgeseq.training.recipe import Recipe
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import FrontEnd, Tokens, front_end_from_dict
from edgeseq_device.manifest import TOKENIZER_FILE
from edgeseq_export.spec import SeqSpec

RUNS = Path("runs")
RUN_VERSION = 1
Command = Literal["train", "distill"]


@dataclass(frozen=True)
class RunFolder:
    """Where the files of one run are."""

    path: Path

    @property
    def recipe(self) -> Path:
        """Every setting, as JSON."""
        return self.path / "recipe.json"

    @property
    def result(self) -> Path:
        """Data hash, labels, front end, metrics, warnings, versions; there once training is over."""
        return self.path / "run.json"

    @property
    def weights(self) -> Path:
        """The weights of the best validation epoch."""
        return self.path / "model.safetensors"

    @property
    def linear(self) -> Path:
        """The weights of the linear baseline of a forecaster."""
        return self.path / "linear.safetensors"

    @property
    def start(self) -> Path:
        """A copy of the weights that training started from; there where they are another run's."""
        return self.path / "start.safetensors"

    @property
    def checkpoint(self) -> Path:
        """Where training goes on after a kill."""
        return self.path / "checkpoint.safetensors"

    @property
    def history(self) -> Path:
        """One JSON line for each epoch."""
        return self.path / "history.jsonl"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer of a text model, trained on its training split."""
        return self.path / TOKENIZER_FILE

    @property
    def is_run(self) -> bool:
        """Whether training began here."""
        return self.recipe.is_file()

    @property
    def is_finished(self) -> bool:
        """Whether training is over and the weights can be used."""
        return self.is_run and self.result.is_file()


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run. `metrics` holds {"validation"|"test": {"n", "correct", "accuracy"}, ...}; of a language
    model {"tokens", "characters", "nats_per_token", "bits_per_character", "accuracy"}, of a forecaster
    {"windows", "mse", "mae"} by split, with "cells" and "true_cells" where some were filled, and the same of
    the linear baseline under "linear". channels: of the data, in its order.
    """

    path: Path
    recipe: Recipe
    labels: tuple[str, ...]
    front_end: FrontEnd
    data_sha256: str
    splits_sha256: str
    parameters: int
    metrics: dict[str, Any]
    warnings: tuple[str, ...]
    channels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    def to_dict(self) -> dict[str, Any]:
        """run.json with the run's name and recipe: what `edgeseq train --json` writes."""
        return {"name": self.name, **_read_json(RunFolder(self.path).result), "recipe": self.recipe.to_dict()}

    def module(self) -> SequenceModel:
        """The torch module with the best weights, in evaluation mode. Raises DataError on damaged weights."""
        return self._built(self.recipe.model, RunFolder(self.path).weights)

    def linear(self) -> SequenceModel | None:
        """The linear baseline that was trained beside a forecaster; None of another model."""
        model, weights = self.recipe.model, RunFolder(self.path).linear
        if model.task != "forecast" or not weights.exists():
            return None
        return self._built(linear_beside(model), weights)

    def _built(self, config: ModelConfig, weights_file: Path) -> SequenceModel:
        module = models.build(config, inputs_of(self.front_end), self.labels)
        weights, _ = load_weights(weights_file)
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            raise DataError(
                f"{weights_file}: does not fit its recipe; train the run again ({error})"
            ) from error
        module.eval()
        return module

    def spec(self) -> SeqSpec:
        """The model in numpy, for export."""
        return self.module().to_spec()


def open_run(reference: str | Path | None = None) -> Run:
    """A finished run by its name under ./runs or by its folder; None is the one that finished last.

    Raises UsageError where there is none or training is not over, DataError where its files are damaged.
    """
    folder = find_run_folder(reference)
    if not folder.is_finished:
        raise UsageError(f"{folder.path}: training is not over; finish it with: {resume_command(folder)}")
    result = _read_json(folder.result)
    where = str(folder.result)
    if result.get("run_version") != RUN_VERSION:
        raise DataError(
            f"{where}: run version {result.get('run_version')} is not known here (known: {RUN_VERSION});"
            " use the edgeseq that wrote it"
        )
    try:
        return Run(
            path=folder.path,
            recipe=read_recipe(folder),
            labels=tuple(str(label) for label in result["labels"]),
            front_end=front_end_from_dict(result["front_end"], folder.path),
            data_sha256=str(result["data"]["content_sha256"]),
            splits_sha256=str(result["splits"]["sha256"]),
            parameters=int(result["parameters"]),
            metrics=dict(result["metrics"]),
            warnings=tuple(str(warning) for warning in result["warnings"]),
            channels=tuple(str(channel) for channel in result["data"].get("channels", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: incomplete ({error!r}); train the run again") from error


def find_run_folder(reference: str | Path | None) -> RunFolder:
    """A run's folder, finished or not; None: the newest finished one. Raises UsageError on none."""
    if reference is None:
        finished = [folder for folder in _folders() if folder.is_finished]
        if not finished:
            raise UsageError(
                "there is no finished run under ./runs; make one with: edgeseq train --data gestures"
            )
        return max(finished, key=lambda folder: folder.result.stat().st_mtime_ns)
    for path in (RUNS / reference, Path(reference)):
        if RunFolder(path).is_run:
            return RunFolder(path)
    raise UsageError(unknown("run", str(reference), [folder.path.name for folder in _folders()]))


def new_run_folder(name: str | None, default_name: str) -> RunFolder:
    """Makes runs/NAME, an empty folder of our own. Raises UsageError where `name` is taken or no file name.

    With no `name`, the first free one of DEFAULT, DEFAULT-2, DEFAULT-3 ...
    """
    if name is not None:
        check_new_name(name)
    RUNS.mkdir(exist_ok=True)
    number = 1
    while True:
        path = RUNS / (name or (default_name if number == 1 else f"{default_name}-{number}"))
        try:
            path.mkdir()
        except FileExistsError:
            if name is not None:
                raise UsageError(_taken(path, None)) from None
            number += 1
        else:
            return RunFolder(path)


def check_new_name(name: str, command: Command = "train") -> None:
    """Raises UsageError where runs/NAME exists, or NAME cannot be a folder's.

    command: the one that wants the name, which decides how the run that has it could go on.
    """
    check_folder_name(name)
    if (RUNS / name).exists():
        raise UsageError(_taken(RUNS / name, command))


def keep_tokenizer(folder: RunFolder, front_end: FrontEnd) -> None:
    """Writes the tokenizer of text into the run, nothing for readings.

    Raises DataError where training began with another one: other versions of libraries train others.
    """
    if not isinstance(front_end, Tokens):
        return
    if folder.tokenizer.exists() and folder.tokenizer.read_bytes() != front_end.content:
        raise DataError(
            f"{folder.tokenizer}: the same texts give another tokenizer here than when training began; use"
            " the version of `tokenizers` that it began with, or train a new run"
        )
    atomic_write_bytes(folder.tokenizer, front_end.content)


def discard(folder: RunFolder) -> None:
    """Removes a folder in which no epoch was finished, and ./runs where nothing else is in it."""
    shutil.rmtree(folder.path)
    if not any(RUNS.iterdir()):
        RUNS.rmdir()


def read_recipe(folder: RunFolder) -> Recipe:
    """The recipe of a run. Raises DataError where it is damaged or from an unknown version."""
    return Recipe.from_dict(_read_json(folder.recipe), str(folder.recipe))


def _folders() -> list[RunFolder]:
    paths = sorted(RUNS.iterdir()) if RUNS.is_dir() else []
    return [RunFolder(path) for path in paths if RunFolder(path).is_run]


def _taken(path: Path, command: Command | None) -> str:
    folder = RunFolder(path)
    go_on = ""
    if folder.is_finished and command == "train":
        go_on = f", or train it on with: edgeseq train --from {path.name}"
    elif folder.is_run and not folder.is_finished:
        go_on = f", or go on with: {resume_command(folder)}"
    return f"{path} exists already; choose another --name, or remove it{go_on}"


def resume_command(folder: RunFolder) -> str:
    """The call that goes on with a training that was cut off."""
    command: Command = "train" if read_recipe(folder).distill is None else "distill"
    return f"edgeseq {command} --resume {folder.path.name}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); train the run again") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: not a JSON object; train the run again")
    return value
