"""LiteRT, or tflite-runtime where a board has that: imported when the first TFLite model is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeseq_device import manifest
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
    LOGITS,
    SIGNATURE,
    Features,
    FloatArray,
    are_model_outputs,
    fixed_size,
    state_before,
)

if TYPE_CHECKING:
    from edgeseq_device.stepping import LoadedStep, State


class LiteRT:
    """The library, imported: DeviceError where it does not load."""

    def __init__(self) -> None:
        found = [each for each in manifest.RUNTIMES["tflite"] if importlib.util.find_spec(each)]
        module = (found or ["ai_edge_litert"])[0]
        package = module.replace("_", "-")
        try:
            self.version = f"{package} {importlib.import_module(module).__version__}"
            self.interpreter: Any = importlib.import_module(f"{module}.interpreter").Interpreter
        except (ImportError, OSError) as error:
            from edgeseq_device.runtimes.loading import does_not_load  # noqa: PLC0415 - only who needs it pays

            raise does_not_load(package, error) from error

    def load(self, path: str, threads: int) -> LiteRTModel:
        try:
            interpreter = self.interpreter(model_path=path, num_threads=threads)
            interpreter.allocate_tensors()
        except Exception as error:
            raise refused(path, self.version, error) from error
        return LiteRTModel(path, interpreter, self.version, self._settings(threads))

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


class LiteRTModel:
    """A LoadedModel."""

    def __init__(self, path: str, interpreter: Any, version: str, settings: dict[str, Any]) -> None:
        self.version = version
        self.settings = settings
        self._path = path
        self._interpreter = interpreter
        signature = interpreter.get_signature_list().get(SIGNATURE)
        if (
            signature is None
            or signature["inputs"] != [FEATURES]
            or not are_model_outputs(signature["outputs"])
        ):
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
        self.frames = fixed_size(int(details[0]["shape_signature"][1]))
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
        return logits, {state_before(name): tensor(index) for name, index in self._outputs.items()}

    def run_batch(self, batch: Sequence[Features]) -> FloatArray:
        """[T_i, F] each -> [B, C], one after the other: this form has batch 1."""
        check_batch(self._path, batch)
        return np.stack([self.run(each) for each in batch])
