"""What `edgeseq eval` looks at: a run's module or an artifact's files, and the recordings to try them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgeseq import data as datasets
from edgeseq.artifacts import ARTIFACTS, PROVENANCE_FILE, read_provenance
from edgeseq.data import DataOptions, Dataset
from edgeseq.data.columns import NoSuchColumnError
from edgeseq.data.dataset import set_aside
from edgeseq.evaluate import Evaluation, evaluate_artifact, evaluate_module
from edgeseq.features import SPLITS, LabelledFeatures, cut_warnings, labelled, out_of_scope
from edgeseq.names import unknown
from edgeseq.runs import RUNS, Run, RunFolder, load_recorded, open_run, recorded_splits
from edgeseq.training.recipe import Recipe
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import FrontEnd, front_end_from_dict
from edgeseq_device.manifest import MANIFEST_FILE, SUMS_FILE

Evaluate = Callable[[LabelledFeatures, Callable[[int, int], None]], Evaluation]


@dataclass(frozen=True, eq=False)
class Subject:
    """One trained model in the forms that can be evaluated, each by name: torch, onnx, tflite.

    `splits_sha256` None: its artifact was exported without it. `thresholds`: below which largest probability
    a form's answer is none of the classes; empty for a model that was trained without such recordings.
    """

    kind: Literal["run", "artifact"]
    path: Path
    recipe: Recipe
    labels: tuple[str, ...]
    front_end: FrontEnd
    data_sha256: str
    splits_sha256: str | None
    forms: dict[str, Evaluate]
    thresholds: dict[str, float]


@dataclass(frozen=True, eq=False)
class Chosen:
    """The recordings of one evaluation, and those of none of the classes, which there may be none of.

    split: train, validation, test or all.
    """

    reference: str
    content_sha256: str
    split: str
    recordings: LabelledFeatures
    outside: LabelledFeatures
    warnings: tuple[str, ...]


def open_subject(reference: str | None) -> Subject:
    """A run or an artifact by name or folder; None is the newest run.

    Raises UsageError where there is none, DataError where its files are damaged.
    """
    if reference is None:
        return _of_run(open_run(None))
    for path in (ARTIFACTS / reference, Path(reference)):
        if (path / MANIFEST_FILE).is_file() or (path / SUMS_FILE).is_file():
            return _of_artifact(path)
    for path in (RUNS / reference, Path(reference)):
        if RunFolder(path).is_run:
            return _of_run(open_run(path))
    known = [path.name for folder in (RUNS, ARTIFACTS) if folder.is_dir() for path in folder.iterdir()]
    raise UsageError(unknown("run or artifact", reference, known))


def choose(
    subject: Subject, reference: str | None, split: str | None, given: DataOptions | None = None
) -> Chosen:
    """The recordings to evaluate on. `reference` None: the data the model was trained on, its test split.

    Of other data every recording is taken, unless `split` names a part of it; it is read as `given` says, and
    as the recipe's data where that says nothing. Raises DataError where the data is not what the model takes,
    or a label is unknown to it, UsageError for options without a reference.
    """
    dataset, name, places = select(subject, reference, split, given)
    recordings = [dataset.recordings[i] for i in places]
    return Chosen(
        reference or subject.recipe.data,
        dataset.content_sha256,
        name,
        labelled(dataset, subject.front_end, places, subject.labels),
        out_of_scope(dataset, subject.front_end, name),
        (*dataset.warnings, *cut_warnings(subject.front_end, {name: recordings})),
    )


def select(
    subject: Subject, reference: str | None, split: str | None, given: DataOptions | None = None
) -> tuple[Dataset, str, Sequence[int]]:
    """The data set, the name of the split and the places of its recordings, for `choose`, which raises the
    same."""
    dataset = _read(subject, reference, given or DataOptions())
    same = dataset.content_sha256 == subject.data_sha256
    if reference is None and not same:
        raise DataError(
            f"{subject.recipe.data}: its content is not what {subject.path} was trained on, so that"
            " its splits are not the same; name it with --data to evaluate on all of it"
        )
    _check_kind(subject, dataset)
    name = split or ("test" if same else "all")
    return dataset, name, _places(subject, dataset, name)


def _read(subject: Subject, reference: str | None, given: DataOptions) -> Dataset:
    recipe = subject.recipe
    if reference is None:
        if given != DataOptions():
            raise UsageError("how data is read is about --data; without it, it is read as in training")
        return load_recorded(recipe, subject.path)
    dataset, reading = _read_other(subject, reference, given), given.over(recipe.reading)
    if dataset.content_sha256 == subject.data_sha256 and (reading.test_pattern or reading.group_pattern):
        return datasets.load(reference, reading)
    return dataset


def _read_other(subject: Subject, reference: str, given: DataOptions) -> Dataset:
    """As the recipe reads its own data, but for what recordings from elsewhere need not have: groups, splits
    and some that are out of scope.
    """
    reading = given.over(subject.recipe.reading)
    plain = replace(
        reading, test_pattern=None, group_pattern=None, out_of_scope_label=given.out_of_scope_label
    )
    try:
        dataset = datasets.load(reference, plain)
    except NoSuchColumnError as error:
        if getattr(given, f"{error.role}_column") is not None:
            raise
        if error.role not in ("group", "split"):
            advice = f"{subject.path} was trained on data that has it: name this data's with"
            raise DataError(f"{error}; {advice} --{error.role}-column") from error
        unsplit = replace(plain, group_column=given.group_column, split_column=given.split_column)
        dataset = datasets.load(reference, unsplit)
    label = reading.out_of_scope_label
    return set_aside(dataset, label) if label in dataset.labels else dataset


def _places(subject: Subject, dataset: Dataset, name: str) -> Sequence[int]:
    places: Sequence[int] = range(len(dataset.recordings))
    splitting, expected = subject.recipe.splitting, subject.splits_sha256
    if name in SPLITS and dataset.content_sha256 == subject.data_sha256 and expected is not None:
        places = getattr(recorded_splits(dataset, splitting, expected, subject.path), name)
    elif name in SPLITS:
        places = getattr(datasets.split(dataset, splitting), name)
    return places


def _check_kind(subject: Subject, dataset: Dataset) -> None:
    wanted = subject.front_end.takes
    if dataset.kind != wanted:
        raise DataError(f"{dataset.name}: it holds {dataset.kind}, {subject.path} was trained on {wanted}")


def _of_run(run: Run) -> Subject:
    module = run.module()
    forms: dict[str, Evaluate] = {"torch": lambda recordings, _progress: evaluate_module(module, recordings)}
    chosen = run.metrics.get("out_of_scope")
    return Subject(
        "run",
        run.path,
        run.recipe,
        run.labels,
        run.front_end,
        run.data_sha256,
        run.splits_sha256,
        forms,
        {} if chosen is None else {"torch": float(chosen["threshold"])},
    )


def _of_artifact(path: Path) -> Subject:
    artifact = open_artifact(path)
    provenance, where = read_provenance(path), str(path / PROVENANCE_FILE)
    try:
        recipe = Recipe.from_dict(provenance["recipe"], f"{where}: recipe")
        front_end = front_end_from_dict(artifact.manifest["features"]["front_end"], path)
        data_sha256 = str(provenance["data"]["content_sha256"])
        splits_sha256 = provenance["data"].get("splits_sha256")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{where}: incomplete ({error!r}); export it again") from error
    forms = {model.format: _form(artifact, model.format) for model in artifact.models}
    chosen = {model.format: model.rejection_threshold for model in artifact.models}
    thresholds = {name: each for name, each in chosen.items() if each is not None}
    return Subject(
        "artifact",
        path,
        recipe,
        artifact.labels,
        front_end,
        data_sha256,
        splits_sha256,
        forms,
        thresholds,
    )


def _form(artifact: Artifact, format_name: str) -> Evaluate:
    return lambda recordings, progress: evaluate_artifact(artifact, format_name, recordings, progress)
