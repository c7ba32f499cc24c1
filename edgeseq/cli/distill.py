"""`edgeseq distill`: teachers and recordings in, a student under runs/NAME and a comparison out."""

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
from edgeseq.cli.fitting import FIT_OPTIONS, fitted
from edgeseq.cli.forecast_options import FORECAST_OPTIONS
from edgeseq.cli.option_groups import Grouped, with_options
from edgeseq.cli.train_from import check_task, check_together, qat_settings
from edgeseq.cli.train_options import (
    AUDIO_OPTIONS,
    DATA_OPTIONS,
    MODEL_OPTIONS,
    QAT_OPTIONS,
    TEXT_OPTIONS,
    TRAINING_OPTIONS,
)
from edgeseq.cli.train_settings import (
    MODEL_SETTINGS,
    check_front_end,
    given_of,
    model_of,
    recipe_of,
    refuse_beside_resume,
    settled_front_end,
    training_of,
)
from edgeseq.tasks import WORDS
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.cli.distill_progress import DistillDisplay
    from edgeseq.data.dataset import Kind
    from edgeseq.distill.distillation import Distillation
    from edgeseq.distill.run import Distilled
    from edgeseq.distill.teachers import Teacher
    from edgeseq.models.config import ModelConfig
    from edgeseq.training.recipe import DistillConfig, Recipe

DISTILL_OPTIONS = [
    click.option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        help="What the teachers' and the student's logits are divided by in the loss. [default: 2; lm: 1]",
    ),
    click.option(
        "--hard-weight",
        type=click.FloatRange(0, 1),
        help="The part of the loss that the labels, the true text or the true series have."
        " [default: 0; lm: 0.1; forecast: 0.5]",
    ),
    click.option(
        "--versions",
        type=click.IntRange(1),
        help="Variants of a recording that teachers answer, itself among them. [default: 16]",
    ),
    click.option(
        "--unlabelled",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="Further texts for the teachers: .txt, or .csv, .tsv, .jsonl with the text column.",
    ),
    click.option(
        "--relation-weight",
        type=click.FloatRange(0),
        help="Weight of the loss on a Transformer's attention relations (MiniLMv2). [default: 0]",
    ),
    click.option(
        "--relation-heads",
        type=click.IntRange(1),
        help="Into how many heads these are split. [default: the teacher's]",
    ),
    click.option(
        "--hidden-weight",
        type=click.FloatRange(0),
        help="Weight of the loss on a Transformer's hidden states (TinyBERT). [default: 0]",
    ),
]


@click.command("distill", cls=Grouped, short_help="Train a small model to answer as larger ones do.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="RUN|FOLDER",
    help="A run, or a Hugging Face model's folder. Repeatable: they answer together.",
)
@click.option("--data", metavar="NAME|PATH", help="[default: what the first teacher was trained on]")
@click.option("--no-twin", is_flag=True, help="Train no student from scratch to compare with.")
@click.option(
    "--name", metavar="NAME", help="The student's folder under ./runs. [default: DATA-MODEL-distilled]"
)
@click.option("--resume", metavar="RUN", help="Go on with a distillation that was cut off.")
@json_option
@with_options(DISTILL_OPTIONS, "Distillation")
@with_options([*MODEL_OPTIONS, *FIT_OPTIONS], "Model")
@with_options(TRAINING_OPTIONS, "Training")
@with_options(QAT_OPTIONS, "Quantization-aware training")
@with_options(DATA_OPTIONS, "Data")
@with_options(AUDIO_OPTIONS, "Audio and series")
@with_options(TEXT_OPTIONS, "Text")
@with_options(FORECAST_OPTIONS, "Forecasting")
@click.pass_context
def command(context: click.Context, /, resume: str | None, json_file: Path | None, **given: Any) -> None:
    """Train a student on what teachers answer to many variants of the training recordings.

    Beside it the same student is trained from scratch, on the labels of the same variants: runs/NAME-scratch.
    What is not said about data and splits is as the first teacher's run has it; of sounds and series the
    features too.

    Teachers that are language models or forecasters teach one on the text or the series itself. The student
    then has their tokens, or their context and horizon.
    """
    from edgeseq.distill.run import distill, prepare_resume, resume_distillation

    if resume is not None:
        refuse_beside_resume(context)
        folder, distillation = prepare_resume(resume)
        check_outputs({"--json": json_file}, folder.path, *_read(distillation))
        with _display(distillation) as display:
            distilled = resume_distillation(folder, distillation, display)
    else:
        distillation = _distillation(given)
        check_outputs({"--json": json_file}, *_read(distillation))
        print_warnings(distillation.prepared.warnings)
        with _display(distillation) as display:
            distilled = distill(distillation, given["name"], display)
    _report(distilled, json_file)


def _read(distillation: Distillation) -> list[str | Path | None]:
    """The files and folders that it is made from."""
    recipe = distillation.recipe
    folders = [
        Path(teacher.source.reference) if teacher.run is None else teacher.run.path
        for teacher in distillation.teachers
    ]
    return [*folders, recipe.data, None if recipe.distill is None else recipe.distill.unlabelled]


def _display(distillation: Distillation) -> DistillDisplay:
    from edgeseq.cli.distill_progress import DistillDisplay

    kind, hard_weight = distillation.prepared.dataset.kind, distillation.config.hard_weight
    return DistillDisplay(progress_output(), kind, distillation.task, hard_weight)


def _distillation(given: dict[str, Any]) -> Distillation:
    """The call with its data and teachers, all checked before anything is trained."""
    from edgeseq import data
    from edgeseq.distill.defaults import OF_THE_TEACHER, student_model, student_training, twin_model
    from edgeseq.distill.distillation import Distillation
    from edgeseq.distill.run import check, check_new_names, read_unlabelled
    from edgeseq.distill.teachers import check_distinct, check_teacher, open_teacher, task_of
    from edgeseq.features import prepare

    if not given["teachers"]:
        raise UsageError("give --teacher RUN, or a Hugging Face model's folder; repeat it for several")
    check_together({**given, "from_run": None})
    if given["name"] is not None:
        check_new_names(given["name"])
    teachers = tuple(open_teacher(each) for each in given["teachers"])
    check_distinct(teachers)
    task = task_of(teachers)
    check_task(given, task)
    given = {**given, "task": task, **_reach(given, teachers)}
    recipe = _recipe(given, teachers)
    dataset = data.load(recipe.data, recipe.reading)
    check_front_end(given, dataset)
    for teacher in teachers:
        check_teacher(teacher, dataset)
    usual = model_of(given, dataset.kind)
    model = student_model(usual, dataset.kind, given_of(given, *MODEL_SETTINGS))
    pinned = OF_THE_TEACHER if _looks_inside(given) else ()
    recipe = fitted(replace(recipe, model=model), dataset, given, pinned)
    recipe = settled_front_end(recipe, dataset.kind)
    config = _config(given, teachers, twin_model(recipe.model, usual), dataset.kind)
    texts = read_unlabelled(config, recipe.reading.text_column)
    prepared = prepare(dataset, recipe.splitting, recipe.front_end, recipe.model)
    training = student_training(training_of(given, recipe.model, prepared), dataset.kind)
    recipe = replace(recipe, training=training, qat=qat_settings(given, training), distill=config)
    found = Distillation(recipe, prepared, teachers, texts)
    check(found)
    return found


def _recipe(given: dict[str, Any], teachers: tuple[Teacher, ...]) -> Recipe:
    """With the first run's data and splits where nothing else is said, and features where they must be."""
    from edgeseq.data import FrontEndOptions
    from edgeseq.data.catalogue import CATALOGUE

    runs = [teacher.run for teacher in teachers if teacher.run is not None]
    if not runs:
        if given["data"] is None:
            raise UsageError(f"{teachers[0].source.reference} does not say what data it is for; give --data")
        known = CATALOGUE.get(given["data"])
        if known is not None and known.options.task != "classify":
            raise UsageError(
                f"{teachers[0].source.reference}: a Hugging Face model's folder teaches classifiers, and"
                f" {known.name} is for the task {known.options.task}; give a run as --teacher"
            )
        return recipe_of(given)
    base, kind = runs[0].recipe, teachers[0].kind
    if kind == "text" and given["task"] == "classify" and not _looks_inside(given):
        base = replace(base, front_end=FrontEndOptions())
    return recipe_of(given, base)


def _reach(given: dict[str, Any], teachers: tuple[Teacher, ...]) -> dict[str, int]:
    """Context and horizon of a forecaster: the first teacher's where they were not given."""
    run = teachers[0].run
    if run is None or run.recipe.model.task != "forecast":
        return {}
    names = ("context", "horizon")
    return {name: getattr(run.recipe.model, name) for name in names if given[name] is None}


def _looks_inside(given: dict[str, Any]) -> bool:
    return bool(given["relation_weight"] or given["hidden_weight"])


def _config(
    given: dict[str, Any], teachers: tuple[Teacher, ...], twin: ModelConfig, kind: Kind
) -> DistillConfig:
    """The settings of --temperature and the like. twin: the model of the student from scratch."""
    from edgeseq.distill.defaults import SETTINGS
    from edgeseq.training.recipe import DistillConfig
    from edgeseq_device.artifact import sha256_of

    if given["unlabelled"] is not None and kind != "text":
        raise UsageError(f"--unlabelled holds texts, and the data is {kind}; leave it out")
    names = (
        *("temperature", "hard_weight", "versions", "unlabelled"),
        *("relation_weight", "relation_heads", "hidden_weight"),
    )
    config = DistillConfig(
        tuple(teacher.source for teacher in teachers),
        **{**SETTINGS[given["task"]], **given_of(given, *names)},
        twin=None if given["no_twin"] else twin,
    )
    if config.unlabelled is None:
        return config
    return replace(config, unlabelled_sha256=sha256_of(Path(config.unlabelled)))


def _report(distilled: Distilled, json_file: Path | None) -> None:
    from edgeseq.report.distill_table import distill_table

    console, student = output(), distilled.student
    title = f"{student.path}: {student.recipe.model.title}, {student.parameters:,} parameters"
    task = student.recipe.model.task
    console.print(f"{title}, {len(student.labels):,} {WORDS[task].outputs}")
    console.print(distill_table(distilled.rows, task))
    print_warnings(distilled.warnings)
    qat = student.recipe.qat
    target = f" --target {qat.target}" if qat is not None and qat.target != "generic" else ""
    console.print(f"next: edgeseq export --int8{target}")
    write_json(json_file, distilled.to_dict())
