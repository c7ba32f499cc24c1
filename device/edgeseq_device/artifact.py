"""An exported model's folder, checked byte by byte before anything in it is used.

`open_artifact` reads and verifies; no runtime opens a model file that it has not passed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeseq_device.errors import DataError
from edgeseq_device.manifest import (
    FEATURE_TYPES,
    FEATURES,
    MANIFEST_FILE,
    SUMS_FILE,
    TOKENIZER_FILE,
    ModelFile,
    get,
    listed_name,
    models,
    plain_name,
    positive,
    read_manifest,
)
from edgeseq_device.manifest_check import Sizes, check_models, interval, moments
from edgeseq_device.tasks import TASKS

if TYPE_CHECKING:
    from edgeseq_device.golden import GoldenVectors

_SUM_LINE = re.compile(r"([0-9a-f]{64})[ ][ *](\S(?:.*\S)?)")


@dataclass(frozen=True)
class Artifact:
    """A verified artifact folder.

    context, horizon: of a forecaster, the moments that it takes and gives; None of another. interval_s:
    between two moments, None = unknown.
    """

    path: Path
    manifest: dict[str, Any]
    models: tuple[ModelFile, ...]
    labels: tuple[str, ...]
    features_count: int
    features_dtype: str
    golden_path: Path
    golden_count: int
    manifest_sha256: str
    context: int | None = None
    horizon: int | None = None
    interval_s: float | None = None

    @property
    def task(self) -> str:
        """What its models are for; those of an older artifact classify."""
        return str(self.manifest.get("task", "classify"))

    @property
    def outputs_count(self) -> int:
        """How many numbers an answer has: one for each label, of a forecaster for each moment as well."""
        return (self.horizon or 1) * len(self.labels)

    @property
    def name(self) -> str:
        """The name in the manifest, such as `fsdd-gru-int8-generic`."""
        return str(self.manifest["name"])

    def model(self, model_format: str) -> ModelFile:
        """The model in `model_format`; DataError names the formats there are."""
        for model in self.models:
            if model.format == model_format:
                return model
        there = ", ".join(model.format for model in self.models)
        raise DataError(f"{self.path}: no {model_format} model in this artifact; it has: {there}")

    def golden(self) -> GoldenVectors:
        """The golden vectors, checked against the manifest. Needs numpy; DataError when they do not fit."""
        from edgeseq_device.golden import read_golden  # noqa: PLC0415 - verifying needs no numpy

        if not self.golden_path.exists():
            raise DataError(f"{self.golden_path}: not deployed; take the whole folder that was exported")
        formats = [model.format for model in self.models]
        shape = (self.golden_count, self.features_count, self.outputs_count)
        return read_golden(self.golden_path, formats, shape, self.features_dtype)


def open_artifact(folder: str | Path, only: str | None = None) -> Artifact:
    """Verify an artifact folder and describe it; opens no model in a runtime.

    Every file must be listed in SHA256SUMS with its hash, every listed file must be there, the manifest's
    version must be known and what it names must be there. DataError names the file and the cause.

    only: a format, such as "tflite", for a board that needs no more than manifest.json, SHA256SUMS, that
    format's model and a text model's tokenizer.json. Other listed files may then be absent; what is there
    must still match.
    """
    path = Path(folder)
    if not path.is_dir():
        raise DataError(f"{path}: not an artifact folder; `edgeseq export` makes one")
    sums = _verified_sums(path, whole=only is None)
    manifest = read_manifest(path / MANIFEST_FILE)
    return _describe(path, manifest, sums, only)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    import hashlib  # noqa: PLC0415 - 4 MB of RAM that a measuring process must not carry

    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _verified_sums(path: Path, *, whole: bool) -> dict[str, str]:
    """The listed hashes, each recomputed for the file that is there; whole: every file must be."""
    listed = _read_sums(path / SUMS_FILE)
    present = {entry.name for entry in path.iterdir()} - {SUMS_FILE}
    if MANIFEST_FILE not in listed:
        raise DataError(f"{path / SUMS_FILE}: {MANIFEST_FILE} is not listed; export the artifact again")
    for name in sorted(present - set(listed)):
        raise DataError(f"{path / name}: not listed in {SUMS_FILE}; remove it or export the artifact again")
    for name, expected in sorted(listed.items()):
        file = path / name
        if name not in present:
            if not whole and name != MANIFEST_FILE:
                continue
            raise DataError(f"{file}: listed in {SUMS_FILE} but missing; export the artifact again")
        if file.is_symlink() or not file.is_file():
            raise DataError(f"{file}: not a regular file; export the artifact again")
        if sha256_of(file) != expected:
            raise DataError(f"{file}: its content changed after the export (sha256 differs); export it again")
    return listed


def _read_sums(path: Path) -> dict[str, str]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing, so the artifact cannot be verified; export the artifact again"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}); export the artifact again") from error
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _SUM_LINE.fullmatch(line)
        if match is None:
            raise DataError(f"{path}:{number}: not a `sha256  name` line; export the artifact again")
        name = plain_name(match.group(2), f"{path}:{number}")
        if name in sums or name == SUMS_FILE:
            raise DataError(f"{path}:{number}: {name} must not be listed here; export the artifact again")
        sums[name] = match.group(1)
    return sums


def _describe(path: Path, manifest: dict[str, Any], sums: dict[str, str], only: str | None) -> Artifact:
    where = str(path / MANIFEST_FILE)
    get(manifest, "name", str, where)
    task = manifest.get("task", "classify")
    if task not in TASKS:
        known = ", ".join(TASKS)
        raise DataError(f"{where}: task {task!r} is not known; known: {known}; use the edgeseq that wrote it")
    forecasts = task == "forecast"
    labels = tuple(get(manifest, "labels", list, where))
    if len(labels) < (1 if forecasts else 2) or not all(isinstance(label, str) for label in labels):
        fewest = "a channel or more" if forecasts else "two or more names"
        raise DataError(f"{where}: labels must be {fewest}; export the artifact again")
    golden = get(manifest, "golden", dict, where)
    golden_name = listed_name(get(golden, "file", str, f"{where}: golden"), sums, f"{where}: golden")
    found = models(path, manifest, sums, only)
    features = get(manifest, "features", dict, where)
    _check_tokenizer(path, features, sums)
    count = positive(features, "count", f"{where}: features")
    artifact = Artifact(
        path=path,
        manifest=manifest,
        models=found,
        labels=labels,
        features_count=count,
        features_dtype=_features_dtype(found, where),
        golden_path=path / golden_name,
        golden_count=positive(golden, "count", f"{where}: golden"),
        manifest_sha256=sums[MANIFEST_FILE],
        context=moments(manifest, "context", count, where) if forecasts else None,
        horizon=moments(manifest, "horizon", len(labels), where) if forecasts else None,
        interval_s=interval(manifest, where),
    )
    check_models(found, Sizes(count, artifact.outputs_count, artifact.context), where)
    return artifact


def _check_tokenizer(path: Path, features: dict[str, Any], sums: dict[str, str]) -> None:
    """A front end of tokens has its tokenizer in the folder, on every board."""
    front_end = features.get("front_end")
    if not isinstance(front_end, dict) or front_end.get("kind") != "tokens":
        return
    listed_name(TOKENIZER_FILE, sums, f"{path / MANIFEST_FILE}: features")
    if not (path / TOKENIZER_FILE).is_file():
        raise DataError(f"{path / TOKENIZER_FILE}: missing; a text model needs it on every board")


def _features_dtype(models: tuple[ModelFile, ...], where: str) -> str:
    """The one type of features that every form of every model takes."""
    forms = [form for model in models for form in (model, model.step) if form is not None]
    taken = {each.dtype for form in forms for each in form.inputs if each.name == FEATURES}
    if len(taken) != 1 or not taken <= set(FEATURE_TYPES):
        found = ", ".join(sorted(taken)) or "none"
        wanted = " or ".join(FEATURE_TYPES)
        raise DataError(f"{where}: inputs: {FEATURES} are {found}, must all be {wanted}; export it again")
    return taken.pop()
