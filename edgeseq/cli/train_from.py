"""`edgeseq train --from RUN` and `--qat`: which options fit them, and the settings they give."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgeseq_device.errors import UsageError
from edgeseq_device.tasks import Task

if TYPE_CHECKING:
    from edgeseq.runs import Run
    from edgeseq.training.recipe import QatConfig, TrainConfig

OF_QAT = ("target", "qat_format", "qat_epochs", "qat_learning_rate")
OF_FP32 = ("epochs", "learning_rate")
OF_TASKS: dict[str, tuple[Task, ...]] = {
    **dict.fromkeys(("qat", "fit", "step", "no_augment"), ("classify",)),
    **dict.fromkeys(("versions", "unlabelled"), ("classify",)),
    **dict.fromkeys(("relation_weight", "relation_heads", "hidden_weight"), ("classify",)),
    "temperature": ("classify", "lm"),
    "label_smoothing": ("classify", "lm"),
    "window_tokens": ("lm",),
}
"""The tasks that an option concerns, where it is not all of them."""


def check_together(given: dict[str, Any]) -> None:
    """Raises UsageError on an option that means nothing without --qat, or with both --qat and --from."""
    for name in OF_QAT:
        if given[name] is not None and not given["qat"]:
            raise UsageError(f"{_option(name)} is about quantization-aware training; add --qat")
    for name in OF_FP32:
        if given[name] is not None and given["qat"] and given["from_run"] is not None:
            raise UsageError(
                f"{_option(name)} is about training in fp32, and --qat with --from has none;"
                f" give {_option('qat_' + name)}"
            )


def check_task(given: dict[str, Any], task: Task) -> None:
    """Raises UsageError on an option that a training for that task does not have."""
    for name, tasks in OF_TASKS.items():
        if given.get(name) not in (None, False) and task not in tasks:
            words = " and ".join(tasks)
            raise UsageError(
                f"{_option(name)} concerns the task {words}, and this one is {task}; leave it out"
            )


def check_contradicts_nothing(context: click.Context, run: Run) -> None:
    """Raises UsageError naming an option about data, front end or model that the run has otherwise."""
    recipe = run.recipe
    if context.params["size"] is not None:
        raise UsageError(f"--size: {run.path} has its shape, {recipe.model.title}; leave it out")
    recorded = asdict(recipe.reading) | asdict(recipe.splitting) | asdict(recipe.front_end)
    recorded |= asdict(recipe.model) | {"model": recipe.model.family}
    recorded |= {"split_seed": recipe.splitting.seed, "sample_rate": recipe.reading.sample_rate_hz}
    del recorded["seed"]  # --seed is the training's
    for name, value in recorded.items():
        is_given = context.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if is_given and context.params[name] != value:
            raise UsageError(
                f"{_option(name)} {context.params[name]} contradicts {run.path}, which has {value};"
                " leave it out, or train a new run"
            )


def qat_settings(given: dict[str, Any], training: TrainConfig) -> QatConfig | None:
    """The quantization-aware part behind `training`, None without --qat."""
    from edgeseq.training.qat import qat_for

    if not given["qat"]:
        return None
    found = qat_for(training, given["target"] or "generic", given["qat_format"] or "tflite")
    asked = {
        "epochs": given["qat_epochs"],
        "learning_rate": given["qat_learning_rate"],
        "patience": given["patience"],
    }
    return replace(found, **{name: value for name, value in asked.items() if value is not None})


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
