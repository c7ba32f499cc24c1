"""`edgeseq distill`: teachers and recordings in, a student under runs/NAME and a comparison out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeseq.cli.console import json_option, output, print_warnings, progress_output, write_json
from edgeseq.cli.fitting import FIT_OPTIONS, fitted
from edgeseq.cli.train_from import check_together, qat_settings
from edgeseq.cli.train_options import (
    DATA_OPTIONS,
    FRONT_END_OPTIONS,
    MODEL_OPTIONS,
    QAT_OPTIONS,
    TRAINING_OPTIONS,
    with_options,
)
from edgeseq.cli.train_settings import (
    given_of,
    model_of,
    recipe_of,
    refuse_beside_resume,
    settled_front_end,
    training_of,
)
from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.data.dataset import Kind
    from edgeseq.distill.run import Distillation, Distilled
    from edgeseq.distill.teachers import Teacher
    from edgeseq.models.config import ModelConfig
    from edgeseq.training.recipe import DistillConfig, Recipe

STUDENT_TEXT_DROPOUT = 0.1  # a teacher's answers to many variants regularise enough (docs/distill.md)
DISTILL_OPTIONS = [
    click.option(
        "--temperature", type=click.FloatRange(0, min_open=True), help="Of both logits. [default: 2]"
    ),
    click.option(
        "--hard-weight", type=click.FloatRange(0, 1), help="The labels' part of the loss. [default: 0]"
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
        help="Of the loss on a Transformer's attention relations (MiniLMv2). [default: 0]",
    ),
    click.option("--relation-heads", type=click.IntRange(1), help="[default: the teacher's heads]"),
    click.option(
        "--hidden-weight",
        type=click.FloatRange(0),
        help="Of the loss on a Transformer's hidden states (TinyBERT). [default: 0]",
    ),
]


@click.command("distill", short_help="Train a small model to answer as larger ones do.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="RUN|FOLDER",
    help="A run, or a Hugging Face model's folder. Repeatable: they answer together.",
)
@click.option("--data", metavar="NAME|PATH", help="[default: what the first teacher was trained on]")
@with_options(MODEL_OPTIONS)
@with_options(FIT_OPTIONS)
@with_options(DISTILL_OPTIONS)
@click.option("--no-twin", is_flag=True, help="Train no student from scratch to compare with.")
@click.option("--name", help="The student's folder under ./runs. [default: DATA-MODEL-distilled]")
@click.option("--resume", metavar="RUN", help="Go on with a distillation that was cut off.")
@with_options(QAT_OPTIONS)
@with_options(TRAINING_OPTIONS)
@with_options(DATA_OPTIONS)
@with_options(FRONT_END_OPTIONS)
@json_option
@click.pass_context
def command(context: click.Context, /, resume: str | None, json_file: Path | None, **given: Any) -> None:
    """Train a student on what teachers answer to many variants of the training recordings.

    Beside it the same student is trained from scratch, on the labels of the same variants: runs/NAME-scratch.
    What is not said about data and splits is as the first teacher's run has it; of sounds and series the
    features too.
    """
    from edgeseq.cli.distill_progress import DistillDisplay
    from edgeseq.distill.run import distill, prepare_resume, resume_distillation

    if resume is not None:
        refuse_beside_resume(context)
        folder, distillation = prepare_resume(resume)
        with DistillDisplay(progress_output()) as display:
            distilled = resume_distillation(folder, distillation, display)
    else:
        distillation = _distillation(given)
        print_warnings(distillation.prepared.warnings)
        with DistillDisplay(progress_output()) as display:
            distilled = distill(distillation, given["name"], display)
    _report(distilled, json_file)


def _distillation(given: dict[str, Any]) -> Distillation:
    """The call with its data and teachers, all checked before anything is trained."""
    from edgeseq import data
    from edgeseq.distill.run import Distillation, check, check_new_names, read_unlabelled
    from edgeseq.distill.teachers import check_distinct, check_teacher, open_teacher
    from edgeseq.features import prepare

    if not given["teachers"]:
        raise UsageError("give --teacher RUN, or a Hugging Face model's folder; repeat it for several")
    check_together({**given, "from_run": None})
    if given["name"] is not None:
        check_new_names(given["name"])
    teachers = tuple(open_teacher(each) for each in given["teachers"])
    check_distinct(teachers)
    recipe = _recipe(given, teachers)
    dataset = data.load(recipe.data, recipe.reading)
    for teacher in teachers:
        check_teacher(teacher, dataset, recipe.splitting)
    # a student that looks inside its teacher reads the very same ids
    pinned = ("vocabulary", "buckets") if given["relation_weight"] or given["hidden_weight"] else ()
    recipe = fitted(replace(recipe, model=_student(given, dataset.kind)), dataset, given, pinned)
    recipe = settled_front_end(recipe, dataset.kind)
    config = _config(given, teachers, recipe.model, dataset.kind)
    texts = read_unlabelled(config, recipe.reading.text_column)
    prepared = prepare(dataset, recipe.splitting, recipe.front_end)
    training = training_of(given, recipe.model, prepared)
    recipe = replace(recipe, training=training, qat=qat_settings(given, training), distill=config)
    found = Distillation(recipe, prepared, teachers, texts)
    check(found)
    return found


def _recipe(given: dict[str, Any], teachers: tuple[Teacher, ...]) -> Recipe:
    """With the first run's data and splits where nothing else is said, and features where they must be."""
    from edgeseq.data import FrontEndOptions
    from edgeseq.distill.teachers import RunTeacher

    runs = [teacher.run for teacher in teachers if isinstance(teacher, RunTeacher)]
    if not runs:
        if given["data"] is None:
            raise UsageError(f"{teachers[0].source.reference} does not say what data it is for; give --data")
        return recipe_of(given)
    base, kind = runs[0].recipe, teachers[0].kind
    looks_inside = given["relation_weight"] or given["hidden_weight"]
    if kind == "text" and not looks_inside:
        base = replace(base, front_end=FrontEndOptions())
    return recipe_of(given, base)


def _student(given: dict[str, Any], kind: Kind) -> ModelConfig:
    """The model, of text with the dropout that suits a student unless one is given."""
    model = model_of(given, kind)
    if kind != "text":
        return model
    usual: dict[str, Any] = {"dropout": STUDENT_TEXT_DROPOUT, "embedding_dropout": STUDENT_TEXT_DROPOUT}
    return replace(model, **{name: value for name, value in usual.items() if given[name] is None})


def _config(
    given: dict[str, Any], teachers: tuple[Teacher, ...], student: ModelConfig, kind: Kind
) -> DistillConfig:
    """With the student from scratch: the same shape, and the dropout that `edgeseq train` has."""
    from edgeseq.training.recipe import DistillConfig
    from edgeseq_device.artifact import sha256_of

    if given["unlabelled"] is not None and kind != "text":
        raise UsageError(f"--unlabelled holds texts, and the data is {kind}; leave it out")
    names = ("temperature", "hard_weight", "versions", "unlabelled")
    usual = model_of(given, kind)
    twin = replace(student, dropout=usual.dropout, embedding_dropout=usual.embedding_dropout)
    config = DistillConfig(
        tuple(teacher.source for teacher in teachers),
        **given_of(given, *names, "relation_weight", "relation_heads", "hidden_weight"),
        twin=None if given["no_twin"] else twin,
    )
    if config.unlabelled is None:
        return config
    return replace(config, unlabelled_sha256=sha256_of(Path(config.unlabelled)))


def _report(distilled: Distilled, json_file: Path | None) -> None:
    from edgeseq.report.distill_table import distill_table

    console, student = output(), distilled.student
    title = f"{student.path}: {student.recipe.model.title}, {student.parameters:,} parameters"
    console.print(f"{title}, {len(student.labels)} classes")
    console.print(distill_table(distilled.rows))
    print_warnings(distilled.warnings)
    qat = student.recipe.qat
    target = f" --target {qat.target}" if qat is not None and qat.target != "generic" else ""
    console.print(f"next: edgeseq export --int8{target}")
    write_json(json_file, distilled.to_dict())
