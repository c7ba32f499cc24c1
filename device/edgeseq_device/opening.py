"""What every application begins with: a verified artifact of its task, one of its models, its front end."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from edgeseq_device.artifact import Artifact, open_artifact
from edgeseq_device.errors import DataError
from edgeseq_device.frontend import FrontEnd, front_end_from_dict
from edgeseq_device.manifest import MANIFEST_FILE, RUNTIMES, ModelFile
from edgeseq_device.tasks import LOADERS


@dataclass(frozen=True)
class Opened:
    """A verified artifact, the model that was chosen of it, and the front end that makes its features."""

    artifact: Artifact
    file: ModelFile
    front_end: FrontEnd


def open_model(
    folder: str | Path, task: str, model_format: str | None = None, form: str = "sequence"
) -> Opened:
    """Verify an artifact folder and choose one of its models.

    task: one of LOADERS. model_format: "onnx" or "tflite"; then the files of other formats may be missing.
    None: the one that the manifest calls fastest in that form, "sequence" or "step", or another whose runtime
    is installed. Raises DataError where the artifact is not whole or of another task.
    """
    artifact = open_artifact(folder, only=model_format)
    where = f"{artifact.path / MANIFEST_FILE}: features"
    if artifact.task != task:
        what, loader = LOADERS.get(artifact.task, (f"of the task {artifact.task!r}", "a newer edgeseq"))
        raise DataError(f"{artifact.path}: is {what}, not {LOADERS[task][0]}; load it with {loader}")
    described = artifact.manifest["features"].get("front_end")
    if not isinstance(described, dict):
        raise DataError(f"{where}: front_end is missing; export the artifact again")
    front_end = front_end_from_dict(described, artifact.path)
    if front_end.features_count != artifact.features_count:
        raise DataError(
            f"{where}: count is {artifact.features_count}, the front end gives {front_end.features_count};"
            " export the artifact again"
        )
    return Opened(artifact, artifact.model(model_format or _best_format(artifact, form)), front_end)


def _best_format(artifact: Artifact, form: str) -> str:
    formats = [model.format for model in artifact.models]
    fastest = artifact.manifest.get("fastest")
    first = fastest.get(form) if isinstance(fastest, dict) else None
    formats.sort(key=lambda each: each != first)
    installed = [each for each in formats if any(map(importlib.util.find_spec, RUNTIMES[each]))]
    return (installed or formats)[0]
