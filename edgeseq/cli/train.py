"""`edgeseq train`: recordings in, runs/NAME out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgeseq.cli.console import json_option, output, print_warnings, progress_output, write_json
from edgeseq.cli.train_options import (
    DATA_OPTIONS,
    FRONT_END_OPTIONS,
    MODEL_OPTIONS,
    TRAINING_OPTIONS,
    with_options,
)
from edgeseq.report.table import percent, table
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.features import Prepared
    from edgeseq.models.config import ModelConfig
    from edgeseq.runs import Run
    from edgeseq.training.recipe import Recipe, TrainConfig

MAY_COME_WITH_RESUME = {"resume", "json_file"}


@click.command("train", short_help="Train a model on your recordings.")
@click.option(
    "--data", metavar="NAME|PATH", help="A named data set (`edgeseq data list`), a folder or a file."
)
@with_options(MODEL_OPTIONS)
@click.option("--name", help="The run's folder under ./runs. [default: DATA-MODEL, numbered where taken]")
@click.option("--resume", metavar="RUN", help="Go on with a training that was cut off.")
@with_options(TRAINING_OPTIONS)
@with_options(DATA_OPTIONS)
@with_options(FRONT_END_OPTIONS)
@json_option
@click.pass_context
def command(
    context: click.Context, /, data: str | None, resume: str | None, json_file: Path | None, **given: Any
) -> None:
    """Train a model and keep it as runs/NAME: recipe, best weights, metrics.

    The weights are those of the best epoch on the validation split, which is taken from the training data.
    The test split is only ever measured: nothing is chosen by it.
    """
    if resume is not None:
        run, prepared = _resumed(context, resume)
    elif data is None:
        raise UsageError(
            "give --data NAME or --data PATH; `edgeseq data list` shows the names (try: gestures)"
        )
    else:
        run, prepared = _trained({"data": data, **given})
    _report(run, prepared, json_file)


def _trained(given: dict[str, Any]) -> tuple[Run, Prepared]:
    from edgeseq import data
    from edgeseq.features import prepare
    from edgeseq.runs import check_new_name

    if given["name"] is not None:
        check_new_name(given["name"])
    recipe = _recipe(given)
    dataset = data.load(recipe.data, recipe.reading)
    prepared = prepare(dataset, recipe.splitting, recipe.front_end)
    recipe = replace(recipe, training=_training(given, recipe.model, prepared))
    return _watched(given["name"], recipe, prepared), prepared


def _recipe(given: dict[str, Any]) -> Recipe:
    """The recipe, apart from the training settings: their defaults depend on the data."""
    from edgeseq.data import DataOptions, FrontEndOptions, SplitOptions
    from edgeseq.models.config import ModelConfig
    from edgeseq.training.recipe import Recipe

    columns = ("label_column", "recording_column", "group_column", "split_column", "time_column")
    patterns = ("label_pattern", "test_pattern", "group_pattern")
    given = {**given, "family": given["model"], "sample_rate_hz": given["sample_rate"]}
    return Recipe(
        data=given["data"],
        reading=DataOptions(**_given(given, *patterns, *columns, "sample_rate_hz")),
        splitting=SplitOptions(
            **_given(given, "validation_fraction", "test_fraction", "by_group"),
            **_given({"seed": given["split_seed"]}, "seed"),
        ),
        front_end=FrontEndOptions(**_given(given, "mels", "frame_ms", "hop_ms", "sample_rate_hz")),
        model=ModelConfig(
            **_given(given, "family", "hidden", "layers", "bidirectional", "pooling", "dropout")
        ),
    )


def _training(given: dict[str, Any], model: ModelConfig, prepared: Prepared) -> TrainConfig:
    from edgeseq.training.augment import OFF
    from edgeseq.training.defaults import patience_for, training_for

    defaults = training_for(prepared.dataset.kind, len(prepared.splits.train), model)
    keys = ("epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "threads", "seed")
    training = replace(defaults, **_given(given, *keys))
    patience = patience_for(training.epochs) if given["patience"] is None else given["patience"]
    return replace(training, patience=patience, augment=OFF if given["no_augment"] else training.augment)


def _given(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def _watched(name: str | None, recipe: Recipe, prepared: Prepared) -> Run:
    from edgeseq.cli.training_progress import TrainingDisplay
    from edgeseq.training.train import train

    print_warnings(prepared.warnings)
    with TrainingDisplay(progress_output()) as display:
        return train(recipe, prepared, name, display)


def _resumed(context: click.Context, reference: str) -> tuple[Run, Prepared]:
    from edgeseq.cli.training_progress import TrainingDisplay
    from edgeseq.runs import find_run_folder
    from edgeseq.training.train import prepare_resume, resume

    for parameter in context.command.params:
        name = parameter.name or ""
        if (
            name not in MAY_COME_WITH_RESUME
            and context.get_parameter_source(name) == ParameterSource.COMMANDLINE
        ):
            raise UsageError(f"--resume takes every setting from the run; leave out {parameter.opts[-1]}")
    folder = find_run_folder(reference)
    recipe, prepared = prepare_resume(folder)
    with TrainingDisplay(progress_output()) as display:
        return resume(folder, recipe, prepared, display), prepared


def _report(run: Run, prepared: Prepared, json_file: Path | None) -> None:
    metrics = run.metrics
    model = run.recipe.model
    rows = [
        (name, metrics[name]["n"], metrics[name]["correct"], percent(metrics[name]["accuracy"]))
        for name in ("train", "validation", "test")
    ]
    shape = f"{model.family} {model.layers}x{model.hidden}{' bidirectional' if model.bidirectional else ''}"
    title = f"{run.path}: {shape}, {run.parameters:,} parameters, {len(run.labels)} classes"
    console = output()
    console.print(table(title, ("split", "n", "right", "accuracy"), rows))
    console.print(
        f"best epoch {metrics['best_epoch']} of {metrics['epochs']},"
        f" trained in {metrics['training_seconds']:.0f} s; {prepared.origin}"
    )
    print_warnings(warning for warning in run.warnings if warning not in prepared.warnings)
    console.print("next: edgeseq export --int8")
    write_json(json_file, run.to_dict())
