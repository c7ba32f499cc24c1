"""ONNX Runtime: it is imported when the first ONNX model is loaded."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeseq_device.errors import DataError
from edgeseq_device.refusals import (
    check_batch,
    check_carries,
    check_features,
    check_frames,
    features_dtype,
    refused,
)
from edgeseq_device.tensors import (
    FEATURES,
    LENGTHS,
    LOGITS,
    ONNX_TYPES,
    Features,
    FloatArray,
    are_model_outputs,
    fixed_size,
    state_before,
)

if TYPE_CHECKING:
    from edgeseq_device.stepping import LoadedStep, State

_QUIET_FROM = 3  # ONNX Runtime's severity "error": warnings about a board's missing GPU are noise


class OnnxRuntime:
    """The library, imported: DeviceError where it does not load."""

    def __init__(self) -> None:
        # Its Linux wheels since 1.29 report what they run to their maker; nothing here leaves the machine.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        try:
            self.library: Any = importlib.import_module("onnxruntime")
        except (ImportError, OSError) as error:
            from edgeseq_device.runtimes.loading import does_not_load  # noqa: PLC0415 - only who needs it pays

            raise does_not_load("onnxruntime", error) from error
        self.library.set_default_logger_severity(_QUIET_FROM)
        self.version = f"onnxruntime {self.library.__version__}"

    def load(self, path: str, threads: int) -> OnnxModel:
        return OnnxModel(path, self._session(path, threads), self.version, self._settings(threads))

    def load_profiled(self, path: str, prefix: str, threads: int) -> tuple[OnnxModel, Callable[[], str]]:
        session = self._session(path, threads, prefix)
        return OnnxModel(path, session, self.version, self._settings(threads)), session.end_profiling

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


class OnnxModel:
    """A LoadedModel."""

    def __init__(self, path: str, session: Any, version: str, settings: dict[str, Any]) -> None:
        self.version = version
        self.settings = settings
        self._path = path
        self._session = session
        inputs = {each.name: each for each in session.get_inputs()}
        shapes = {name: each.shape for name, each in inputs.items()}
        outputs = {each.name: each.shape for each in session.get_outputs()}
        fits = (
            set(shapes) - {LENGTHS} == {FEATURES}
            and len(shapes[FEATURES]) == 3
            and are_model_outputs(outputs)
        )
        sizes = [size for name in outputs for size in outputs[name][-1 if name == LOGITS else 0 :]]
        if not fits or not all(isinstance(size, int) for size in sizes):
            raise DataError(f"{path}: inputs {shapes}, outputs {outputs} are not an edgeseq model's")
        self.features_count = int(shapes[FEATURES][2])
        self.dtype = features_dtype(path, ONNX_TYPES.get(inputs[FEATURES].type, inputs[FEATURES].type))
        self.frames = fixed_size(shapes[FEATURES][1])
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
        return logits, {state_before(name): values.copy() for name, values in self._states.items()}

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


@lru_cache
def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this is an x86 processor that sums products of uint8 and int8 in 32 bits."""
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as stream:
            return "vnni" in stream.read(8192)  # the first core's flags; all of 128 cores takes milliseconds
    except OSError:
        return False
