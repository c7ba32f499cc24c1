"""What `edgeseq eval` looks at: a run's module or an artifact's files, and the recordings to try them on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from edgeseq import data as datasets
from edgeseq.artifacts import ARTIFACTS, PROVENANCE_FILE, read_provenance
from edgeseq.data import DataOptions, Dataset
from edgeseq.data.columns import NoSuchColumnError
from edgeseq.data.dataset import set_aside
from edgeseq.eval_stretch import own_data
from edgeseq.evaluate import evaluate_artifact, evaluate_module
from edgeseq.evaluate.tokens import TokensEvaluation, evaluate_language_module, evaluate_language_step
from edgeseq.evaluate.windows import WindowsEvaluation, evaluate_forecaster, evaluate_forecasts
from edgeseq.features import SPLITS, LabelledFeatures, Text, cut_warnings, labelled, out_of_scope
from edgeseq.models.model import LanguageModel
from edgeseq.names import unknown
from edgeseq.run_data import recorded_splits
from edgeseq.runs import RUNS, Run, RunFolder, open_run
from edgeseq.training.recipe import Recipe
from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.errors import DataError, UsageError
from edgeseq_device.frontend import FrontEnd, front_end_from_dict
from edgeseq_device.manifest import MANIFEST_FILE, SUMS_FILE
from edgeseq_device.tasks import Task

Progress = Callable[[int, int], None]
Evaluate = Callable[[Any, Progress], Any]
"""By task: recordings -> Evaluation, a Text -> TokensEvaluation, windows -> WindowsEvaluation."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One trained model in the forms that can be evaluated, each by name: torch, onnx, tflite; beside a
    forecaster's run `linear`, its baseline.

    `splits_sha256` None: its artifact was exported without it. `thresholds`: below which largest probability
    a form's answer is none of the classes; empty for a model that was trained without such recordings.
    `linear`: of a forecaster's artifact, what its export measured of the linear baseline, by split.
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
    linear: dict[str, WindowsEvaluation] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """What the model is for."""
        return self.recipe.model.task


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
    """The recordings to try a classifier on. `reference` None: the data it was trained on, its test split.

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
    _check_kind(subject, dataset)
    name = split or ("test" if same else "all")
    return dataset, name, _places(subject, dataset, name)


def _read(subject: Subject, reference: str | None, given: DataOptions) -> Dataset:
    if reference is None:
        return own_data(subject, given)
    dataset, reading = _read_other(subject, reference, given), given.over(subject.recipe.reading)
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
    chosen = run.metrics.get("out_of_scope")
    return Subject(
        "run",
        run.path,
        run.recipe,
        run.labels,
        run.front_end,
        run.data_sha256,
        run.splits_sha256,
        _run_forms(run),
        {} if chosen is None else {"torch": float(chosen["threshold"])},
    )


def _run_forms(run: Run) -> dict[str, Evaluate]:
    module = run.module()
    if isinstance(module, LanguageModel):
        return {
            "torch": lambda text, progress: _spoken(partial(evaluate_language_module, module), text, progress)
        }
    if run.recipe.model.task == "forecast":
        linear = run.linear()
        forms: dict[str, Evaluate] = {"torch": partial(evaluate_forecaster, module)}
        return forms if linear is None else forms | {"linear": partial(evaluate_forecaster, linear)}
    return {"torch": lambda recordings, _progress: evaluate_module(module, recordings)}


def _spoken(measure: Callable[..., TokensEvaluation], text: Text, progress: Progress) -> TokensEvaluation:
    return measure(text.ids, text.characters, progress=progress)


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
    forms = {model.format: _form(artifact, model.format, recipe.model.task) for model in artifact.models}
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
        _linear(provenance),
    )


def _linear(provenance: Mapping[str, Any]) -> dict[str, WindowsEvaluation]:
    """Of the splits of training; empty for other models, and where no baseline was trained."""
    accuracy = provenance.get("accuracy")
    return {
        split: WindowsEvaluation(entry["n"], entry["linear"], entry["mae"]["linear"])
        for split, entry in (accuracy.items() if isinstance(accuracy, dict) else ())
        if "linear" in entry
    }


def _form(artifact: Artifact, format_name: str, task: Task) -> Evaluate:
    """As a board runs that file; its runtime is loaded when it is asked."""
    by_task: dict[Task, Callable[[Artifact, str, Any, Progress], Any]] = {
        "classify": evaluate_artifact,
        "lm": _file_spoken,
        "forecast": _file_forecasts,
    }
    return partial(by_task[task], artifact, format_name)


def _file_spoken(artifact: Artifact, format_name: str, text: Text, progress: Progress) -> TokensEvaluation:
    from edgeseq_device import runtimes  # noqa: PLC0415 - a run is evaluated without any runtime installed

    model = artifact.model(format_name)
    if model.step is None:
        raise DataError(f"{model.path}: it has no step form ({model.step_reason}); export it again")
    step = runtimes.load_step(model.step.path, format_name, model.step.states)
    return _spoken(partial(evaluate_language_step, step), text, progress)


def _file_forecasts(
    artifact: Artifact, format_name: str, windows: LabelledFeatures, progress: Progress
) -> WindowsEvaluation:
    from edgeseq_device import runtimes  # noqa: PLC0415 - a run is evaluated without any runtime installed

    return evaluate_forecasts(
        runtimes.load(artifact.model(format_name).path, format_name).run, windows, progress
    )
