"""The step form of a model: one frame at a time, the state kept from one call to the next.

What a call costs beyond the graph itself is Python's: the runtime's own tensors are looked at through views
that are taken once, so that a step copies a frame in, the states over and the logits out, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Protocol

import numpy as np
import numpy.typing as npt

from edgeseq_device.errors import DataError
from edgeseq_device.manifest import FEATURE_TYPES
from edgeseq_device.refusals import check_features, check_ids, refused
from edgeseq_device.tensors import (
    FEATURES,
    LOGITS,
    NEXT,
    ONNX_TYPES,
    STEP_SIGNATURE,
    Features,
    FloatArray,
)

_Tensor = tuple[Sequence[Any], str]
"""Shape and numpy's name of the type."""


class State(Protocol):
    """One tensor that a step takes under its name and gives back under its name with NEXT behind it."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def initial(self) -> float:
        """What it is full of before the first frame."""


@dataclass(frozen=True, eq=False)
class StepGraph:
    """A runtime's step graph, ready: `compute(argument)` reads frame and before, writes logits and after.

    frame: [F] float32 or int32; logits: [C]; before, after: the states in order, contiguous; all float32, and
    all memory that stays where it is.
    """

    frame: Features
    logits: FloatArray
    before: tuple[FloatArray, ...]
    after: tuple[FloatArray, ...]
    compute: Callable[[Any], object]
    argument: Any


class LoadedStep:
    """A step form in memory with the state of one stream; a second stream takes a second one.

    version, settings: the runtime's, as of a LoadedModel. features_count: F; dtype: of the frames.
    """

    step: Callable[[Features], FloatArray]
    """frame: [F] float32, or int32 ids -> logits [C] float32, an array of the caller's own, over all frames
    since `reset`.

    Other real numbers, or integers for ids, are converted; another shape or kind and a negative id are a
    DataError and leave the state as it was. NaN and infinity are not looked for, which would cost a fifth of
    a step.
    """

    def __init__(
        self, path: str, version: str, settings: dict[str, Any], states: Sequence[State], graph: StepGraph
    ) -> None:
        self.version = version
        self.settings = settings
        self.features_count, self.dtype = len(graph.frame), graph.frame.dtype
        self.step = _step(path, version, graph)
        self._path = path
        self._states = tuple(zip(states, graph.before))
        self._shapes = {state.name: tuple(state.shape) for state in states}
        self.reset()

    def run(self, features: Features) -> FloatArray:
        """[T >= 1, F] -> the logits [C] behind the last frame of a stream of its own."""
        check_features(self._path, features, self.features_count, self.dtype)
        self.reset()
        for frame in features:
            logits = self.step(frame)
        return logits

    def reset(self) -> None:
        """Forget every frame: the next one is the first of a stream."""
        for state, values in self._states:
            values.fill(state.initial)

    @property
    def state(self) -> dict[str, FloatArray]:
        """Name -> a copy of what the frames so far have left. Setting it goes on from there, or from what a
        LoadedModel's `prefill` gave."""
        return {state.name: values.copy() for state, values in self._states}

    @state.setter
    def state(self, saved: Mapping[str, FloatArray]) -> None:
        found = {name: np.shape(values) for name, values in saved.items()}
        if found != self._shapes:
            raise DataError(f"{self._path}: a state of {found} does not fit, the model's is {self._shapes}")
        for state, values in self._states:
            values[...] = saved[state.name]


def _step(path: str, version: str, graph: StepGraph) -> Callable[[Features], FloatArray]:
    """`LoadedStep.step`, with everything it needs at hand.

    memoryviews (`.data`), because they copy in half numpy's instructions and refuse another dtype or length.
    """
    frame_in: Any = graph.frame.data
    takes_ids, whole = graph.frame.dtype.kind == "i", slice(None)
    states = [
        (before.reshape(-1).data, after.reshape(-1).data) for before, after in zip(graph.before, graph.after)
    ]
    compute, argument, answer = graph.compute, graph.argument, graph.logits.copy

    def step(frame: Features) -> FloatArray:
        try:
            frame_in[whole] = frame
        except (TypeError, ValueError):
            frame_in[whole] = _converted(path, frame, graph.frame)
        if takes_ids:
            check_ids(path, min(frame_in))
        try:
            compute(argument)
        except Exception as error:
            raise refused(path, version, error) from error
        for before, after in states:
            before[whole] = after
        return answer()

    return step


def _converted(path: str, frame: Any, like: Features) -> Features:
    """Real numbers of another type as float32 [F], integers as int32 ids [F]; DataError for anything else."""
    found = np.asarray(frame)
    kinds = "iu" if like.dtype.kind == "i" else "fiu"
    if found.shape != like.shape or found.dtype.kind not in kinds:
        given = f"{found.dtype} {list(found.shape)}"
        raise DataError(f"{path}: a step takes one frame, {like.dtype} {list(like.shape)}, not {given}")
    converted: Any = found.astype(like.dtype)
    if kinds == "iu" and (converted != found).any():
        raise DataError(f"{path}: ids {found.min()} .. {found.max()} are beyond those of any table")
    return converted  # type: ignore[no-any-return]


def onnx_graph(session: Any, path: str, states: Sequence[State]) -> StepGraph:
    """Every tensor is bound once to an array of ours. DataError where the file is not a step form.

    session: an onnxruntime.InferenceSession.
    """
    inputs, outputs = (
        {each.name: (each.shape, ONNX_TYPES.get(each.type, each.type)) for each in side}
        for side in (session.get_inputs(), session.get_outputs())
    )
    _check(path, inputs, outputs, states)
    arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in {**inputs, **outputs}.items()}
    binding = session.io_binding()
    for names, bind in ((inputs, binding.bind_input), (outputs, binding.bind_output)):
        for name in names:
            values = arrays[name]
            bind(name, "cpu", 0, values.dtype.type, values.shape, values.ctypes.data)
    return _graph(arrays, states, session.run_with_iobinding, binding)


def litert_graph(interpreter: Any, path: str, states: Sequence[State]) -> StepGraph:
    """The signature `step` of a TFLite file. DataError where there is none or it is another's.

    interpreter: a LiteRT or tflite-runtime Interpreter that nothing else uses.
    """
    if STEP_SIGNATURE not in interpreter.get_signature_list():
        raise DataError(f"{path}: has no signature {STEP_SIGNATURE!r}: it holds no step form")
    runner = interpreter.get_signature_runner(STEP_SIGNATURE)
    details = runner.get_input_details(), runner.get_output_details()
    inputs, outputs = (
        {name: ([int(n) for n in each["shape"]], np.dtype(each["dtype"]).name) for name, each in side.items()}
        for side in details
    )
    _check(path, inputs, outputs, states)
    indices = {name: int(each["index"]) for side in details for name, each in side.items()}
    try:
        return _through_views(interpreter, indices, states)
    except (AttributeError, TypeError):  # a version of the runtime whose inside is another
        return _through_runner(runner, {**inputs, **outputs}, states)


def _through_views(interpreter: Any, indices: Mapping[str, int], states: Sequence[State]) -> StepGraph:
    """Without the 40,000 instructions of a SignatureRunner's call: it sizes and plans every tensor anew.

    The only place that reaches into the runtime. `tensor`'s views stay valid because nothing allocates this
    subgraph again: it has no tensor of varying size (such a one has no memory yet, and is refused here).
    Their base is the wrapper, which so outlives them.
    """
    inside = interpreter._interpreter
    subgraph = inside.GetSubgraphIndexFromSignature(STEP_SIGNATURE)
    inside.AllocateTensors(subgraph)
    arrays = {name: inside.tensor(inside, index, subgraph) for name, index in indices.items()}
    return _graph(arrays, states, inside.Invoke, subgraph)


def _through_runner(runner: Any, tensors: Mapping[str, _Tensor], states: Sequence[State]) -> StepGraph:
    """The public way, with arrays of our own around it."""
    arrays = {name: np.zeros(shape, dtype) for name, (shape, dtype) in tensors.items()}
    taken = {name: arrays[name] for name in (FEATURES, *(state.name for state in states))}

    def compute(feed: Mapping[str, FloatArray]) -> None:
        for name, answer in runner(**feed).items():
            arrays[name][...] = answer

    return _graph(arrays, states, compute, taken)


def _graph(
    arrays: Mapping[str, npt.NDArray[Any]],
    states: Sequence[State],
    compute: Callable[[Any], object],
    argument: Any,
) -> StepGraph:
    return StepGraph(
        frame=arrays[FEATURES][0],
        logits=arrays[LOGITS][0],
        before=tuple(arrays[state.name] for state in states),
        after=tuple(arrays[state.name + NEXT] for state in states),
        compute=compute,
        argument=argument,
    )


def _check(
    path: str,
    inputs: Mapping[str, _Tensor],
    outputs: Mapping[str, _Tensor],
    states: Sequence[State],
) -> None:
    """DataError unless these tensors are a step form with `states`, all float32 but for features of ids."""
    for side, single, suffix in ((inputs, FEATURES, ""), (outputs, LOGITS, NEXT)):
        wanted = {state.name + suffix: list(state.shape) for state in states}
        found = {name: list(shape) for name, (shape, _dtype) in side.items()}
        row = found.pop(single, [])
        fits = len(row) == 2 and row[0] == 1 and isinstance(row[1], int) and row[1] > 0
        typed = all(dtype in _allowed(name) for name, (_shape, dtype) in side.items())
        if not fits or found != wanted or not typed:
            shown = {name: f"{dtype} {list(shape)}" for name, (shape, dtype) in side.items()}
            raise DataError(
                f"{path}: tensors {shown} are not a step form's with states {sorted(wanted)} in float32"
            )


def _allowed(name: str) -> tuple[str, ...]:
    return FEATURE_TYPES if name == FEATURES else ("float32",)
