"""`edgeseq train`: recordings in, runs/NAME out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgeseq.cli.console import json_option, output, print_warnings, progress_output, write_json
from edgeseq.cli.train_from import check_contradicts_nothing, check_together, qat_settings
from edgeseq.cli.train_options import (
    DATA_OPTIONS,
    FRONT_END_OPTIONS,
    MODEL_OPTIONS,
    QAT_OPTIONS,
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

MODEL_SETTINGS = (
    *("hidden", "layers", "bidirectional", "pooling", "dropout", "conv_kernel"),
    *("heads", "feedforward", "positions", "max_frames", "causal", "window"),
)
MAY_COME_WITH_RESUME = {"resume", "json_file"}


@click.command("train", short_help="Train a model on your recordings.")
@click.option(
    "--data", metavar="NAME|PATH", help="A named data set (`edgeseq data list`), a folder or a file."
)
@with_options(MODEL_OPTIONS)
@click.option("--name", help="The run's folder under ./runs. [default: DATA-MODEL, numbered where taken]")
@click.option("--resume", metavar="RUN", help="Go on with a training that was cut off.")
@click.option(
    "--from", "from_run", metavar="RUN", help="Start from that run's weights, on its data, with its model."
)
@with_options(QAT_OPTIONS)
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
    elif given["from_run"] is not None:
        run, prepared = _trained_from(context, {"data": data, **given})
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

    check_together(given)
    if given["name"] is not None:
        check_new_name(given["name"])
    recipe = _recipe(given)
    dataset = data.load(recipe.data, recipe.reading)
    prepared = prepare(dataset, recipe.splitting, recipe.front_end)
    training = _training(given, recipe.model, prepared)
    recipe = replace(recipe, training=training, qat=qat_settings(given, training))
    return _watched(given["name"], recipe, prepared), prepared


def _trained_from(context: click.Context, given: dict[str, Any]) -> tuple[Run, Prepared]:
    from edgeseq.runs import check_new_name, open_run
    from edgeseq.training.start import going_on, start_from

    check_together(given)
    if given["name"] is not None:
        check_new_name(given["name"])
    source = open_run(given["from_run"])
    check_contradicts_nothing(context, source)
    recipe, prepared = start_from(source, given["data"])
    if given["qat"]:
        training = _changed(recipe.training, given)
        recipe = replace(recipe, training=replace(training, epochs=0), qat=qat_settings(given, training))
    else:
        recipe = replace(recipe, training=_changed(going_on(source.recipe), given))
    return _watched(given["name"], recipe, prepared, source), prepared


def _recipe(given: dict[str, Any]) -> Recipe:
    """The recipe, apart from the training settings: their defaults depend on the data."""
    from edgeseq.data import DataOptions, FrontEndOptions, SplitOptions
    from edgeseq.models.config import model_config
    from edgeseq.training.recipe import Recipe

    columns = ("label_column", "recording_column", "group_column", "split_column", "time_column")
    patterns = ("label_pattern", "test_pattern", "group_pattern")
    given = {**given, "sample_rate_hz": given["sample_rate"]}
    return Recipe(
        data=given["data"],
        reading=DataOptions(**_given(given, *patterns, *columns, "sample_rate_hz")),
        splitting=SplitOptions(
            **_given(given, "validation_fraction", "test_fraction", "by_group"),
            **_given({"seed": given["split_seed"]}, "seed"),
        ),
        front_end=FrontEndOptions(**_given(given, "mels", "frame_ms", "hop_ms", "sample_rate_hz")),
        model=model_config(given["model"], _given(given, *MODEL_SETTINGS)),
    )


def _training(given: dict[str, Any], model: ModelConfig, prepared: Prepared) -> TrainConfig:
    from edgeseq.training.defaults import patience_for, training_for

    training = _changed(training_for(prepared.dataset.kind, len(prepared.splits.train), model), given)
    patience = patience_for(training.epochs) if given["patience"] is None else given["patience"]
    return replace(training, patience=patience)


def _changed(training: TrainConfig, given: dict[str, Any]) -> TrainConfig:
    """`training` with what was given."""
    from edgeseq.training.augment import OFF

    keys = ("epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "patience")
    changed = replace(training, **_given(given, *keys, "threads", "seed"))
    return replace(changed, augment=OFF) if given["no_augment"] else changed


def _given(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def _watched(name: str | None, recipe: Recipe, prepared: Prepared, source: Run | None = None) -> Run:
    from edgeseq.cli.training_progress import TrainingDisplay
    from edgeseq.training.train import train

    print_warnings(prepared.warnings)
    with TrainingDisplay(progress_output()) as display:
        return train(recipe, prepared, name, display, source)


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
    rows = [
        (name, metrics[name]["n"], metrics[name]["correct"], percent(metrics[name]["accuracy"]))
        for name in ("train", "validation", "test")
    ]
    rows += [
        (f"{name}, int8", each["n"], each["correct"], percent(each["accuracy"]))
        for name, each in metrics.get("int8", {}).items()
    ]
    title = f"{run.path}: {run.recipe.model.title}, {run.parameters:,} parameters, {len(run.labels)} classes"
    console = output()
    console.print(table(title, ("split", "n", "right", "accuracy"), rows))
    console.print(
        f"best epoch {metrics['best_epoch']} of {metrics['epochs']},"
        f" trained in {metrics['training_seconds']:.0f} s; {prepared.origin}"
    )
    print_warnings(warning for warning in run.warnings if warning not in prepared.warnings)
    qat = run.recipe.qat
    target = f" --target {qat.target}" if qat is not None and qat.target != "generic" else ""
    console.print(f"next: edgeseq export --int8{target}")
    write_json(json_file, run.to_dict())
