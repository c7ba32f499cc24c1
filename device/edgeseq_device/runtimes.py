"""ONNX Runtime and LiteRT behind one `load()` and `run()`. A runtime is imported when a model asks for it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Union

import numpy as np
import numpy.typing as npt

from edgeseq_device import manifest
from edgeseq_device.errors import DataError, DeviceError
from edgeseq_device.refusals import (
    check_batch,
    check_carries,
    check_features,
    check_frames,
    features_dtype,
    refused,
)

if TYPE_CHECKING:
    from edgeseq_device.stepping import LoadedStep, State

FloatArray = npt.NDArray[np.float32]
Features = Union[FloatArray, npt.NDArray[np.int32]]
"""[T, F]: float32 readings, or int32 ids of tokens for a model of text."""

SIGNATURE, STEP_SIGNATURE = "serving_default", "step"
FEATURES, LENGTHS, LOGITS, NEXT = manifest.FEATURES, "lengths", manifest.LOGITS, ".next"
"""The names of an edgeseq model's inputs and output; a step gives a state back under its name with NEXT."""
ONNX_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32"}
_QUIET_FROM = 3  # ONNX Runtime's severity "error": warnings about a board's missing GPU are noise


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
    return str(_runtime(model_format).version)


def load(path: str | Path, model_format: str, threads: int = 1) -> LoadedModel:
    """Load a model file for `threads` threads. DataError when the runtime refuses the file.

    model_format: "onnx" or "tflite". The file must come from a verified artifact.
    """
    return _runtime(model_format).load(str(path), threads)  # type: ignore[no-any-return]


def load_profiled(
    path: str | Path, prefix: str | Path, threads: int = 1
) -> tuple[LoadedModel, Callable[[], str]]:
    """An ONNX model of whose operators ONNX Runtime keeps the times; the second, called once, writes them to
    a file whose name begins with `prefix` and returns that name."""
    return _OnnxRuntime().load_profiled(str(path), str(prefix), threads)


def load_step(path: str | Path, model_format: str, states: Sequence[State], threads: int = 1) -> LoadedStep:
    """Load a model's step form for `threads` threads, before its first frame.

    path, states: as the manifest names them (`ModelFile.step`). DataError when the runtime refuses the file
    or it is no step form with these states.
    """
    return _runtime(model_format).load_step(str(path), threads, states)  # type: ignore[no-any-return]


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
        return _OnnxModel(path, self._session(path, threads), self.version, self._settings(threads))

    def load_profiled(self, path: str, prefix: str, threads: int) -> tuple[_OnnxModel, Callable[[], str]]:
        session = self._session(path, threads, prefix)
        return _OnnxModel(path, session, self.version, self._settings(threads)), session.end_profiling

    def load_step(self, path: str, threads: int, states: Sequence[State]) -> LoadedStep:
        from edgeseq_device.stepping import LoadedStep, onnx_graph  # noqa: PLC0415 - only who streams pays

        graph = onnx_graph(self._session(path, threads), path, states)
        return LoadedStep(path, self.version, self._settings(threads), states, graph)

    def _settings(self, threads: int) -> dict[str, Any]:
        return {
            "threads": threads,
            "execution": "sequential",
            "allow_spinning": False,
            "arena": False,
            "x64quantprecision": not has_vnni(),
        }

    def _session(self, path: str, threads: int, profile: str | None = None) -> Any:
        ort = self.library
        options = ort.SessionOptions()
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET_FROM
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        # an x86 without VNNI saturates int8 sums; one with it does not, and would lose a third of its speed
        options.add_session_config_entry("session.x64quantprecision", "0" if has_vnni() else "1")
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = profile
        try:
            return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise refused(path, self.version, error) from error


class _OnnxModel:
    def __init__(self, path: str, session: Any, version: str, settings: dict[str, Any]) -> None:
        self.version = version
        self.settings = settings
        self._path = path
        self._session = session
        inputs = {each.name: each for each in session.get_inputs()}
        shapes = {name: each.shape for name, each in inputs.items()}
        outputs = {each.name: each.shape for each in session.get_outputs()}
        fits = set(shapes) - {LENGTHS} == {FEATURES} and len(shapes[FEATURES]) == 3 and _are_outputs(outputs)
        sizes = [size for name in outputs for size in outputs[name][-1 if name == LOGITS else 0 :]]
        if not fits or not all(isinstance(size, int) for size in sizes):
            raise DataError(f"{path}: inputs {shapes}, outputs {outputs} are not an edgeseq model's")
        self.features_count = int(shapes[FEATURES][2])
        self.dtype = features_dtype(path, ONNX_TYPES.get(inputs[FEATURES].type, inputs[FEATURES].type))
        self.frames = _fixed(shapes[FEATURES][1])
        self._takes_lengths = LENGTHS in shapes
        self._binding = session.io_binding()
        self._features = np.zeros((0, self.features_count), self.dtype)
        self._lengths = np.zeros(1, np.int32)
        self._logits = np.zeros(outputs[LOGITS][-1], np.float32)
        self._bind("output", LOGITS, self._logits[None])
        self._states = {name: np.zeros(outputs[name], np.float32) for name in outputs if name != LOGITS}
        for name, values in self._states.items():
            self._bind("output", name, values)
        if self._takes_lengths:
            self._bind("input", LENGTHS, self._lengths)

    def run(self, features: Features) -> FloatArray:
        """features: [T, F] -> logits [C]; through arrays that are bound anew only when T changes.

        `session.run` costs 25,000 instructions more: 2 % of a GRU-64 over 100 frames.
        """
        check_features(self._path, features, self.features_count, self.dtype)
        try:
            if len(features) != len(self._features):
                check_frames(self._path, len(features), self.frames)
                self._features = np.zeros(features.shape, self.dtype)
                self._bind("input", FEATURES, self._features[None])
                self._lengths[0] = len(features)
            np.copyto(self._features, features, casting="equiv")
            self._session.run_with_iobinding(self._binding)
        except DataError:
            raise
        except Exception as error:
            raise refused(self._path, self.version, error) from error
        return self._logits.copy()

    def prefill(self, features: Features) -> tuple[FloatArray, dict[str, FloatArray]]:
        """features: [T, F] -> logits [C], state by name."""
        check_carries(self._path, self._states)
        logits = self.run(features)
        return logits, {_before(name): values.copy() for name, values in self._states.items()}

    def _bind(self, side: str, name: str, values: npt.NDArray[Any]) -> None:
        """Let the runtime read or write `values` where they are; they must live as long as the binding."""
        bind = getattr(self._binding, f"bind_{side}")
        bind(name, "cpu", 0, values.dtype.type, values.shape, values.ctypes.data)

    def run_batch(self, batch: Sequence[Features]) -> FloatArray:
        """[T_i, F] each -> [B, C]; one call, padded, where the model takes lengths."""
        check_batch(self._path, batch)
        if not self._takes_lengths:
            return np.stack([self.run(each) for each in batch])
        for each in batch:
            check_features(self._path, each, self.features_count, self.dtype)
        lengths = np.array([len(each) for each in batch], np.int32)
        padded = np.zeros((len(batch), int(lengths.max()), self.features_count), self.dtype)
        try:
            for row, each in zip(padded, batch):
                np.copyto(row[: len(each)], each, casting="equiv")
            logits: FloatArray = self._session.run(None, {FEATURES: padded, LENGTHS: lengths})[0]
        except Exception as error:
            raise refused(self._path, self.version, error) from error
        return logits


class _LiteRT:
    def __init__(self) -> None:
        found = [each for each in manifest.RUNTIMES["tflite"] if importlib.util.find_spec(each)]
        module = (found or ["ai_edge_litert"])[0]
        package = module.replace("_", "-")
        self.version = f"{package} {_import(module, package).__version__}"
        self.interpreter = _import(f"{module}.interpreter", package).Interpreter

    def load(self, path: str, threads: int) -> _LiteRTModel:
        try:
            interpreter = self.interpreter(model_path=path, num_threads=threads)
            interpreter.allocate_tensors()
        except Exception as error:
            raise refused(path, self.version, error) from error
        return _LiteRTModel(path, interpreter, self.version, self._settings(threads))

    def load_step(self, path: str, threads: int, states: Sequence[State]) -> LoadedStep:
        from edgeseq_device.stepping import LoadedStep, litert_graph  # noqa: PLC0415 - only who streams pays

        try:
            graph = litert_graph(self.interpreter(model_path=path, num_threads=threads), path, states)
        except DataError:
            raise
        except Exception as error:
            raise refused(path, self.version, error) from error
        return LoadedStep(path, self.version, self._settings(threads), states, graph)

    def _settings(self, threads: int) -> dict[str, Any]:
        return {"threads": threads, "delegate": "the runtime's default (XNNPACK)"}


class _LiteRTModel:
    def __init__(self, path: str, interpreter: Any, version: str, settings: dict[str, Any]) -> None:
        self.version = version
        self.settings = settings
        self._path = path
        self._interpreter = interpreter
        signature = interpreter.get_signature_list().get(SIGNATURE)
        if signature is None or signature["inputs"] != [FEATURES] or not _are_outputs(signature["outputs"]):
            raise DataError(f"{path}: signature {SIGNATURE!r} is {signature}; not an edgeseq model")
        # A runner shares the interpreter's inside, which then refuses a resize: read its details, let it go.
        runner = interpreter.get_signature_runner(SIGNATURE)
        self._input = int(runner.get_input_details()[FEATURES]["index"])
        self._outputs = {name: int(each["index"]) for name, each in runner.get_output_details().items()}
        self._output = self._outputs.pop(LOGITS)
        del runner
        details = interpreter.get_input_details()
        if [each["index"] for each in details] != [self._input]:
            raise DataError(f"{path}: signature {SIGNATURE!r} is not the first graph; not an edgeseq model")
        self.features_count = int(details[0]["shape"][2])
        self.dtype = features_dtype(path, np.dtype(details[0]["dtype"]).name)
        self.frames = _fixed(int(details[0]["shape_signature"][1]))
        self._frames = int(details[0]["shape"][1])

    def run(self, features: Features) -> FloatArray:
        """features: [T, F] -> logits [C]; memory is planned anew only when T changes."""
        interpreter = self._interpreter
        check_features(self._path, features, self.features_count, self.dtype)
        try:
            if len(features) != self._frames:
                check_frames(self._path, len(features), self.frames)
                interpreter.resize_tensor_input(self._input, [1, *features.shape])
                interpreter.allocate_tensors()
                self._frames = len(features)
            interpreter.set_tensor(self._input, features[None])
            interpreter.invoke()
            logits: FloatArray = interpreter.get_tensor(self._output)[0]
        except DataError:
            raise
        except Exception as error:
            raise refused(self._path, self.version, error) from error
        return logits

    def prefill(self, features: Features) -> tuple[FloatArray, dict[str, FloatArray]]:
        """features: [T, F] -> logits [C], state by name."""
        check_carries(self._path, self._outputs)
        logits, tensor = self.run(features), self._interpreter.get_tensor
        return logits, {_before(name): tensor(index) for name, index in self._outputs.items()}

    def run_batch(self, batch: Sequence[Features]) -> FloatArray:
        """[T_i, F] each -> [B, C], one after the other: this form has batch 1."""
        check_batch(self._path, batch)
        return np.stack([self.run(each) for each in batch])


def _fixed(size: object) -> int | None:
    """A dimension of a file: a number, or -1 or a name where it varies."""
    return size if isinstance(size, int) and size > 0 else None


def _are_outputs(names: Collection[str]) -> bool:
    """Logits, and maybe states."""
    others = [name for name in names if name != LOGITS]
    return LOGITS in names and all(name.endswith(NEXT) for name in others)


def _before(name: str) -> str:
    """The name under which a step takes the state that is called `name` behind it."""
    return name[: -len(NEXT)]


@lru_cache
def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this is an x86 processor that sums products of uint8 and int8 in 32 bits."""
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as stream:
            return "vnni" in stream.read(8192)  # the first core's flags; all of 128 cores takes milliseconds
    except OSError:
        return False


def _import(module: str, package: str) -> Any:
    """The module; DeviceError when it is there but broken or not there, naming the package to install."""
    try:
        __import__(module)
    except (ImportError, OSError) as error:  # OSError: its own library does not load on this system
        advice = f"run: {sys.executable} -m pip install {package}"
        raise DeviceError(f"{package} does not load ({error}); {advice}") from error
    return sys.modules[module]
