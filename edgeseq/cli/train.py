"""`edgeseq train`: recordings in, runs/NAME out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import (
    check_outputs,
    json_option,
    output,
    print_warnings,
    progress_output,
    write_json,
)
from edgeseq.cli.fitting import FIT_OPTIONS, fitted, refuse_fit
from edgeseq.cli.forecast_options import FORECAST_OPTIONS
from edgeseq.cli.option_groups import Grouped, with_options
from edgeseq.cli.train_from import check_contradicts_nothing, check_task, check_together, qat_settings
from edgeseq.cli.train_options import (
    AUDIO_OPTIONS,
    DATA_OPTIONS,
    MODEL_OPTIONS,
    QAT_OPTIONS,
    TASK_OPTION,
    TEXT_OPTIONS,
    TRAINING_OPTIONS,
)
from edgeseq.cli.train_settings import (
    changed,
    check_front_end,
    model_of,
    recipe_of,
    refuse_beside_resume,
    settled_front_end,
    training_of,
)
from edgeseq.report.train_tables import reached
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.features import Prepared
    from edgeseq.runs import Run
    from edgeseq.training.recipe import Recipe


@click.command("train", cls=Grouped, short_help="Train a model on your recordings.")
@click.option(
    "--data", metavar="NAME|PATH", help="A named data set (`edgeseq data list`), a folder or a file."
)
@TASK_OPTION
@click.option(
    "--name",
    metavar="NAME",
    help="The run's folder under ./runs. [default: DATA-MODEL, numbered where taken]",
)
@click.option("--resume", metavar="RUN", help="Go on with a training that was cut off.")
@click.option(
    "--from", "from_run", metavar="RUN", help="Start from that run's weights, on its data, with its model."
)
@json_option
@with_options([*MODEL_OPTIONS, *FIT_OPTIONS], "Model")
@with_options(TRAINING_OPTIONS, "Training")
@with_options(QAT_OPTIONS, "Quantization-aware training")
@with_options(DATA_OPTIONS, "Data")
@with_options(AUDIO_OPTIONS, "Audio and series")
@with_options(TEXT_OPTIONS, "Text")
@with_options(FORECAST_OPTIONS, "Forecasting")
@click.pass_context
def command(
    context: click.Context, /, data: str | None, resume: str | None, json_file: Path | None, **given: Any
) -> None:
    """Train a model and keep it as runs/NAME: recipe, best weights, metrics.

    It classifies recordings or, as --task says, foretells a text or a series.

    The weights are those of the best epoch on the validation split: the data's own or taken from training.
    The test split is only ever measured: nothing is chosen by it.
    """
    check_outputs({"--json": json_file}, data)
    if resume is not None:
        run, prepared = _resumed(context, resume, json_file)
    elif given["from_run"] is not None:
        run, prepared = _trained_from(context, {"data": data, **given}, json_file)
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
    check_task(given, given["task"])
    if given["name"] is not None:
        check_new_name(given["name"])
    recipe = recipe_of(given)
    dataset = data.load(recipe.data, recipe.reading)
    check_front_end(given, dataset)
    recipe = fitted(replace(recipe, model=model_of(given, dataset.kind)), dataset, given)
    recipe = settled_front_end(recipe, dataset.kind)
    prepared = prepare(dataset, recipe.splitting, recipe.front_end, recipe.model)
    training = training_of(given, recipe.model, prepared)
    recipe = replace(recipe, training=training, qat=qat_settings(given, training))
    return _watched(given["name"], recipe, prepared), prepared


def _trained_from(
    context: click.Context, given: dict[str, Any], json_file: Path | None
) -> tuple[Run, Prepared]:
    from edgeseq.runs import check_new_name, open_run
    from edgeseq.training.start import going_on, start_from

    check_together(given)
    if given["name"] is not None:
        check_new_name(given["name"])
    source = open_run(given["from_run"])
    check_outputs({"--json": json_file}, source.path, source.recipe.data)
    check_contradicts_nothing(context, source)
    refuse_fit(given, source)
    check_task(given, source.recipe.model.task)
    recipe, prepared = start_from(source, given["data"])
    if given["qat"]:
        training = changed(recipe.training, given)
        recipe = replace(recipe, training=replace(training, epochs=0), qat=qat_settings(given, training))
    else:
        recipe = replace(recipe, training=changed(going_on(source.recipe), given))
    return _watched(given["name"], recipe, prepared, source), prepared


def _watched(name: str | None, recipe: Recipe, prepared: Prepared, source: Run | None = None) -> Run:
    from edgeseq.cli.training_progress import TrainingDisplay
    from edgeseq.training.train import train

    print_warnings(prepared.warnings)
    with TrainingDisplay(progress_output(), recipe.model.task) as display:
        return train(recipe, prepared, name, display, source)


def _resumed(context: click.Context, reference: str, json_file: Path | None) -> tuple[Run, Prepared]:
    from edgeseq.cli.training_progress import TrainingDisplay
    from edgeseq.runs import find_run_folder, read_recipe
    from edgeseq.training.train import prepare_resume, resume

    refuse_beside_resume(context)
    folder = find_run_folder(reference)
    check_outputs({"--json": json_file}, folder.path, read_recipe(folder).data)
    recipe, prepared = prepare_resume(folder)
    with TrainingDisplay(progress_output(), recipe.model.task) as display:
        return resume(folder, recipe, prepared, display), prepared


def _report(run: Run, prepared: Prepared, json_file: Path | None) -> None:
    console = output()
    for part in reached(run):
        console.print(part, soft_wrap=isinstance(part, str))
    console.print(f"{_kept(run)}; {prepared.origin}", soft_wrap=True)
    print_warnings(warning for warning in run.warnings if warning not in prepared.warnings)
    qat = run.recipe.qat
    target = f" --target {qat.target}" if qat is not None and qat.target != "generic" else ""
    console.print(f"next: edgeseq export --int8{target}")
    write_json(json_file, run.to_dict())


def _kept(run: Run) -> str:
    best, epochs, seconds = (run.metrics[name] for name in ("best_epoch", "epochs", "training_seconds"))
    kept = (
        f"best epoch {best} of {epochs}"
        if best
        else f"no epoch of {epochs} was better than the start, whose weights were kept"
    )
    return f"{kept}, trained in {seconds:.0f} s"
