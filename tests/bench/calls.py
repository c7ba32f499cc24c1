"""How each subject is called from Python as its user would, on this machine and on a virtual board alike.

Needs numpy and one runtime, and the device side's Python: 3.9 or newer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeseq_device import runtimes
from edgeseq_device.manifest import StateInfo

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Call:
    """run: one inference, which is what is timed and counted. answer: [H] float32, the model's answer to all
    frames, from a fresh start."""

    run: Callable[[], object]
    answer: Callable[[], FloatArray]


def open_call(subject: Mapping[str, Any], features: FloatArray) -> Call:
    """Load the subject's file for one thread. features: [T, F] float32; a step takes the first of them."""
    openers = {
        "sequence": _sequence,
        "step": _step,
        "op": _op,
        "op, bound": _bound_op,
        "op step": _op_step,
        "op step, bound": _bound_op_step,
    }
    return openers[subject["call"]](subject, features)


def _sequence(subject: Mapping[str, Any], features: FloatArray) -> Call:
    model = runtimes.load(subject["path"], subject["runtime"])

    def run() -> FloatArray:
        return model.run(features)

    return Call(run, run)


def _step(subject: Mapping[str, Any], features: FloatArray) -> Call:
    states = [StateInfo(each["name"], tuple(each["shape"]), each["initial"]) for each in subject["states"]]
    model = runtimes.load_step(subject["path"], subject["runtime"], states)
    first = features[0]

    def answer() -> FloatArray:
        model.reset()
        for frame in features:
            logits = model.step(frame)
        return logits

    return Call(lambda: model.step(first), answer)


def _op(subject: Mapping[str, Any], features: FloatArray) -> Call:
    """The file that torch.onnx.export wrote, with ONNX Runtime's own defaults but for the threads."""
    session = _session(subject["path"])
    name, *_states = session.get_inputs()
    batched = np.ascontiguousarray(features).reshape([int(each) for each in name.shape])
    feed = {name.name: batched}

    def run() -> Any:
        return session.run(None, feed)

    return Call(run, lambda: np.ravel(run()[_answer_index(session)]))


def _answer_index(session: Any) -> int:
    """Of h behind a recurrent operator's outputs at all frames, else of the only output."""
    return min(1, len(session.get_outputs()) - 1)


def _bound_op(subject: Mapping[str, Any], features: FloatArray) -> Call:
    """As `_op`, through an IOBinding, into whose input the features are copied at each call."""
    session = _session(subject["path"])
    binding, arrays = _bind(session)
    name, answer = session.get_inputs()[0].name, session.get_outputs()[_answer_index(session)].name

    def run() -> FloatArray:
        arrays[name][...] = features.reshape(arrays[name].shape)
        session.run_with_iobinding(binding)
        return arrays[answer].flatten()

    return Call(run, run)


def _op_step(subject: Mapping[str, Any], features: FloatArray) -> Call:
    """One frame with the states as inputs; each call takes the states that the one before gave back."""
    session = _session(subject["path"])
    name, *states = [each.name for each in session.get_inputs()]
    start = {each.name: np.zeros(each.shape, np.float32) for each in session.get_inputs()[1:]}
    feed = {name: features[:1, None], **start}

    def run() -> Any:
        outputs = session.run(None, feed)
        feed.update(zip(states, outputs[1:]))  # noqa: B905 - Python 3.9 has no strict
        return outputs

    def answer() -> FloatArray:
        feed.update(start)
        for index in range(len(features)):
            feed[name] = features[index : index + 1, None]
            run()
        return np.ravel(feed[states[0]])

    return Call(run, answer)


def _bound_op_step(subject: Mapping[str, Any], features: FloatArray) -> Call:
    """As `_op_step`, through an IOBinding: ONNX Runtime reads and writes arrays that were named once."""
    session = _session(subject["path"])
    inputs, outputs = session.get_inputs(), session.get_outputs()
    binding, arrays = _bind(session)
    name = inputs[0].name
    states = [
        (arrays[before.name], arrays[after.name])
        for before, after in zip(inputs[1:], outputs[1:])  # noqa: B905
    ]

    def step(row: FloatArray) -> None:
        arrays[name][0, 0] = row
        session.run_with_iobinding(binding)
        for before, after in states:
            before[...] = after

    def answer() -> FloatArray:
        for before, _after in states:
            before.fill(0)
        for row in features:
            step(row)
        return states[0][0].flatten()

    return Call(lambda: step(features[0]), answer)


def _bind(session: Any) -> tuple[Any, dict[str, FloatArray]]:
    """A binding of every input and output, and their arrays: keep all of these, it has only addresses."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    binding = session.io_binding()
    arrays = {each.name: np.zeros(each.shape, np.float32) for each in (*inputs, *outputs)}
    for each in inputs:
        values = arrays[each.name]
        binding.bind_input(each.name, "cpu", 0, np.float32, values.shape, values.ctypes.data)
    for each in outputs:
        values = arrays[each.name]
        binding.bind_output(each.name, "cpu", 0, np.float32, values.shape, values.ctypes.data)
    return binding, arrays


def _session(path: str) -> Any:
    import onnxruntime as ort  # a process that measures LiteRT must not hold it

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
