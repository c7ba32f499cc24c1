"""Teachers: finished runs and Hugging Face folders, one or several, that answer with logits.

n inputs, C classes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch

from edgeseq.batches import logits_of
from edgeseq.data import Dataset
from edgeseq.data.dataset import Kind
from edgeseq.features import FeatureArray, FloatArray, Prepared
from edgeseq.models.model import SequenceModel
from edgeseq.names import unknown
from edgeseq.runs import RUNS, Run, RunFolder, open_run
from edgeseq.training.recipe import TeacherSource
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.tasks import LOADERS, Task
from edgeseq_device.tokens import Tokens

CHUNK = 2048  # inputs between two reports of progress
BATCH = 128
CONFIG_FILE = "config.json"  # what makes a folder a Hugging Face model's

Asked = Sequence[str] | Sequence[FeatureArray]
"""What a teacher is asked: texts, or features [T, F] of the front end that it shares with the student."""
Watched = Callable[[str, int, int], None]
"""Called while something long goes on: what it is, how much is done, how much there is."""


class Teacher(Protocol):
    """kind: of the recordings it answers. labels: the classes in the order of its logits.

    run, module: the run that it is and its module, None where it is none. max_tokens: how much of a text it
    reads, None for all. software: what its answers follow from beside its files.
    """

    @property
    def source(self) -> TeacherSource: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def parameters(self) -> int: ...

    @property
    def run(self) -> Run | None: ...

    @property
    def module(self) -> SequenceModel | None: ...

    @property
    def max_tokens(self) -> int | None: ...

    @property
    def software(self) -> str: ...

    def logits(self, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
        """[n, C] float32 in its own order of labels. `watch(done, n)` is called as it goes."""

    def encode(self, asked: Asked) -> Any:
        """What `answer` takes of some texts or features."""

    def answer(self, encoded: Any) -> FloatArray:
        """[B, C] float32: the model alone."""

    def cut(self, asked: Asked) -> int:
        """How many of the texts are longer than `max_tokens`."""


@dataclass(frozen=True, eq=False)
class RunTeacher:
    """A finished run, with its own front end."""

    source: TeacherSource
    run: Run

    @property
    def kind(self) -> Kind:
        """Of the data it was trained on."""
        return cast(Kind, self.run.front_end.takes)

    @property
    def labels(self) -> tuple[str, ...]:
        """The run's."""
        return self.run.labels

    @property
    def parameters(self) -> int:
        """Of its module."""
        return self.run.parameters

    @property
    def max_tokens(self) -> int | None:
        """Its front end's."""
        front_end = self.run.front_end
        return front_end.max_tokens if isinstance(front_end, Tokens) else None

    @property
    def software(self) -> str:
        """The version of torch."""
        return f"torch {torch.__version__}"

    @cached_property
    def module(self) -> SequenceModel:
        """With the best weights, in evaluation mode."""
        return self.run.module()

    def logits(self, asked: Asked, watch: Callable[[int, int], None]) -> FloatArray:
        """Texts are read by its own front end; features are those of the student's."""
        rows = []
        for start in range(0, len(asked), CHUNK):
            rows.append(self.answer(self.encode(asked[start : start + CHUNK])))
            watch(start + len(rows[-1]), len(asked))
        return np.concatenate(rows)

    def encode(self, asked: Asked) -> list[FeatureArray]:
        """Features [T, F] or [T, K] each."""
        front_end = self.run.front_end
        return [front_end.features(each) if isinstance(each, str) else each for each in asked]

    def answer(self, encoded: list[FeatureArray]) -> FloatArray:
        """[B, C] float32."""
        return logits_of(self.module, encoded, BATCH)

    def cut(self, asked: Asked) -> int:
        """As `Teacher.cut`."""
        front_end = self.run.front_end
        return sum(isinstance(front_end, Tokens) and front_end.tokens_cut(each) > 0 for each in asked)


def open_teacher(reference: str) -> Teacher:
    """A run by its name under ./runs or its folder, or a Hugging Face model's folder.

    Raises UsageError where there is none or it is not finished, DataError where its files are damaged.
    """
    for path in (RUNS / reference, Path(reference)):
        if RunFolder(path).is_run:
            run = open_run(path)
            return RunTeacher(TeacherSource(reference, "run", _sha256_of(run)), run)
    if (Path(reference) / CONFIG_FILE).is_file():
        from edgeseq.distill.huggingface import open_folder  # noqa: PLC0415 - needs transformers

        return open_folder(reference)
    runs = [path.name for path in RUNS.glob("*") if RunFolder(path).is_run]
    raise UsageError(
        f"{unknown('teacher', reference, runs)}; nor is there a Hugging Face model's folder"
        f" of that name (one with a {CONFIG_FILE})"
    )


def reopened(source: TeacherSource) -> Teacher:
    """The teacher that a distillation began with. Raises DataError where it is another now."""
    teacher = open_teacher(source.reference)
    if teacher.source != source:
        raise DataError(
            f"{source.reference}: this teacher is not the one that the distillation began with; bring that"
            " one back or distill anew"
        )
    return teacher


def check_distinct(teachers: Sequence[Teacher]) -> None:
    """Raises UsageError where one teacher is given twice."""
    names: dict[str, str] = {}
    for teacher in teachers:
        source = teacher.source
        if source.sha256 in names:
            first = names[source.sha256]
            raise UsageError(
                f"--teacher {source.reference} is the same model as --teacher {first}; give it once"
            )
        names[source.sha256] = source.reference


def task_of(teachers: Sequence[Teacher]) -> Task:
    """What all of them are for. Raises UsageError where they are not alike."""
    first, *others = teachers
    for each in others:
        if _task(each) != _task(first):
            told = [f"{one.source.reference} is {LOADERS[_task(one)][0]}" for one in (first, each)]
            raise UsageError(f"{', '.join(told)}: they cannot teach together; give teachers of one task")
    return _task(first)


def _task(teacher: Teacher) -> Task:
    return "classify" if teacher.run is None else teacher.run.recipe.model.task


def check_teacher(teacher: Teacher, dataset: Dataset) -> None:
    """Raises DataError where a teacher cannot teach on this data or may have seen what is to be tested on."""
    name = teacher.source.reference
    if teacher.kind != dataset.kind:
        raise DataError(
            f"{name}: this teacher answers {teacher.kind}, {dataset.name} holds {dataset.kind};"
            f" take a teacher of {dataset.kind}"
        )
    if dataset.task == "classify" and set(teacher.labels) != set(dataset.labels):
        raise DataError(f"{name}: {_differing_labels(teacher.labels, dataset)}")
    if teacher.run is not None and teacher.run.data_sha256 != dataset.content_sha256:
        run = teacher.run
        raise DataError(
            f"{run.path}: this teacher was trained on other data than {dataset.name} (sha256"
            f" {run.data_sha256[:12]}, not {dataset.content_sha256[:12]}) and may have seen recordings that"
            " are held out here; train a teacher on this data"
        )


def check_prepared(teacher: Teacher, prepared: Prepared) -> None:
    """Raises DataError where a teacher has seen what is held out, or does not read what the student reads."""
    run, dataset, front_end = teacher.run, prepared.dataset, prepared.front_end
    if run is None:
        return
    if run.splits_sha256 != prepared.splits_sha256:
        raise DataError(
            f"{run.path}: this teacher was trained on other splits of {dataset.name} and has seen recordings"
            " that are held out here; leave the options about splits out to take the teacher's, or train a"
            " teacher on these splits"
        )
    if not isinstance(front_end, Tokens) and run.front_end != front_end:
        raise DataError(
            f"{run.path}: this teacher's front end is another than the student's, and {dataset.kind} is"
            " varied as features, which both must share; leave the options about features out"
        )


def _differing_labels(labels: Sequence[str], dataset: Dataset) -> str:
    sides = {
        "the teacher alone has": sorted(set(labels) - set(dataset.labels)),
        f"{dataset.name} alone has": sorted(set(dataset.labels) - set(labels)),
    }
    told = [f"{side} {_some(found)}" for side, found in sides.items() if found]
    return f"this teacher's labels are not the data's: {'; '.join(told)}; take a teacher of the same classes"


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(f'"{label}"' for label in labels[:3])
    return shown if len(labels) <= 3 else f"{shown} and {len(labels) - 3} more"


def _sha256_of(run: Run) -> str:
    """Over the weights and what they belong to."""
    settings = {
        "model": run.recipe.to_dict()["model"],
        "labels": run.labels,
        "front": run.front_end.to_dict(),
    }
    whole = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    whole.update(RunFolder(run.path).weights.read_bytes())
    return whole.hexdigest()
