"""Whether a manifest holds together, as device/native/src/artifact/sheet_check.c asks of native.txt."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from edgeseq_device.errors import DataError
from edgeseq_device.manifest import FEATURES, LOGITS, ModelFile, TensorInfo, positive

_VALUES_MAX = 1 << 28
"""A tensor has no more values, T counted as 1."""


class Sizes(NamedTuple):
    """features: F, the values of a frame; outputs: the numbers of an answer; context: as in `Artifact`."""

    features: int
    outputs: int
    context: int | None


def check_models(models: tuple[ModelFile, ...], sizes: Sizes, where: str) -> None:
    """Every form gives the logits that the manifest promises; a forecaster takes its context."""
    for model in models:
        place = f"{where}: the {model.format} model"
        logits = (1, sizes.outputs)
        _check(model.outputs, LOGITS, (logits, ("N", sizes.outputs)), f"{place}: outputs")
        if sizes.context is not None:
            _check(model.inputs, FEATURES, ((1, sizes.context, sizes.features),), f"{place}: inputs")
        if model.step is not None:
            _check(model.step.outputs, LOGITS, (logits,), f"{place}: step: outputs")


def moments(manifest: dict[str, Any], key: str, width: int, where: str) -> int:
    """A forecaster's context or horizon, of `width` values each moment."""
    count, most = positive(manifest, key, where), _VALUES_MAX // width
    if count > most:
        raise DataError(f"{where}: {key} is {count}, must be at most {most}; export the artifact again")
    return count


def interval(manifest: dict[str, Any], where: str) -> float | None:
    """Seconds between two moments; None where they are not known."""
    value = manifest.get("interval_s")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= sys.float_info.max:
        raise DataError(
            f"{where}: interval_s is {value!r}, must be a number above 0; export the artifact again"
        )
    return float(value)


def _check(
    tensors: tuple[TensorInfo, ...], name: str, shapes: tuple[tuple[int | str, ...], ...], where: str
) -> None:
    """The tensor of that name is there, float32 and of one of those shapes."""
    found = next((each for each in tensors if each.name == name), None)
    if found is None or found.dtype != "float32" or found.shape not in shapes:
        there = "missing" if found is None else f"{found.dtype} {list(found.shape)}"
        raise DataError(
            f"{where}: {name} is {there}, must be float32 {list(shapes[0])}; export the artifact again"
        )
