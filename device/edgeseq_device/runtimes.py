"""ONNX Runtime and LiteRT behind one `load()` and `run()`. A runtime is imported when a model asks for it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgeseq_device.errors import DataError, DeviceError

FloatArray = npt.NDArray[np.float32]

SIGNATURE = "serving_default"
FEATURES, LENGTHS, LOGITS = "features", "lengths", "logits"
"""The names of an edgeseq model's inputs and output; the writers take them from here."""
_QUIET_FROM = 3  # ONNX Runtime's severity "error": warnings about a board's missing GPU are noise


class LoadedModel(Protocol):
    """A model in memory, ready to answer."""

    version: str
    """The runtime and its version, such as "onnxruntime 1.31.1"."""
    settings: dict[str, Any]
    """What the runtime was told beside its defaults, JSON-able."""
    features_count: int
    """F, the features of one frame."""

    def run(self, features: FloatArray) -> FloatArray:
        """features: [T, F] float32 -> logits [C] float32, an array of the caller's own."""

    def run_batch(self, batch: Sequence[FloatArray]) -> FloatArray:
        """Sequences [T_i, F] float32 of any lengths -> logits [len(batch), C] float32."""


def import_runtime(model_format: str) -> str:
    """Import the runtime of `model_format` ("onnx" or "tflite") and return its name and version.

    DeviceError when it is not installed or does not load here.
    """
    return str(_runtime(model_format).version)


def load(path: str | Path, model_format: str, threads: int = 1) -> LoadedModel:
    """Load a model file for `threads` threads. DataError when the runtime refuses the file.

    model_format: "onnx" or "tflite". The file must come from a verified artifact.
    """
    return _runtime(model_format).load(str(path), threads)  # type: ignore[no-any-return]


def _runtime(model_format: str) -> Any:
    if model_format == "onnx":
        return _OnnxRuntime()
    if model_format == "tflite":
        return _LiteRT()
    raise DataError(f"unknown model format {model_format!r}; known: onnx, tflite")


class _OnnxRuntime:
    def __init__(self) -> None:
        # Its Linux wheels since 1.29 report what they run to their maker; nothing here leaves the machine.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        self.library = _import("onnxruntime", "onnxruntime")
        self.library.set_default_logger_severity(_QUIET_FROM)
        self.version = f"onnxruntime {self.library.__version__}"

    def load(self, path: str, threads: int) -> _OnnxModel:
        ort = self.library
        options = ort.SessionOptions()
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET_FROM
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        with _refusal(path, self.version):
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        settings = {"threads": threads, "execution": "sequential", "allow_spinning": False, "arena": False}
        return _OnnxModel(path, session, self.version, settings)


class _OnnxModel:
    def __init__(self, path: str, session: Any, version: str, settings: dict[str, Any]) -> None:
        self.version = version
        self.settings = settings
        self._path = path
        self._run = session.run
        shapes = {each.name: each.shape for each in session.get_inputs()}
        outputs = [each.name for each in session.get_outputs()]
        if set(shapes) - {LENGTHS} != {FEATURES} or len(shapes[FEATURES]) != 3 or outputs != [LOGITS]:
            raise DataError(f"{path}: inputs {sorted(shapes)}, outputs {outputs} are not an edgeseq model's")
        self.features_count = int(shapes[FEATURES][2])
        self._takes_lengths = LENGTHS in shapes

    def run(self, features: FloatArray) -> FloatArray:
        """features: [T, F] float32 -> logits [C]."""
        _check_shape(self._path, features, self.features_count)
        feed: dict[str, npt.NDArray[Any]] = {FEATURES: features[None]}
        if self._takes_lengths:
            feed[LENGTHS] = np.array([len(features)], np.int32)
        with _refusal(self._path, self.version):
            logits: FloatArray = self._run(None, feed)[0][0]
        return logits

    def run_batch(self, batch: Sequence[FloatArray]) -> FloatArray:
        """[T_i, F] each -> [B, C]; one call, padded, where the model takes lengths."""
        if not self._takes_lengths:
            return np.stack([self.run(each) for each in batch])
        for each in batch:
            _check_shape(self._path, each, self.features_count)
        lengths = np.array([len(each) for each in batch], np.int32)
        padded = np.zeros((len(batch), int(lengths.max()), self.features_count), np.float32)
        for row, each in zip(padded, batch):
            row[: len(each)] = each
        with _refusal(self._path, self.version):
            logits: FloatArray = self._run(None, {FEATURES: padded, LENGTHS: lengths})[0]
        return logits


class _LiteRT:
    def __init__(self) -> None:
        found = [each for each in ("ai_edge_litert", "tflite_runtime") if importlib.util.find_spec(each)]
        module = (found or ["ai_edge_litert"])[0]
        package = module.replace("_", "-")
        self.version = f"{package} {_import(module, package).__version__}"
        self.interpreter = _import(f"{module}.interpreter", package).Interpreter

    def load(self, path: str, threads: int) -> _LiteRTModel:
        with _refusal(path, self.version):
            interpreter = self.interpreter(model_path=path, num_threads=threads)
            interpreter.allocate_tensors()
        settings = {"threads": threads, "delegate": "the runtime's default (XNNPACK)"}
        return _LiteRTModel(path, interpreter, self.version, settings)


class _LiteRTModel:
    def __init__(self, path: str, interpreter: Any, version: str, settings: dict[str, Any]) -> None:
        self.version = version
        self.settings = settings
        self._path = path
        self._interpreter = interpreter
        signature = interpreter.get_signature_list().get(SIGNATURE)
        if signature != {"inputs": [FEATURES], "outputs": [LOGITS]}:
            raise DataError(f"{path}: signature {SIGNATURE!r} is {signature}; not an edgeseq model")
        # A runner shares the interpreter's inside, which then refuses a resize: read its details, let it go.
        runner = interpreter.get_signature_runner(SIGNATURE)
        self._input = int(runner.get_input_details()[FEATURES]["index"])
        self._output = int(runner.get_output_details()[LOGITS]["index"])
        del runner
        details = interpreter.get_input_details()
        if [each["index"] for each in details] != [self._input]:
            raise DataError(f"{path}: signature {SIGNATURE!r} is not the first graph; not an edgeseq model")
        self.features_count = int(details[0]["shape"][2])
        self._frames = int(details[0]["shape"][1])

    def run(self, features: FloatArray) -> FloatArray:
        """features: [T, F] float32 -> logits [C]; memory is planned anew only when T changes."""
        interpreter = self._interpreter
        _check_shape(self._path, features, self.features_count)
        with _refusal(self._path, self.version):
            if len(features) != self._frames:
                interpreter.resize_tensor_input(self._input, [1, *features.shape])
                interpreter.allocate_tensors()
                self._frames = len(features)
            interpreter.set_tensor(self._input, features[None])
            interpreter.invoke()
            logits: FloatArray = interpreter.get_tensor(self._output)[0]
        return logits

    def run_batch(self, batch: Sequence[FloatArray]) -> FloatArray:
        """[T_i, F] each -> [B, C], one after the other: this form has batch 1."""
        return np.stack([self.run(each) for each in batch])


def _check_shape(path: str, features: FloatArray, features_count: int) -> None:
    """LiteRT computes nonsense from a width it was not made for, without an error."""
    if features.shape[1:] != (features_count,) or not len(features):
        raise DataError(f"{path}: takes features [T >= 1, {features_count}], not {list(features.shape)}")


def _import(module: str, package: str) -> Any:
    """The module; DeviceError when it is there but broken or not there, naming the package to install."""
    try:
        __import__(module)
    except (ImportError, OSError) as error:  # OSError: its own library does not load on this system
        advice = f"run: {sys.executable} -m pip install {package}"
        raise DeviceError(f"{package} does not load ({error}); {advice}") from error
    return sys.modules[module]


class _refusal:  # noqa: N801 - reads as a `with` phrase; a generator would cost each inference
    """Turn what a runtime raises about a file into a DataError with its first line."""

    def __init__(self, path: str, version: str) -> None:
        self._path, self._version = path, version

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception):
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(f"{self._path}: refused by {self._version}: {reason}") from error
