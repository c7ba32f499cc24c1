"""ONNX Runtime and LiteRT behind one `load()` and `run()`.

Only what a model asks for is imported, even of our own modules: the RAM of workers, which import this, is
measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edgeseq_device.errors import DataError
from edgeseq_device.tensors import Features, FloatArray

if TYPE_CHECKING:
    from edgeseq_device.runtimes.litert import LiteRT
    from edgeseq_device.runtimes.onnx_runtime import OnnxRuntime
    from edgeseq_device.stepping import LoadedStep, State


class LoadedModel(Protocol):
    """A model in memory, ready to answer."""

    version: str
    """The runtime and its version, such as "onnxruntime 1.31.1"."""
    settings: dict[str, Any]
    """What the runtime was told beside its defaults, JSON-able."""
    features_count: int
    """F, the features of one frame."""
    dtype: np.dtype[Any]
    """Of the features: float32 readings, or int32 ids."""
    frames: int | None
    """T of every sequence, where the model takes no other; else None."""

    def run(self, features: Features) -> FloatArray:
        """features: [T, F] -> logits [C] float32, an array of the caller's own.

        DataError for another shape or type, NaN, infinity, a negative id or one that the model has no row of.
        """

    def prefill(self, features: Features) -> tuple[FloatArray, dict[str, FloatArray]]:
        """features: [T, F] -> logits [C], and the state behind the last frame, from which a step goes on.

        All arrays are the caller's own. DataError where the model gives no states, and as `run`.
        """

    def run_batch(self, batch: Sequence[Features]) -> FloatArray:
        """One sequence or more, [T_i, F] of any lengths -> logits [len(batch), C] float32."""


def import_runtime(model_format: str) -> str:
    """Import the runtime of `model_format` ("onnx" or "tflite") and return its name and version.

    DeviceError when it is not installed or does not load here.
    """
    return _runtime(model_format).version


def load(path: str | Path, model_format: str, threads: int = 1) -> LoadedModel:
    """Load a model file for `threads` threads. DataError when the runtime refuses the file.

    model_format: "onnx" or "tflite". The file must come from a verified artifact.
    """
    return _runtime(model_format).load(str(path), threads)


def load_profiled(
    path: str | Path, prefix: str | Path, threads: int = 1
) -> tuple[LoadedModel, Callable[[], str]]:
    """An ONNX model of whose operators ONNX Runtime keeps the times; the second, called once, writes them to
    a file whose name begins with `prefix` and returns that name."""
    from edgeseq_device.runtimes.onnx_runtime import OnnxRuntime  # noqa: PLC0415

    return OnnxRuntime().load_profiled(str(path), str(prefix), threads)


def load_step(path: str | Path, model_format: str, states: Sequence[State], threads: int = 1) -> LoadedStep:
    """Load a model's step form for `threads` threads, before its first frame.

    path, states: as the manifest names them (`ModelFile.step`). DataError when the runtime refuses the file
    or it is no step form with these states.
    """
    return _runtime(model_format).load_step(str(path), threads, states)


def prepare(model_format: str) -> None:
    """Import this package's part of a runtime, but not the runtime, whose import is to be measured."""
    _class_of(model_format)


def _runtime(model_format: str) -> OnnxRuntime | LiteRT:
    return _class_of(model_format)()


def _class_of(model_format: str) -> type[OnnxRuntime] | type[LiteRT]:
    if model_format == "onnx":
        from edgeseq_device.runtimes.onnx_runtime import OnnxRuntime  # noqa: PLC0415

        return OnnxRuntime
    if model_format == "tflite":
        from edgeseq_device.runtimes.litert import LiteRT  # noqa: PLC0415

        return LiteRT
    raise DataError(f"unknown model format {model_format!r}; known: onnx, tflite")
