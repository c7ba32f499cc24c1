"""Reading the manifest of an artifact: each field has a type, and a fault names the field."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgeseq_device.errors import DataError

MANIFEST_VERSION = 1
MANIFEST_FILE = "manifest.json"
SUMS_FILE = "SHA256SUMS"
TOKENIZER_FILE = "tokenizer.json"
NATIVE_FILE = "native.txt"
"""What the native runner reads in place of the manifest; there where the artifact has a TFLite model."""
FORMATS = ("onnx", "tflite")
RUNTIMES = {"onnx": ("onnxruntime",), "tflite": ("ai_edge_litert", "tflite_runtime")}
"""The modules that a format's runtime may be, the better first."""
FEATURES, FEATURE_TYPES = "features", ("float32", "int32")
"""The name of a model's first input, and what it may hold: readings, or ids of tokens."""
LOGITS = "logits"
"""The name of a model's first output."""
MANIFEST_BYTES_MAX = 16_000_000

_T = TypeVar("_T")


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a model. shape: sizes, or the names of dimensions that vary ("N", "T")."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    unit: str


@dataclass(frozen=True)
class StateInfo:
    """One float32 state of a step form. initial: what it is full of before the first frame."""

    name: str
    shape: tuple[int, ...]
    initial: float


@dataclass(frozen=True)
class StepFile:
    """The step form of a model. path: its own file, or the sequence form's, whose `signature` it then is."""

    path: Path
    bytes: int
    sha256: str
    signature: str | None
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    states: tuple[StateInfo, ...]
    parity_tolerance: float


@dataclass(frozen=True)
class ModelFile:
    """One model file of an artifact: the same trained model in one format.

    parity_tolerance: max|a - b| / max(1, max|b|) of its answers to the reference's may not exceed it.
    rejection_threshold: an answer whose largest probability is below it is none of the classes; None without.
    step: its streaming form; None where there is none, and then `step_reason` says why.
    """

    format: str
    path: Path
    bytes: int
    sha256: str
    weight_bytes: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    batch: bool
    causal: bool
    parity_tolerance: float
    rejection_threshold: float | None = None
    step: StepFile | None = None
    step_reason: str | None = None


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest, of a version this code knows; DataError otherwise."""
    if path.stat().st_size > MANIFEST_BYTES_MAX:
        raise DataError(f"{path}: larger than {MANIFEST_BYTES_MAX} bytes; export the artifact again")
    try:
        manifest = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); export the artifact again") from error
    if not isinstance(manifest, dict):
        raise DataError(f"{path}: holds no JSON object; export the artifact again")
    version = manifest.get("manifest_version")
    if version != MANIFEST_VERSION or isinstance(version, bool):
        raise DataError(
            f"{path}: manifest version {version!r} is not known, this edgeseq reads version "
            f"{MANIFEST_VERSION}; use the edgeseq that wrote it or export again"
        )
    return manifest


def models(
    path: Path, manifest: dict[str, Any], sums: dict[str, str], only: str | None = None
) -> tuple[ModelFile, ...]:
    """Every model entry, or that of the format `only`. sums: the hash of every file, already verified.

    A form without a parity tolerance of its own, of an older artifact, has that of the whole artifact.
    DataError names the entry.
    """
    where = str(path / MANIFEST_FILE)
    of_all = _tolerance(get(manifest, "parity", dict, where), "tolerance", f"{where}: parity")
    entries = {f"{where}: models[{i}]": entry for i, entry in enumerate(get(manifest, "models", list, where))}
    formats = [_format(entry, place) for place, entry in entries.items()]
    if not formats or len(set(formats)) != len(formats):
        raise DataError(f"{where}: models must name each format once, at least one; found {formats}")
    if only is not None and only not in formats:
        raise DataError(f"{path}: no {only} model in this artifact; it has: {', '.join(formats)}")
    return tuple(
        _model(path, entry, sums, place, of_all)
        for place, entry in entries.items()
        if only in (None, entry["format"])
    )


def _format(entry: Any, where: str) -> str:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: no JSON object; export the artifact again")
    model_format = get(entry, "format", str, where)
    if model_format not in FORMATS:
        raise DataError(f"{where}: unknown format {model_format!r}; known: {', '.join(FORMATS)}")
    return model_format


def _model(
    path: Path, entry: dict[str, Any], sums: dict[str, str], where: str, tolerance: float
) -> ModelFile:
    name = listed_name(get(entry, "file", str, where), sums, where)
    if not (path / name).is_file():
        raise DataError(f"{path / name}: listed in {SUMS_FILE} but missing; export the artifact again")
    step, step_reason = _step(path, entry, sums, where, tolerance)
    return ModelFile(
        format=entry["format"],
        path=path / name,
        bytes=(path / name).stat().st_size,
        sha256=sums[name],
        weight_bytes=get(entry, "weight_bytes", int, where),
        inputs=_tensors(entry, "inputs", where),
        outputs=_tensors(entry, "outputs", where),
        batch=get(entry, "batch", bool, where),
        causal=get(entry, "causal", bool, where),
        parity_tolerance=_tolerance(entry, "parity_tolerance", where, tolerance),
        rejection_threshold=_threshold(entry, where),
        step=step,
        step_reason=step_reason,
    )


def _step(
    path: Path, model: dict[str, Any], sums: dict[str, str], where: str, tolerance: float
) -> tuple[StepFile | None, str | None]:
    """The step form of a model entry, or why there is none. Its file may have been left off a board."""
    if "step" not in model:
        return None, "exported by an edgeseq that knew no step form"
    if model["step"] is None:
        return None, get(model, "step_reason", str, where)
    entry, where = get(model, "step", dict, where), f"{where}: step"
    name = listed_name(get(entry, "file", str, where), sums, where)
    if not (path / name).is_file():
        return None, f"{name} is not deployed"
    step = StepFile(
        path=path / name,
        bytes=(path / name).stat().st_size,
        sha256=sums[name],
        signature=None if entry.get("signature") is None else get(entry, "signature", str, where),
        inputs=_tensors(entry, "inputs", where),
        outputs=_tensors(entry, "outputs", where),
        states=tuple(
            _state(each, f"{where}: states[{index}]")
            for index, each in enumerate(get(entry, "states", list, where))
        ),
        parity_tolerance=_tolerance(entry, "parity_tolerance", where, tolerance),
    )
    return step, None


def _state(entry: Any, where: str) -> StateInfo:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: no JSON object; export the artifact again")
    shape, initial = get(entry, "shape", list, where), entry.get("initial")
    if not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in shape):
        raise DataError(f"{where}: shape is {shape}, must be sizes of at least 1; export the artifact again")
    if isinstance(initial, bool) or not isinstance(initial, (int, float)):
        raise DataError(f"{where}: initial is {initial!r}, not a number; export the artifact again")
    return StateInfo(get(entry, "name", str, where), tuple(shape), float(initial))


def _tensors(entry: dict[str, Any], key: str, where: str) -> tuple[TensorInfo, ...]:
    tensors = []
    for index, tensor in enumerate(get(entry, key, list, where)):
        place = f"{where}: {key}[{index}]"
        if not isinstance(tensor, dict):
            raise DataError(f"{place}: no JSON object; export the artifact again")
        tensors.append(
            TensorInfo(
                name=get(tensor, "name", str, place),
                dtype=get(tensor, "dtype", str, place),
                shape=tuple(get(tensor, "shape", list, place)),
                unit=get(tensor, "unit", str, place),
            )
        )
    if not tensors:
        raise DataError(f"{where}: {key} is empty; export the artifact again")
    return tuple(tensors)


def plain_name(name: str, where: str) -> str:
    """`name` if it names a file in the folder itself, never a path out of it."""
    if "/" in name or "\\" in name or "\0" in name or name in ("", ".", ".."):
        raise DataError(f"{where}: {name!r} is not a plain file name; refused")
    return name


def listed_name(name: str, sums: dict[str, str], where: str) -> str:
    """`name` if it is a plain file name that SHA256SUMS lists."""
    plain_name(name, where)
    if name not in sums:
        raise DataError(f"{where}: {name} is not listed in {SUMS_FILE}; export the artifact again")
    return name


def get(entry: dict[str, Any], key: str, kind: type[_T], where: str) -> _T:
    """entry[key], of that type; DataError names the field."""
    value = entry.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        found = "missing" if key not in entry else f"{type(value).__name__}, not {kind.__name__}"
        raise DataError(f"{where}: {key} is {found}; export the artifact again")
    return value


def positive(entry: dict[str, Any], key: str, where: str) -> int:
    """entry[key], a whole number of at least 1."""
    value = get(entry, key, int, where)
    if value < 1:
        raise DataError(f"{where}: {key} is {value}, must be at least 1; export the artifact again")
    return value


def _tolerance(entry: dict[str, Any], key: str, where: str, default: float | None = None) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise DataError(f"{where}: {key} is {value!r}, must be in (0, 1); export the artifact again")
    return float(value)


def _threshold(entry: dict[str, Any], where: str) -> float | None:
    value = entry.get("rejection_threshold")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise DataError(f"{where}: rejection_threshold is {value!r}, must be in [0, 1]; export it again")
    return float(value)
