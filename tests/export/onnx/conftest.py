"""Random layers of every kind, plans with one product, and ONNX Runtime sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from processors import skip_if_wrong_here

from edgeseq_device.runtimes.onnx_runtime import has_vnni
from edgeseq_device.tensors import FEATURES, LENGTHS, LOGITS
from edgeseq_export.check import check_spec
from edgeseq_export.exported import ExportedModel, StepModel
from edgeseq_export.forms import DYNAMIC, FLOAT, NO_PRODUCT, WIDENED, LayerForm, Plan, Product
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
from edgeseq_export.onnx import write_onnx
from edgeseq_export.reference import run_reference
from edgeseq_export.spec import SeqSpec, quantize_spec, quantized_layers, walk, width_behind
from edgeseq_export.state import NEXT, why_no_step

FEATURES_COUNT = 12


class Draw:
    """Layers with random weights that keep activations near one."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)

    def array(self, *shape: int, bound: float = 0.5) -> np.ndarray:
        return self._random.uniform(-bound, bound, shape).astype(np.float32)

    def matrix(self, rows: int, columns: int) -> np.ndarray:
        return self.array(rows, columns, bound=1.7 / columns**0.5)

    def cell(self, gates: int, width: int, hidden: int) -> Cell:
        rows, bound = gates * hidden, 1.5 / hidden**0.5
        weights = (self.array(rows, width, bound=bound), self.array(rows, hidden, bound=bound))
        return Cell(*weights, self.array(rows), self.array(rows))

    def gru(self, name: str, width: int, hidden: int, *, both: bool = False) -> GRU:
        return GRU(name, *(self.cell(3, width, hidden) for _ in range(1 + both)))

    def lstm(self, name: str, width: int, hidden: int, *, both: bool = False) -> LSTM:
        return LSTM(name, *(self.cell(4, width, hidden) for _ in range(1 + both)))

    def linear(self, name: str, width: int, out: int, activation: Any = "none") -> Linear:
        return Linear(name, self.matrix(out, width), self.array(out), activation)

    def conv(self, name: str, width: int, out: int, kernel: int, activation: Any = "none") -> CausalConv:
        return CausalConv(name, self.matrix(out, kernel * width), self.array(out), kernel, activation)

    def norm(self, name: str, width: int) -> Norm:
        return Norm(name, 1 + self.array(width), self.array(width))

    def attention(
        self,
        name: str,
        width: int,
        heads: int,
        *,
        rotary: bool = False,
        window: int | None = None,
        depth: int | None = None,
    ) -> Attention:
        D = depth or width
        weights = (self.matrix(3 * D, width), self.array(3 * D), self.matrix(width, D), self.array(width))
        return Attention(name, heads, *weights, rotary, window)

    def block(self, name: str, width: int, heads: int, **attention: Any) -> tuple[Layer, ...]:
        """A pre-norm transformer block."""
        inner = (
            self.norm(f"{name}.norm", width),
            self.attention(f"{name}.attention", width, heads, **attention),
        )
        feed_forward = (
            self.norm(f"{name}.norm2", width),
            self.linear(f"{name}.up", width, 2 * width, "gelu"),
            self.linear(f"{name}.down", 2 * width, width),
        )
        return Residual(f"{name}.residual", inner), Residual(f"{name}.residual2", feed_forward)


def classifier(*layers: Layer, pooling: PoolKind = "last", features: int = FEATURES_COUNT) -> SeqSpec:
    """The layers, a pool and a head with 5 classes. The spec is checked."""
    width = features
    for layer in layers:
        width = width_behind(layer, width)
    head = Draw(99).linear("head", width, 5)
    spec = SeqSpec(features, tuple("abcde"), (*layers, Pool("pool", pooling), head))
    check_spec(spec)
    return spec


def sequence_form(layer: Layer, product: Product) -> LayerForm:
    recurrent = isinstance(layer, (GRU, LSTM))
    scan = isinstance(layer, GRU) and product == DYNAMIC
    return LayerForm(
        layer.name, type(layer).__name__, "scan" if scan else "operator" if recurrent else "rows", product
    )


def plan_of(spec: SeqSpec, product: Product) -> Plan:
    """`product` for every layer that has weights; steps in fp32 compute."""
    weighted = quantized_layers(spec)
    products = {layer.name: product if layer.name in weighted else NO_PRODUCT for layer in walk(spec.layers)}
    sequence = tuple(sequence_form(layer, products[layer.name]) for layer in walk(spec.layers))
    if why_no_step(spec):
        return Plan(sequence)
    fp32 = FLOAT if product == FLOAT else WIDENED
    step = [
        LayerForm(form.layer, form.kind, "step", fp32 if form.layer in weighted else NO_PRODUCT)
        for form in sequence
    ]
    return Plan(sequence, tuple(step))


def write(spec: SeqSpec, product: Product) -> tuple[SeqSpec, ExportedModel]:
    """The spec as it is lowered, quantized unless its product is float, and the model.

    Skips where this processor computes it wrong, see docs/export.md.
    """
    plan = plan_of(spec, product)
    skip_if_wrong_here(plan.sequence)
    spec = spec if product == FLOAT else quantize_spec(spec)
    return spec, write_onnx(spec, plan, "unit")


class Runner:
    """A model's sequence file in ONNX Runtime."""

    def __init__(self, content: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        # as edgeseq_device opens a file, see docs/export.md
        options.add_session_config_entry("session.x64quantprecision", "0" if has_vnni() else "1")
        self.session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._takes_lengths = LENGTHS in {each.name for each in self.session.get_inputs()}

    def run(self, features: np.ndarray) -> np.ndarray:
        """[T, F] -> logits [C]."""
        feed = {FEATURES: features[None]}
        if self._takes_lengths:
            feed[LENGTHS] = np.array([len(features)], np.int32)
        return self.session.run([LOGITS], feed)[0][0]

    def run_batch(self, batch: Sequence[np.ndarray], padding: float) -> np.ndarray:
        """[T_i, F] each -> [N, C], with `padding` behind the ends."""
        lengths = np.array([len(each) for each in batch], np.int32)
        padded = np.full((len(batch), lengths.max(), batch[0].shape[1]), padding, np.float32)
        for row, each in zip(padded, batch, strict=True):
            row[: len(each)] = each
        return self.session.run([LOGITS], {FEATURES: padded, LENGTHS: lengths})[0]


def run_steps(step: StepModel, features: np.ndarray) -> np.ndarray:
    """Logits [T, C] of every frame in turn."""
    assert step.content is not None
    session = Runner(step.content).session
    states = {state.name: np.full(state.shape, state.initial, np.float32) for state in step.states}
    names = [output.name for output in session.get_outputs()]
    assert names == [LOGITS, *(name + NEXT for name in states)]
    logits = []
    for frame in features:
        answer, *after = session.run(None, {FEATURES: frame[None], **states})
        assert all(new.shape == old.shape for new, old in zip(after, states.values(), strict=True))
        states = dict(zip(states, after, strict=True))
        logits.append(answer[0])
    return np.stack(logits)


def assert_agrees(spec: SeqSpec, model: ExportedModel, batch: Sequence[np.ndarray]) -> None:
    """The model answers as the reference with its rounding: within 1e-5 for fp32, 1e-3 for int8 compute.

    Where a rounding of the reference itself is on the edge, so that noise in the seventh digit lets it fall
    to the other side, half as much again is allowed as that moves the reference.
    """
    runner = Runner(model.content)
    int8 = any(form.product.compute == "int8" for form in model.layers)
    for features in batch:
        expected = run_reference(spec, features, model.rounding)
        scale = max(1.0, float(np.abs(expected).max()))
        error = float(np.abs(runner.run(features) - expected).max()) / scale
        if int8 and error > 1e-3:
            noises = (np.random.default_rng(seed) for seed in range(4))
            noisy = [run_reference(spec, features, model.rounding, noise) for noise in noises]
            error -= 1.5 * max(float(np.abs(each - expected).max()) for each in noisy) / scale
        assert error <= (1e-3 if int8 else 1e-5), f"{len(features)} frames"


def random_features(frames: int, seed: int = 7, width: int = FEATURES_COUNT) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((frames, width)).astype(np.float32)


@pytest.fixture
def draw() -> Draw:
    return Draw()


@dataclass(frozen=True)
class Lab:
    """What a test needs beside its layers."""

    classifier = staticmethod(classifier)
    plan_of = staticmethod(plan_of)
    write = staticmethod(write)
    Runner = Runner
    run_steps = staticmethod(run_steps)
    features = staticmethod(random_features)
    assert_agrees = staticmethod(assert_agrees)


@pytest.fixture
def lab() -> Lab:
    return Lab()
