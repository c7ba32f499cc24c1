"""What a torch user has without edgeseq: torch itself, torch.onnx.export, and quantize_dynamic of both."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from calls import Call, FloatArray
from models import FEATURES, Model
from torch import Tensor, nn

_INT8_OPS = {"DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger", "QAttention", "QGemm"}


def export_op(model: Model, frames: int | None, path: Path) -> None:
    """torch.onnx.export of the module for a fixed number of frames; None for a step with its states."""
    inputs, names = _example(model, frames)
    outputs = ["output", "h_next", "c_next"][: _output_count(model)]
    _export(model.module, inputs, names, outputs, path)


def export_null(frames: int, path: Path) -> None:
    """A file without a weight that takes what an operator's file takes."""
    _export(nn.Identity(), (torch.zeros(frames, 1, FEATURES),), ["x"], ["output"], path)


def _export(
    module: nn.Module, inputs: tuple[Any, ...], names: list[str], outputs: list[str], path: Path
) -> None:
    """With the exporter on TorchScript, the one that needs no package beside torch and onnx."""
    with _quietly(), _portable_attention():
        torch.onnx.export(module, inputs, str(path), input_names=names, output_names=outputs, dynamo=False)


def quantize_op(path: Path, quantized: Path) -> None:
    """onnxruntime's quantize_dynamic with int8 weights, otherwise as it comes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quietly():
        quantize_dynamic(path, quantized, weight_type=QuantType.QInt8)


def computes_in_int8(path: Path) -> bool:
    """Whether an ONNX file holds an operator that multiplies in int8."""
    return any(node.op_type in _INT8_OPS for node in onnx.load(path).graph.node)


def quantize_module(model: Model) -> nn.Module:
    """torch.ao.quantization.quantize_dynamic of a copy of the module."""
    wrapped = nn.Sequential(model.module)  # the tool replaces children, never the module it is given
    with _quietly():
        quantized = torch.ao.quantization.quantize_dynamic(
            wrapped, {nn.GRU, nn.LSTM, nn.Linear}, dtype=torch.qint8
        )
    module: nn.Module = quantized[0]
    return module


def torch_call(model: Model, module: nn.Module, features: FloatArray, *, step: bool) -> Call:
    """The module on features [T, F], or frame by frame with its state. The caller is in inference_mode."""
    rows = torch.from_numpy(features)
    if model.family == "transformer":
        return _transformer_call(module, rows[None], fused=module is model.module)
    if not step:
        return _same(lambda: module(rows[:, None]), lambda output: _hidden(output[1]))
    frames = rows[:, None, None]
    state: list[Any] = [_zero_state(model)]

    def run() -> None:
        state[0] = module(frames[0], state[0])[1]

    def answer() -> FloatArray:
        state[0] = _zero_state(model)
        for frame in frames:
            state[0] = module(frame, state[0])[1]
        return _flat(_hidden(state[0]))

    return Call(run, answer)


def _transformer_call(module: nn.Module, batch: Tensor, *, fused: bool) -> Call:
    """fused: with torch's fused encoder layer, which reads quantized weights as if they were tensors."""

    def run() -> Any:
        if fused:
            return module(batch)
        with _portable_attention():
            return module(batch)

    return _same(run, lambda output: output)


def _same(run: Callable[[], Any], output: Callable[[Any], Tensor]) -> Call:
    return Call(run, lambda: _flat(output(run())))


def _flat(output: Tensor) -> FloatArray:
    return np.ravel(output.detach().numpy())


def _hidden(state: Any) -> Tensor:
    """h of a GRU's state h or an LSTM's (h, c)."""
    hidden: Tensor = state if isinstance(state, Tensor) else state[0]
    return hidden


def _zero_state(model: Model) -> Any:
    hidden = torch.zeros(1, 1, model.hidden)
    return (hidden, hidden.clone()) if model.family == "lstm" else hidden


def _example(model: Model, frames: int | None) -> tuple[tuple[Any, ...], list[str]]:
    if model.family == "transformer":
        return (torch.zeros(1, frames or 1, FEATURES),), ["x"]
    row = torch.zeros(frames or 1, 1, FEATURES)
    if frames is not None:
        return (row,), ["x"]
    return (row, _zero_state(model)), ["x", "h", "c"][: _output_count(model)]


def _output_count(model: Model) -> int:
    return {"gru": 2, "lstm": 3, "transformer": 1}[model.family]


@contextmanager
def _portable_attention() -> Iterator[None]:
    """Without torch's fused encoder layer, for which the exporter has no ONNX form."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def _quietly() -> Iterator[None]:
    """Both exporters and both quantizers warn that they are old; that is known and not a finding."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.setLevel(level)
