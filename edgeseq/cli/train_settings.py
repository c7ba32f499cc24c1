"""From the options of `edgeseq train` and `edgeseq distill` to the settings of a recipe."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgeseq_device.errors import UsageError

if TYPE_CHECKING:
    from edgeseq.data.dataset import Dataset, Kind
    from edgeseq.features import Prepared
    from edgeseq.models.config import ModelConfig
    from edgeseq.training.recipe import Recipe, TrainConfig
    from edgeseq_device.tasks import Task

READING_SETTINGS = (
    *("label_pattern", "test_pattern", "group_pattern", "sample_rate_hz"),
    *("text_column", "label_column", "group_column", "split_column", "recording_column", "time_column"),
    *("out_of_scope_label", "task", "fill", "split_rows", "drop_columns"),
)
MODEL_SETTINGS = (
    *("hidden", "layers", "bidirectional", "pooling", "dropout", "conv_kernel"),
    *("heads", "feedforward", "positions", "max_frames", "causal", "window"),
    *("embedding", "embedding_dropout", "tied", "context", "horizon", "segment"),
)
FRONT_END_SETTINGS = (
    *("mels", "frame_ms", "hop_ms", "sample_rate_hz"),
    *("tokenizer", "vocabulary", "ngrams", "subwords", "buckets", "max_tokens", "lowercase"),
)
MAY_COME_WITH_RESUME = {"resume", "json_file"}


def recipe_of(given: dict[str, Any], base: Recipe | None = None) -> Recipe:
    """The recipe, apart from what of the model and the training depends on the data.

    base: whose data, splits and features hold where nothing is given.
    """
    from edgeseq.training.recipe import Recipe

    base = base or Recipe(data=given["data"])
    splitting = {**given, "seed": given["split_seed"], "by_group": given["by_group"] or None}
    given = {**given, "sample_rate_hz": given["sample_rate"]}
    return Recipe(
        data=given["data"] or base.data,
        reading=replace(base.reading, **given_of(given, *READING_SETTINGS)),
        splitting=replace(
            base.splitting,
            **given_of(splitting, "validation_fraction", "test_fraction", "by_group", "seed"),
        ),
        front_end=replace(base.front_end, **given_of(given, *FRONT_END_SETTINGS)),
        model=model_of(given),
    )


def model_of(given: dict[str, Any], kind: Kind | None = None) -> ModelConfig:
    """The shape for data of a kind; None: not known yet."""
    from edgeseq.models.shapes import model_config

    task: Task = given.get("task") or "classify"
    return model_config(given["model"], given_of(given, *MODEL_SETTINGS), kind, given["size"], task)


def check_front_end(given: dict[str, Any], dataset: Dataset) -> None:
    """Raises UsageError for an option that does not concern the data, also where it names the default."""
    from edgeseq.data.dataset import check_concerns

    given = {**given, "sample_rate_hz": given["sample_rate"]}
    check_concerns(given_of(given, *FRONT_END_SETTINGS), dataset)


def settled_front_end(recipe: Recipe, kind: Kind) -> Recipe:
    """The recipe with the defaults of text written out: those of a later edgeseq may be others."""
    from edgeseq.tokenizer_training import settled, settled_for_lm

    if kind != "text":
        return recipe
    settle = settled_for_lm if recipe.model.task == "lm" else settled
    return replace(recipe, front_end=replace(recipe.front_end, **asdict(settle(recipe.front_end))))


def training_of(given: dict[str, Any], model: ModelConfig, prepared: Prepared) -> TrainConfig:
    """What suits the data and the model, with what was given."""
    from edgeseq.training.defaults import patience_for, training_for

    training = changed(training_for(prepared.dataset.kind, prepared.examples, model), given)
    patience = patience_for(training.epochs) if given["patience"] is None else given["patience"]
    return replace(training, patience=patience)


def changed(training: TrainConfig, given: dict[str, Any]) -> TrainConfig:
    """`training` with what was given."""
    from edgeseq.training.augment import OFF

    keys = ("epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "patience", "ema")
    found = replace(training, **given_of(given, *keys, "window_tokens", "warm_up", "threads", "seed"))
    return replace(found, augment=OFF) if given["no_augment"] else found


def given_of(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those of the options that were given; a command has not all of them."""
    return {name: options[name] for name in names if options.get(name) is not None}


def refuse_beside_resume(context: click.Context) -> None:
    """Raises UsageError naming an option that was given with --resume: a run has every setting itself."""
    for parameter in context.command.params:
        name = parameter.name or ""
        is_given = context.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if is_given and name not in MAY_COME_WITH_RESUME:
            raise UsageError(f"--resume takes every setting from the run; leave out {parameter.opts[-1]}")
