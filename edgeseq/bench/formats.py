"""Which formats of an artifact are measured with the runners that were asked for."""

from __future__ import annotations

from edgeseq.names import unknown
from edgeseq_device.artifact import Artifact
from edgeseq_device.errors import UsageError
from edgeseq_device.measuring.native_runner import FORMAT
from edgeseq_device.measuring.runners import check_artifact

NATIVE = "native"


def formats_to_measure(
    artifact: Artifact, wanted: tuple[str, ...], runners: tuple[str, ...]
) -> tuple[str, ...]:
    """Those of `wanted`, each once; by default all that the runners can run. runners: empty for the device's
    default, whatever that is.

    UsageError for a format that is not there or that no runner runs, DataError for an artifact that the
    native runner cannot read.
    """
    there = tuple(model.format for model in artifact.models)
    for each in wanted:
        if each not in there:
            raise UsageError(f"{artifact.name}: {unknown('format', each, there)}")
    formats = tuple(dict.fromkeys(wanted)) or there
    if NATIVE not in runners:
        return formats
    only = f"the native runner runs {FORMAT} models only"
    if FORMAT not in formats:
        lacking = f"--format {formats[0]}" if wanted else f"{artifact.name} has no {FORMAT} model"
        raise UsageError(f"{lacking}: {only}; take --runner python")
    check_artifact(artifact)
    if runners != (NATIVE,):
        return formats
    if wanted and len(formats) > 1:
        raise UsageError(f"--runner native: {only}; take --runner both, or leave the other --format out")
    return (FORMAT,)
