"""The figures of distillation: CLINC150's intents, and FSDD's Transformer in a GRU under 32 KB.

What must be reached counts on the exported int8 files, on both runtimes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from measured import Commands, Figure

from edgeseq import data
from edgeseq.data import Dataset
from edgeseq_device.classify import load_classifier

FORMATS = ("onnx", "tflite")
SEEDS = range(3)
TEACHERS = {
    "bag": "--model bag",
    "bag-large": "--model bag --buckets 16384 --seed 1",
    "gru": "--model gru",
    "lstm": "--model lstm --seed 2",
    "transformer": "--model transformer",
    "gru-conv": "--model gru --conv-kernel 3 --seed 3",
}


def fsdd_distilled(commands: Commands) -> list[Figure]:
    """A Transformer teaches a GRU whose artifact is under 32 KB in each format."""
    train, _ = commands.run("train --data fsdd --model transformer --name fsdd-transformer")
    distill, distilled = commands.run(
        "distill --teacher fsdd-transformer --model gru --fit 32KB --no-step --name fsdd-small"
    )
    export, exported = commands.run("export fsdd-small --int8 --no-step")
    rows = _rows(distilled)
    figures = [
        Figure("FSDD test accuracy, Transformer teacher (%)", _test(rows, "teacher"), None, True, train),
        Figure("FSDD test accuracy, GRU from scratch (%)", _test(rows, "scratch"), None, True, distill),
        Figure("FSDD test accuracy, GRU distilled (%)", _test(rows, "distilled"), None, True, distill),
    ]
    for size in exported["size"]:
        name = size["format"]
        accuracy = 100 * exported["accuracy"]["test"][name]
        figures.append(
            Figure(f"FSDD test accuracy, GRU distilled int8, {name} (%)", accuracy, None, True, export)
        )
        figures.append(
            Figure(f"FSDD GRU's int8 artifact, {name} (bytes)", size["bytes"], 32_000, False, export)
        )
    return figures


def clinc150_scratch(commands: Commands) -> list[Figure]:
    """A GRU that learns from the labels alone."""
    commands.run(f"train --data clinc150 {TEACHERS['gru']} --name clinc-gru")
    return _exported(commands, "clinc-gru", "GRU from labels alone", 90)


def clinc150_teacher(commands: Commands) -> list[Figure]:
    """All teachers together, from their int8 files."""
    for name, options in TEACHERS.items():
        commands.run(f"train --data clinc150 {options} --name clinc-{name}")
        commands.run(f"export clinc-{name} --int8")
    dataset = data.load("clinc150")
    folders = [commands.folder / "artifacts" / f"clinc-{name}-int8-generic" for name in TEACHERS]
    command = f"edgeseq export clinc-NAME --int8, for {', '.join(TEACHERS)}"
    return [
        Figure(
            f"CLINC150 test accuracy, {len(folders)} teachers int8, {each} (%)",
            100 * ensemble_accuracy(dataset, folders, each),
            92.5,
            True,
            command,
        )
        for each in FORMATS
    ]


def ensemble_accuracy(dataset: Dataset, folders: Sequence[Path], model_format: str) -> float:
    """Of the mean of the artifacts' log-probabilities, on the test recordings."""
    test = [each for each in dataset.recordings if each.split == "test"]
    total = np.zeros((len(test), len(dataset.labels)))
    for folder in folders:
        classifier = load_classifier(folder, model_format)
        answers = [classifier.classify(each.samples).probabilities for each in test]
        total += np.log([[answer[label] for label in dataset.labels] for answer in answers])
    labels = np.array([dataset.labels.index(each.label) for each in test])
    return float((total.argmax(axis=1) == labels).mean())


def clinc150_gru(commands: Commands) -> list[Figure]:
    """A GRU under 1 MB, three seeds."""
    return _students(commands, "gru")


def clinc150_transformer(commands: Commands) -> list[Figure]:
    """A Transformer under 1 MB, three seeds."""
    return _students(commands, "transformer")


def _students(commands: Commands, family: str) -> list[Figure]:
    """Three seeds; the gain is that of the int8 files over those of the same student from scratch."""
    teachers = " ".join(f"--teacher clinc-{name}" for name in TEACHERS)
    figures, accuracies = [], []
    for seed in SEEDS:
        name = f"clinc-{family}-1mb-{seed}"
        shown, _ = commands.run(
            f"distill {teachers} --model {family} --fit 1MB --epochs 12 --seed {seed} --name {name}"
        )
        scratch = _exported(commands, f"{name}-scratch", f"{family} from scratch, seed {seed}")
        student = _exported(commands, name, f"{family} distilled, seed {seed}", 91.5)
        accuracies.append((scratch, student))
        figures += [*scratch, *student, *_artifact_bytes(commands, name)]
    for number, each in enumerate(FORMATS):
        from_scratch, taught = ([pair[role][2 * number].value for pair in accuracies] for role in (0, 1))
        spread = max(max(values) - min(values) for values in (from_scratch, taught))
        gain, what = mean(taught) - mean(from_scratch), f"{family}: mean gain over scratch, int8 {each}"
        figures.append(Figure(f"CLINC150 test, {what} (points; > spread)", gain, spread, True, shown))
    plain, trained = commands.run(
        f"train --data clinc150 --model {family} --fit 1MB --name clinc-{family}-1mb-plain"
    )
    accuracy = 100 * trained["metrics"]["test"]["accuracy"]
    figures.append(
        Figure(f"CLINC150 test, {family} under 1 MB by plain training (%)", accuracy, None, True, plain)
    )
    return figures


def _exported(commands: Commands, name: str, what: str, bound: float | None = None) -> list[Figure]:
    """Of each int8 file its own accuracy and its out-of-scope recall, by turns."""
    export, exported = commands.run(f"export {name} --int8")
    figures = []
    for each in FORMATS:
        accuracy = 100 * exported["accuracy"]["test"][each]
        recall = 100 * exported["out_of_scope"][each]["test"]["recall"]
        figures += [
            Figure(f"CLINC150 test, {what}, int8 {each} (%)", accuracy, bound, True, export),
            Figure(f"CLINC150 out-of-scope recall, {what}, int8 {each} (%)", recall, None, True, export),
        ]
    return figures


def _artifact_bytes(commands: Commands, name: str) -> list[Figure]:
    """What a board needs, in each format."""
    export, exported = commands.run(f"export {name} --int8")
    return [
        Figure(f"artifact of {name}, {size['format']} (bytes)", size["bytes"], 1e6, False, export)
        for size in exported["size"]
    ]


def _rows(distilled: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = distilled["distillation"]["rows"]
    return rows


def _test(rows: Sequence[dict[str, Any]], role: str) -> float:
    """Test accuracy in percent of a role's fp32 model."""
    row = next(each for each in rows if each["role"] == role and each["precision"] == "fp32")
    return 100 * float(row["figures"]["test"])
