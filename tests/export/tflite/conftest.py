"""TFLite models of chosen forms on the real runtime, straight from their bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgeseq_device.tensors import FEATURES, LOGITS, STEP_SIGNATURE
from edgeseq_export.exported import ExportedModel
from edgeseq_export.forms import FLOAT, NO_PRODUCT, LayerForm, Plan, Product
from edgeseq_export.layers import (
    GRU,
    LSTM,
    Attention,
    CausalConv,
    Cell,
    Layer,
    Linear,
    Norm,
    Pool,
    PoolKind,
    Residual,
)
from edgeseq_export.quantize import QuantizedTensor
from edgeseq_export.spec import SeqSpec, parameters, walk
from edgeseq_export.state import NEXT, why_no_step


def plan_of(spec: SeqSpec, form: str = "unrolled", chunk: int = 10, product: Product = FLOAT) -> Plan:
    """Every recurrent layer in one form, every quantized layer with one product."""
    layers = tuple(walk(spec.layers))
    quantized = {name for name, weight in parameters(spec).items() if isinstance(weight, QuantizedTensor)}

    def lower(layer: Layer, *, step: bool) -> LayerForm:
        recurrent = isinstance(layer, (GRU, LSTM))
        own = product if any(name.startswith(f"{layer.name}.") for name in quantized) else FLOAT
        if not recurrent and not isinstance(layer, (Linear, CausalConv, Attention)):
            own = NO_PRODUCT
        name = "step" if step else (form if recurrent else "rows")
        return LayerForm(
            layer.name, type(layer).__name__, name, own, chunk if recurrent and not step else None
        )

    sequence, step = (tuple(lower(layer, step=step) for layer in layers) for step in (False, True))
    return Plan(sequence, None if why_no_step(spec) else step)


def mixed_spec(pooling: PoolKind = "last", seed: int = 3) -> SeqSpec:
    """Every layer kind that goes from frame to frame, rows of zeros among the weights."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    def cell(gates: int, features: int, hidden: int) -> Cell:
        rows = gates * hidden
        weights = draw(rows, features), draw(rows, hidden)
        for weight in weights:
            weight[1] = 0
        return Cell(*weights, draw(rows), draw(rows))

    inner = (
        Norm("norm1", draw(7) + 1, draw(7)),
        GRU("gru1", cell(3, 7, 7)),
        Linear("linear1", draw(7, 7), draw(7), "gelu"),
    )
    layers = (
        CausalConv("conv", draw(9, 3 * 6), draw(9), 3, "relu"),
        LSTM("lstm", cell(4, 9, 7)),
        Residual("residual", inner),
        CausalConv("conv1", draw(7, 7), draw(7), 1, "none"),
        Norm("norm2", draw(7) + 1, draw(7)),
        Pool("pool", pooling),
        Linear("hidden", draw(8, 7), draw(8), "relu"),
        Norm("norm3", draw(8) + 1, draw(8)),
        Linear("head", draw(4, 8), draw(4)),
    )
    return SeqSpec(6, tuple("abcd"), layers)


class Loaded:
    """A TFLite model on LiteRT."""

    def __init__(self, model: ExportedModel) -> None:
        self._model = model
        self._interpreter = Interpreter(model_content=model.content, num_threads=1)

    def run(self, features: np.ndarray) -> np.ndarray:
        """features [T, F] -> logits [C] of the sequence form."""
        interpreter = self._interpreter
        tensor = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(tensor, [1, *features.shape])
        interpreter.allocate_tensors()
        interpreter.set_tensor(tensor, features[None])
        interpreter.invoke()
        return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])

    def run_steps(self, features: np.ndarray) -> np.ndarray:
        """features [T, F] -> logits [C] of the step form behind the last frame."""
        step = self._model.step
        assert step is not None
        runner = self._interpreter.get_signature_runner(STEP_SIGNATURE)
        states = {each.name: np.full(each.shape, each.initial, np.float32) for each in step.states}
        for frame in features:
            found = runner(**{FEATURES: frame[None]}, **states)
            states = {name: found[f"{name}{NEXT}"] for name in states}
        return np.array(found[LOGITS][0])


@pytest.fixture
def load() -> Callable[[ExportedModel], Loaded]:
    return Loaded


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    return plan_of


@pytest.fixture
def make_mixed_spec() -> Callable[..., SeqSpec]:
    return mixed_spec


@pytest.fixture
def draw_features() -> Callable[[int, int], np.ndarray]:
    """(frames, features) -> random rows, the same for the same arguments."""

    def draw(frames: int, features: int) -> np.ndarray:
        return np.random.default_rng(frames).standard_normal((frames, features)).astype(np.float32)

    return draw
