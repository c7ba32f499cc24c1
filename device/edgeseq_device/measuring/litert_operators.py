"""The times of a model's operators in LiteRT, from its library's own profiler.

The Python package has no way to ask for them. Its libLiteRt.so has one: the C interface of a compiled model,
which runs the same kernels. It is called with ctypes; its types are those of litert/c in LiteRT 2.1.6 to 2.3.
XNNPACK cuts each of its times to whole microseconds; the interpreter takes the difference of two clock
readings in whole microseconds, whose mean is right.
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import Structure, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseq_device.errors import DeviceError
from edgeseq_device.tensors import SIGNATURE, Features

XNNPACK = "XNNPACK "
"""Before the name of an operator that XNNPACK runs; one without it is LiteRT's own."""
OLDEST = (2, 1, 6)
"""Before it, the C interface had other arguments."""
_CPU, _HOST_ALIGNMENT, _LOGGER_SEVERITY, _INTEGER, _ERROR = 1, 64, 25, 2, 3
_OWN_OPERATOR, _DELEGATE_OPERATOR = 2, 8
"""Types of events; others are of the runtime around the operators."""


class _Layout(Structure):
    _fields_ = (("rank", c_uint32), ("dimensions", c_int32 * 8), ("strides", c_uint32 * 8))


class _TensorType(Structure):
    _fields_ = (("element", c_int32), ("layout", _Layout))


class _Value(Structure):
    _fields_ = (("type", c_int32), ("integer", c_int64))


class _EnvironmentOption(Structure):
    _fields_ = (("tag", c_int32), ("value", _Value))


class _Event(Structure):
    _fields_ = (
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_size_t * 6),
        ("metadata", c_uint64 * 2),
        ("source", c_int),
    )


class ProfiledModel:
    """A .tflite model that tells the time of each operator of a run on `features` [T, F].

    DeviceError, with the reason, where this LiteRT has no such profiler.
    """

    def __init__(self, path: str, features: Features, threads: int = 1) -> None:
        self._library = _library()
        self._owned: list[tuple[str, c_void_p]] = []
        try:
            self._open(path, threads)
            self._bind(features)
        except BaseException:
            self.close()
            raise

    def run(self) -> list[tuple[str, int]]:
        """One inference: every operator that ran, in order, with its time in us."""
        self._call("StartProfiler", self._profiler)
        one = c_size_t(1)
        self._call("RunCompiledModel", self._model, self._signature, one, self._inputs, one, self._outputs)
        self._call("StopProfiler", self._profiler)
        count = c_int()
        self._call("GetNumProfilerEvents", self._profiler, byref(count))
        events = (_Event * count.value)()
        self._call("GetProfilerEvents", self._profiler, count, events)
        told = [
            (XNNPACK * (event.type == _DELEGATE_OPERATOR) + event.tag.decode(), int(event.elapsed_us))
            for event in events
            if event.type in (_OWN_OPERATOR, _DELEGATE_OPERATOR)
        ]
        self._call("ResetProfiler", self._profiler)
        return told

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """[C] float32: the answer of the last run."""
        logits: npt.NDArray[np.float32] = self._logits[0]
        return logits

    def close(self) -> None:
        """Free what the library holds; the model is of no use afterwards."""
        while self._owned:
            kind, handle = self._owned.pop()
            destroy = getattr(self._library, f"LiteRtDestroy{kind}")
            destroy.restype = None
            destroy(handle)

    def __enter__(self) -> ProfiledModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, path: str, threads: int) -> None:
        quiet = (_EnvironmentOption * 1)(_EnvironmentOption(_LOGGER_SEVERITY, _Value(_INTEGER, _ERROR)))
        environment = self._make("Environment", "CreateEnvironment", 1, quiet)
        self._file = self._make("Model", "CreateModelFromFile", environment, path.encode())
        options = self._make("Options", "CreateOptions")
        self._call("SetOptionsHardwareAccelerators", options, _CPU)
        self._add(options, b"xnnpack", b"num_threads = %d\n" % threads)
        self._add(options, b"runtime_options_string", b"enable_profiling = true\n")
        self._model = self._make("CompiledModel", "CreateCompiledModel", environment, self._file, options)
        self._profiler = c_void_p()
        self._call("CompiledModelGetProfiler", self._model, byref(self._profiler))
        self._signature = c_size_t(self._signature_index())

    def _add(self, options: c_void_p, name: bytes, content: bytes) -> None:
        """Add named options; the library frees their content with C's free, so it must be from C's malloc."""
        libc = ctypes.CDLL(None)
        libc.strdup.restype, libc.strdup.argtypes = c_void_p, (c_char_p,)
        opaque = c_void_p()
        payload = c_void_p(libc.strdup(content))
        self._call("CreateOpaqueOptions", name, payload, libc.free, byref(opaque))
        self._call("AddOpaqueOptions", options, opaque)

    def _signature_index(self) -> int:
        count, name = c_size_t(), c_char_p()
        self._call("GetNumModelSignatures", self._file, byref(count))
        for index in range(count.value):
            signature = c_void_p()
            self._call("GetModelSignature", self._file, c_size_t(index), byref(signature))
            self._call("GetSignatureKey", signature, byref(name))
            if name.value == SIGNATURE.encode():
                self._in_signature = signature
                return index
        raise DeviceError(f"the model has no signature {SIGNATURE!r}")

    def _bind(self, features: Features) -> None:
        """Give the library its input, [1, T, F], and the place of its answer, [1, C]."""
        shape = (1, *features.shape)
        dimensions, rank = (c_int * len(shape))(*shape), c_size_t(len(shape))
        self._call(
            "CompiledModelResizeInputTensor", self._model, self._signature, c_size_t(0), dimensions, rank
        )
        self._input, place = self._buffer("Input", features.dtype, shape)
        self._input[0] = features
        self._inputs = (c_void_p * 1)(place)
        self._logits, place = self._buffer("Output", np.dtype(np.float32), None)
        self._outputs = (c_void_p * 1)(place)

    def _buffer(
        self, side: str, dtype: np.dtype[Any], shape: tuple[int, ...] | None
    ) -> tuple[npt.NDArray[Any], c_void_p]:
        """Memory of `shape` (None: as the model says) that the library reads or writes, and its handle."""
        tensor, kind = c_void_p(), _TensorType()
        self._call(f"GetSignature{side}TensorByIndex", self._in_signature, c_size_t(0), byref(tensor))
        self._call("GetRankedTensorType", tensor, byref(kind))
        if shape is None:
            shape = tuple(kind.layout.dimensions[: kind.layout.rank & 0x7F])
        for axis, size in enumerate(shape):
            kind.layout.dimensions[axis] = size
        values = _aligned(shape, dtype)
        address, size_bytes = c_void_p(values.ctypes.data), c_size_t(values.nbytes)
        create = "CreateTensorBufferFromHostMemory"
        return values, self._make("TensorBuffer", create, byref(kind), address, size_bytes, None)

    def _make(self, kind: str, name: str, *arguments: Any) -> c_void_p:
        """A new handle, the last argument of the library's function `name`."""
        handle = c_void_p()
        self._call(name, *arguments, byref(handle))
        self._owned.append((kind, handle))
        return handle

    def _call(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, f"LiteRt{name}", None)
        if function is None:
            raise DeviceError(f"this LiteRT's library has no LiteRt{name}")
        status = function(*arguments)
        if status:
            raise DeviceError(f"this LiteRT's LiteRt{name} failed with status {status}")


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Zeros at an address that LiteRT takes; it may read up to the next multiple of the alignment."""
    size = int(np.prod(shape)) * dtype.itemsize
    room = np.zeros(size + 2 * _HOST_ALIGNMENT, np.uint8)
    begin = -room.ctypes.data % _HOST_ALIGNMENT
    return room[begin : begin + size].view(dtype).reshape(shape)


def _library() -> ctypes.CDLL:
    """libLiteRt.so beside the Python package; DeviceError where it is missing or too old."""
    found = importlib.util.find_spec("ai_edge_litert")
    if found is None or not found.submodule_search_locations:
        raise DeviceError("tflite-runtime tells nothing of its operators")
    import ai_edge_litert  # noqa: PLC0415 - only where it is

    version = str(ai_edge_litert.__version__)
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise DeviceError(f"ai-edge-litert {version} tells nothing of its operators; {oldest} and later do")
    path = Path(found.submodule_search_locations[0]) / "libLiteRt.so"
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise DeviceError(f"{path} does not load: {error}") from error
